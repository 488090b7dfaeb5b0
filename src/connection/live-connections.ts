/** The connections that one server, or one Sock, has open, and how they end together. */
import { isWireCloseCode } from '../codec/close-code.ts'
import { assertCloseReason } from '../codec/close-reason.ts'
import { optionsFault } from './call-options.ts'
import type { Clock, TimerHandle } from './clock.ts'
import type { Connection } from './connection.ts'
import { checkOptions, type Filled, type OptionTable } from './option-table.ts'
import { milliseconds } from './options.ts'
import { Ring, RingMember } from './ring.ts'

/** What an upgrade is told while its server drains; the status is 503. */
export const SHUTTING_DOWN = 'Server is shutting down'

/** Seconds after which a refused client may try again; what fills a cap is usually short. */
export const RETRY_AFTER = 5

/** How to end all connections. */
export interface DrainOptions {
  /** Milliseconds from the call until what is left is terminated. @default 10_000 */
  deadline?: number | undefined
  /** Close code for every connection. @default 1001 (going away) */
  code?: number | undefined
  /** Close reason, at most 123 bytes of UTF-8. @default '' */
  reason?: string | undefined
  /** Milliseconds over which the closes are spread, so that clients do not all come back at once. @default 0 */
  spread?: number | undefined
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

/** From the moment when a connection opens until it has ended, and its handler. */
export class Stay extends RingMember {
  /** Set by `enter`. */
  connection!: Connection
}

export class LiveConnections {
  /** Those that are open, and those that have ended while their handler runs on. */
  readonly #stays: Ring<Stay> = new Ring(() => this.#onEmpty?.())
  readonly #clock: Clock
  #draining: Promise<DrainReport> | undefined
  /** What a drain does with a connection whose handshake overtook it. */
  #turnAway: ((connection: Connection) => void) | undefined
  #onEmpty: (() => void) | undefined
  /** Brings the deadline of the drain forward to now. */
  #hurry: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many are open. */
  get count(): number {
    return this.#open().length
  }

  /** Whether new connections are refused. */
  get draining(): boolean {
    return this.#draining !== undefined
  }

  /**
   * A connection has opened, and its handler starts.
   *
   * @param stay is to `leave` when the connection has ended, and so has its handler
   */
  enter(connection: Connection, stay: Stay): void {
    stay.connection = connection
    this.#stays.add(stay)
    this.#turnAway?.(connection)
  }

  /**
   * Closes every connection and waits for every handler. Later calls get the report of the first.
   *
   * @throws {TypeError | RangeError} for a code or reason that may not be sent, or a time that is none, naming the option
   */
  drain(options: DrainOptions = {}): Promise<DrainReport> {
    checkDrainOptions(options)
    const { code = 1001, reason = '' } = options
    const { deadline = DRAIN_TIMES.deadline.default, spread = DRAIN_TIMES.spread.default } = options
    this.#draining ??= this.#closeAll({ deadline, code, reason, spread })
    return this.#draining
  }

  /** A drain that has begun waits no longer: what is left is terminated. */
  hurry(): void {
    this.#hurry?.()
  }

  /** Drops every connection now. */
  terminate(): void {
    for (const { connection } of this.#stays.all()) connection.terminate()
  }

  #open(): Connection[] {
    return this.#stays.all().flatMap(({ connection }) => (connection.code === undefined ? connection : []))
  }

  async #closeAll({ deadline, code, reason, spread }: Filled<DrainOptions>): Promise<DrainReport> {
    const report: DrainReport = { clean: 0, terminated: 0, lost: 0, unfinished: 0 }
    const timers: TimerHandle[] = []
    const ends: Promise<void>[] = []
    let isLate = false
    const close = (connection: Connection, wait: number): void => {
      if (isLate) connection.terminate()
      else if (wait === 0) void connection.close(code, reason)
      else timers.push(this.#clock.setTimeout(() => void connection.close(code, reason), wait))
      const count = ({ wasClean }: { readonly wasClean: boolean }): void => {
        report[wasClean ? 'clean' : isLate ? 'terminated' : 'lost']++
      }
      ends.push(connection.closed.then(count))
    }
    const open = this.#open()
    for (const [index, connection] of open.entries()) {
      close(connection, (Math.min(spread, deadline) * index) / open.length)
    }
    this.#turnAway = (connection) => close(connection, 0)
    const late = new Promise<void>((resolve) => {
      const giveUp = (): void => {
        isLate = true
        this.terminate()
        resolve()
      }
      this.#hurry = giveUp
      if (deadline !== Number.POSITIVE_INFINITY) timers.push(this.#clock.setTimeout(giveUp, deadline))
    })
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
      if (this.#stays.first === undefined) resolve()
    })
    await Promise.race([empty, late])
    // Those that only waited for a connection just terminated get the chance to see it.
    if (isLate) await new Promise<void>((resolve) => this.#clock.afterTurn(resolve))
    for (const timer of timers) this.#clock.clearTimeout(timer)
    await Promise.all(ends)
    return { ...report, unfinished: this.#stays.all().length }
  }
}

/** Unit, range and default of the times of a drain. */
export const DRAIN_TIMES: OptionTable<Pick<DrainOptions, 'deadline' | 'spread'>> = {
  deadline: { ...milliseconds, min: 0, default: 10_000, doc: 'Time from the call until what is left is terminated.' },
  spread: {
    ...milliseconds,
    min: 0,
    unlimited: false,
    default: 0,
    doc: 'Time over which the closes are spread, so that clients do not all come back at once.',
  },
}

const DRAIN_OPTIONS: readonly string[] = ['deadline', 'code', 'reason', 'spread'] satisfies (keyof DrainOptions)[]

/**
 * @throws {TypeError} for an unknown option, a time that is not a number, or a reason that is not a string
 * @throws {RangeError} for a code or reason that may not be sent, or a time out of range, naming the option
 */
export function checkDrainOptions(options: DrainOptions): void {
  const wrong = optionsFault('drain', options, DRAIN_OPTIONS)
  if (wrong !== undefined) throw wrong
  const { deadline, code = 1001, reason = '', spread } = options
  checkOptions(DRAIN_TIMES, { deadline, spread })
  if (!isWireCloseCode(code)) throw new RangeError(`code must be one that may be sent (RFC 6455 §7.4); got ${code}`)
  assertCloseReason(reason)
}
