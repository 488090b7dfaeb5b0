/**
 * Rests for sockets on Deno that always have more to read.
 *
 * As long as each round of its event loop finds bytes at once, Deno asks the operating system about all other sockets
 * only once in some 60 rounds. Beside many connections with full pipes a quiet one, or one that has not been accepted
 * yet, waits for all of them that often (`bun run bench fairness`). So now and then those that fill their buffer stop,
 * until the event loop has had nothing to do: then it looks around.
 */
import type { Clock } from '../connection/clock.ts'
import { nodeClock } from './node-clock.ts'
import { RAW_MODE } from './raw-mode.ts'

/** Bytes of a read that has filled the buffer of the runtime. */
export const FULL_READ = 65_536

/** Reads of one socket over which rounds are measured: a long message comes in many at once, and a pause behind them. */
const WINDOW = 8

/** Milliseconds of a round of the event loop from which resting pays: other sockets wait for 60 rounds. */
const LONG_ROUND = 1

/** Milliseconds from one rest to the next; a rest takes two or three. */
const REST_INTERVAL = 50

/** Milliseconds after which a socket that has filled no buffer measures no rounds any more. */
const PACER_LIMIT = 1000

/** Who reads from a socket. */
export interface Reader {
  rest(): void
  goOn(): void
}

export class FairReading {
  readonly #clock: Clock
  #restedAt = Number.NEGATIVE_INFINITY
  /** The socket by which rounds are measured: in each it reads once. */
  #pacer: Reader | undefined
  #pacedAt = 0
  #windowFrom = 0
  #reads = 0
  /** Those that rest; `undefined` between rests. */
  #resting: Reader[] | undefined
  /** Whether somebody has filled a buffer since the last look. */
  #busy = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A read has filled the buffer: there may be more, for which the runtime need not ask. */
  onFullRead(reader: Reader): void {
    if (this.#resting === undefined) {
      if (!this.#isDue(reader)) return
      this.#resting = []
      this.#wait()
    }
    this.#busy = true
    this.#resting.push(reader)
    reader.rest()
  }

  #isDue(reader: Reader): boolean {
    const now = this.#clock.now()
    const isFirst = this.#pacer === undefined || now - this.#pacedAt > PACER_LIMIT
    if (!isFirst && reader !== this.#pacer) return false
    this.#pacer = reader
    this.#pacedAt = now
    if (!isFirst && ++this.#reads < WINDOW) return false
    const isLong = !isFirst && (now - this.#windowFrom) / WINDOW > LONG_ROUND
    this.#windowFrom = now
    this.#reads = 0
    return isLong && now - this.#restedAt > REST_INTERVAL
  }

  /** The shortest timer: it comes when the loop has been idle for a moment, or at once while the loop is not. */
  #wait(): void {
    this.#clock.setTimeout(() => this.#look(), 0)
  }

  #look(): void {
    if (this.#busy) {
      this.#busy = false
      this.#wait()
      return
    }
    const resting = this.#resting ?? []
    this.#resting = undefined
    this.#pacer = undefined
    this.#restedAt = this.#clock.now()
    for (const reader of resting) reader.goOn()
  }
}

/** Of this process, where it is needed. */
export const fairReading: FairReading | undefined = RAW_MODE === 'deno' ? new FairReading(nodeClock) : undefined
