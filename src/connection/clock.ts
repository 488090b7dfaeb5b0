/**
 * Time, as a port: everything in fetch-sock that waits asks this and nothing else, so that tests can drive it by hand.
 */

/** What `setTimeout` of a clock returns; opaque. */
export type TimerHandle = unknown

/** The clock of a connection. */
export interface Clock {
  /** Milliseconds on a monotonic scale. */
  now(): number
  /**
   * Calls back once after `delay` milliseconds. Never keeps the process alive.
   *
   * @param subject what the callback is called with: a timer that every connection has needs no closure then
   */
  setTimeout<T>(callback: (subject: T) => void, delay: number, subject?: T): TimerHandle
  clearTimeout(timer: TimerHandle): void
  /**
   * Calls back once when the current turn and its microtasks are over, before further I/O where the runtime can.
   *
   * @param early whether it may come before the microtasks when no microtask asks for it; a clock need not make use of that
   */
  afterTurn(callback: () => void, early?: boolean): void
}
