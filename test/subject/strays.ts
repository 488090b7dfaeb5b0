/**
 * What no process under test may say: an error that reached nobody (written by the servers of the tests), and a warning
 * of the runtime about listeners that pile up, rejections that were handled late, or what is deprecated.
 */
export const STRAYS: RegExp = /UNHANDLED|(MaxListenersExceeded|PromiseRejectionHandled|Deprecation)Warning/
