/** What no process under test may say. */

/**
 * An error that reached nobody (`UNHANDLED` is what servers of the tests call it, the rest is what runtimes say when they
 * die of one), and a warning of the runtime about listeners that pile up, rejections that were handled late, or what is
 * deprecated.
 */
const STRAYS =
  /UNHANDLED|Uncaught|^(Node\.js|Bun) v\d|(MaxListenersExceeded|PromiseRejectionHandled|Deprecation)Warning/
/** Characters of what it said that an error repeats: the stray itself may say little. */
const SHOWN = 4000

/**
 * @param who as the error names it
 * @param said all that it wrote to stderr
 * @throws {Error} with the lines that it may not say
 */
export function refuseStrays(who: string, said: string): void {
  const strays = said.split('\n').filter((line) => STRAYS.test(line))
  if (strays.length === 0) return
  throw new Error(`${who} may not say:\n${strays.join('\n')}\nThe end of all that it said:\n${said.slice(-SHOWN)}`)
}
