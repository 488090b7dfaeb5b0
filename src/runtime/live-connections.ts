/** The connections that one server has open, and how they end together. */
import { isWireCloseCode, MAX_CLOSE_REASON } from '../codec/close-code.ts'
import type { Clock, TimerHandle } from '../connection/clock.ts'
import type { Connection } from '../connection/connection.ts'

/** Milliseconds that a drain waits when nothing else is said. */
export const DRAIN_DEADLINE = 10_000

/** How to end all connections. */
export interface DrainOptions {
  /** Milliseconds from the call until what is left is terminated. @default 10_000 */
  deadline?: number
  /** Close code for every connection. @default 1001 (going away) */
  code?: number
  /** Close reason, at most 123 bytes of UTF-8. @default '' */
  reason?: string
  /** Milliseconds over which the closes are spread, so that clients do not all come back at once. @default 0 */
  spread?: number
}

/** How the connections that were open ended. */
export interface DrainReport {
  /** With a closing handshake. */
  clean: number
  /** By us, because the deadline had come. */
  terminated: number
  /** Without a closing handshake: the peer went away, or broke the protocol. */
  lost: number
  /** Handlers that were still running at the deadline. */
  unfinished: number
}

/** An upgrade that is not decided, or whose refusal is being sent. */
interface Handshake {
  destroy(): void
}

export class LiveConnections {
  readonly handshakes: Set<Handshake> = new Set()
  readonly #connections: Set<Connection> = new Set()
  /** Handlers that run, also those whose connection has ended. */
  readonly #handlers: Set<Promise<void>> = new Set()
  readonly #clock: Clock
  #draining: Promise<DrainReport> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#connections.size
  }

  /** Whether new connections are refused. */
  get draining(): boolean {
    return this.#draining !== undefined
  }

  /** @param handled as in `Acceptance` */
  add(connection: Connection, handled: Promise<void> | undefined): void {
    this.#connections.add(connection)
    void connection.closed.then(() => this.#connections.delete(connection))
    if (handled === undefined) return
    this.#handlers.add(handled)
    void handled.then(() => this.#handlers.delete(handled))
  }

  /**
   * Closes every connection and waits for every handler. Later calls get the report of the first.
   *
   * @throws {RangeError} for a code or reason that may not be sent, or a time that is negative
   */
  drain(options: DrainOptions = {}): Promise<DrainReport> {
    checkDrainOptions(options)
    const { deadline = DRAIN_DEADLINE, code = 1001, reason = '', spread = 0 } = options
    this.#draining ??= this.#closeAll({ deadline, code, reason, spread })
    return this.#draining
  }

  /** Drops every connection and every handshake now. */
  terminate(): void {
    for (const handshake of this.handshakes) handshake.destroy()
    for (const connection of this.#connections) connection.terminate()
  }

  async #closeAll(settings: Required<DrainOptions>): Promise<DrainReport> {
    const { deadline, code, reason, spread } = settings
    const report: DrainReport = { clean: 0, terminated: 0, lost: 0, unfinished: 0 }
    const timers: TimerHandle[] = []
    let isLate = false
    const late = new Promise<void>((resolve) => {
      if (deadline === Number.POSITIVE_INFINITY) return
      const giveUp = (): void => {
        isLate = true
        this.terminate()
        resolve()
      }
      timers.push(this.#clock.setTimeout(giveUp, deadline))
    })
    const connections = [...this.#connections]
    const ends = connections.map(async (connection, index) => {
      const wait = (Math.min(spread, deadline) * index) / connections.length
      if (wait === 0) void connection.close(code, reason)
      else timers.push(this.#clock.setTimeout(() => void connection.close(code, reason), wait))
      const { wasClean } = await connection.closed
      report[wasClean ? 'clean' : isLate ? 'terminated' : 'lost']++
    })
    await Promise.all(ends)
    await Promise.race([Promise.all(this.#handlers), late])
    // Those that only waited for a connection just terminated get the chance to see it.
    if (isLate) await new Promise<void>((resolve) => this.#clock.afterTurn(resolve))
    for (const timer of timers) this.#clock.clearTimeout(timer)
    report.unfinished = this.#handlers.size
    return report
  }
}

/** @throws {RangeError} naming the option */
export function checkDrainOptions({ deadline = 0, code = 1001, reason = '', spread = 0 }: DrainOptions): void {
  const isTime = (value: number): boolean => value >= 0 && value <= 2_147_483_647
  if (!isTime(deadline) && deadline !== Number.POSITIVE_INFINITY) {
    throw new RangeError(`deadline must be milliseconds from 0 to 2147483647, or Infinity; got ${deadline}`)
  }
  if (!isTime(spread)) throw new RangeError(`spread must be milliseconds from 0 to 2147483647; got ${spread}`)
  if (!isWireCloseCode(code)) throw new RangeError(`code must be one that may be sent (RFC 6455 §7.4); got ${code}`)
  if (new TextEncoder().encode(reason).length > MAX_CLOSE_REASON) {
    throw new RangeError(`reason must be at most ${MAX_CLOSE_REASON} bytes of UTF-8`)
  }
}
