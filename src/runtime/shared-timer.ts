/**
 * Timers of one length on one timer of the runtime.
 *
 * Nearly all that a connection sets is cleared long before its time, or set again with the same length: a ping interval,
 * a deadline. A timer of the runtime costs some of the most expensive calls of an upgrade, and its memory stays.
 */

import type { Clock, TimerHandle } from '../connection/clock.ts'
import { Ring, RingMember } from '../connection/ring.ts'

/** Those of the runtime, which do not keep the process alive. */
export type Timers = Pick<Clock, 'setTimeout' | 'clearTimeout'>

/** Timers of one length, and that of the runtime which they share. */
interface Line {
  readonly timers: Ring<SharedTimer>
  handle: TimerHandle
}

/** Lengths that are shared at a time: they are those of options, and a length that was computed has hardly a second one. */
const MAX_LENGTHS = 64

/** A pending timer. */
export class SharedTimer extends RingMember {
  readonly callback: (subject: never) => void
  /** In whole milliseconds: a fraction would have memory of its own. */
  readonly due: number
  readonly subject: unknown

  constructor(callback: (subject: never) => void, due: number, subject: unknown) {
    super()
    this.callback = callback
    this.due = due
    this.subject = subject
  }
}

/** All that share the timers of one runtime. */
export class SharedTimers {
  readonly #runtime: Timers
  /** By length in milliseconds, and in each in the order in which they are due. */
  readonly #lines: Map<number, Line> = new Map()

  constructor(runtime: Timers) {
    this.#runtime = runtime
  }

  /** @returns `undefined` when too many lengths are waited for already */
  set<T>(callback: (subject: T) => void, delay: number, subject?: T): SharedTimer | undefined {
    const line = this.#lines.get(delay) ?? this.#newLine(delay)
    if (line === undefined) return undefined
    const timer = new SharedTimer(callback, Math.ceil(performance.now() + delay), subject)
    line.timers.add(timer)
    return timer
  }

  #newLine(delay: number): Line | undefined {
    if (this.#lines.size === MAX_LENGTHS && !this.#dropEmpty()) return undefined
    const line: Line = { timers: new Ring(), handle: undefined }
    this.#lines.set(delay, line)
    this.#run(delay, line, delay)
    return line
  }

  /** Gives up a length that nobody waits for any more; mostly it is wanted again soon, and stays. */
  #dropEmpty(): boolean {
    for (const [delay, { timers, handle }] of this.#lines) {
      if (timers.first !== undefined) continue
      this.#runtime.clearTimeout(handle)
      return this.#lines.delete(delay)
    }
    return false
  }

  #run(delay: number, line: Line, rest: number): void {
    line.handle = this.#runtime.setTimeout(() => this.#onTime(delay, line), rest)
  }

  #onTime(delay: number, line: Line): void {
    const { timers } = line
    const now = performance.now()
    try {
      for (let timer = timers.first; timer !== undefined && timer.due <= now; timer = timers.first) {
        timer.leave()
        timer.callback(timer.subject as never)
      }
    } finally {
      // Also when a callback threw: the others still get their turn, and the error goes its way.
      const next = timers.first
      if (next === undefined) this.#lines.delete(delay)
      else this.#run(delay, line, Math.max(1, Math.ceil(next.due - now)))
    }
  }
}

/** Milliseconds from which timers share one of the runtime: short ones usually fire, long ones are usually cleared. */
const SHARED_FROM = 1000

/** The same clock, whose long timers share those of the runtime. */
export function sharingTimers(clock: Clock): Clock {
  const shared = new SharedTimers(clock)
  return {
    ...clock,
    setTimeout: <T>(callback: (subject: T) => void, delay: number, subject?: T): TimerHandle =>
      (delay < SHARED_FROM ? undefined : shared.set(callback, delay, subject)) ??
      clock.setTimeout(callback, delay, subject),
    clearTimeout(timer: TimerHandle): void {
      if (timer instanceof SharedTimer) timer.leave()
      else clock.clearTimeout(timer)
    },
  }
}
