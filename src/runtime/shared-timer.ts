/**
 * Timers of one length on one timer of the runtime.
 *
 * Nearly all that a connection sets is cleared long before its time, or set again with the same length: a ping interval,
 * a deadline. A timer of the runtime costs some of the most expensive calls of an upgrade, and its memory stays.
 */

/** Sets a timer of the runtime that does not keep the process alive. */
export type SetTimer = (callback: () => void, delay: number) => unknown

/** One that was set. */
export class SharedTimer {
  readonly owner: SharedTimers
  readonly callback: () => void
  readonly due: number

  constructor(owner: SharedTimers, callback: () => void, due: number) {
    this.owner = owner
    this.callback = callback
    this.due = due
  }
}

/** All of one length. */
export class SharedTimers {
  readonly #delay: number
  readonly #setTimer: SetTimer
  /** In the order in which they are due, since all have the same length. */
  readonly #timers: Set<SharedTimer> = new Set()
  #isRunning = false

  /** @param delay milliseconds */
  constructor(delay: number, setTimer: SetTimer) {
    this.#delay = delay
    this.#setTimer = setTimer
  }

  set(callback: () => void): SharedTimer {
    const timer = new SharedTimer(this, callback, performance.now() + this.#delay)
    this.#timers.add(timer)
    if (!this.#isRunning) this.#run(this.#delay)
    return timer
  }

  clear(timer: SharedTimer): void {
    this.#timers.delete(timer)
  }

  #run(delay: number): void {
    this.#isRunning = true
    this.#setTimer(this.#onTime, delay)
  }

  readonly #onTime = (): void => {
    this.#isRunning = false
    const now = performance.now()
    try {
      for (const timer of this.#timers) {
        if (timer.due > now) return
        this.#timers.delete(timer)
        timer.callback()
      }
    } finally {
      // Also when a callback threw: the others still get their turn, and the error goes its way.
      const [next] = this.#timers
      if (next !== undefined && !this.#isRunning) this.#run(Math.max(1, Math.ceil(next.due - now)))
    }
  }
}
