/**
 * Timers of one length on one timer of the runtime.
 *
 * Nearly all that a connection sets is cleared long before its time, or set again with the same length: a ping interval,
 * a deadline. A timer of the runtime costs some of the most expensive calls of an upgrade, and its memory stays.
 */

import type { Clock, TimerHandle } from '../connection/clock.ts'
import { Ring, RingMember } from '../connection/ring.ts'

/** Sets a timer of the runtime that does not keep the process alive. */
export type SetTimer = (callback: () => void, delay: number) => unknown

/** One that was set. */
export class SharedTimer extends RingMember {
  readonly callback: () => void
  readonly due: number

  constructor(callback: () => void, due: number) {
    super()
    this.callback = callback
    this.due = due
  }
}

/** All that share the timers of one runtime. */
export class SharedTimers {
  readonly #setTimer: SetTimer
  /** By length in milliseconds, and in each in the order in which they are due. */
  readonly #waiting: Map<number, Ring<SharedTimer>> = new Map()

  constructor(setTimer: SetTimer) {
    this.#setTimer = setTimer
  }

  set(callback: () => void, delay: number): SharedTimer {
    let timers = this.#waiting.get(delay)
    if (timers === undefined) {
      timers = new Ring()
      this.#waiting.set(delay, timers)
      this.#run(delay, timers, delay)
    }
    const timer = new SharedTimer(callback, performance.now() + delay)
    timers.add(timer)
    return timer
  }

  #run(delay: number, timers: Ring<SharedTimer>, rest: number): void {
    this.#setTimer(() => this.#onTime(delay, timers), rest)
  }

  #onTime(delay: number, timers: Ring<SharedTimer>): void {
    const now = performance.now()
    try {
      for (let timer = timers.first; timer !== undefined && timer.due <= now; timer = timers.first) {
        timer.leave()
        timer.callback()
      }
    } finally {
      // Also when a callback threw: the others still get their turn, and the error goes its way.
      const next = timers.first
      if (next === undefined) this.#waiting.delete(delay)
      else this.#run(delay, timers, Math.max(1, Math.ceil(next.due - now)))
    }
  }
}

/** Milliseconds from which timers share one of the runtime: shorter ones are waited for, longer ones hardly ever. */
const SHARED_FROM = 1000

/** The same clock, whose long timers share those of the runtime. */
export function sharingTimers(clock: Clock): Clock {
  const shared = new SharedTimers(clock.setTimeout)
  return {
    ...clock,
    setTimeout: (callback: () => void, delay: number): TimerHandle =>
      delay < SHARED_FROM ? clock.setTimeout(callback, delay) : shared.set(callback, delay),
    clearTimeout(timer: TimerHandle): void {
      if (timer instanceof SharedTimer) timer.leave()
      else clock.clearTimeout(timer)
    },
  }
}
