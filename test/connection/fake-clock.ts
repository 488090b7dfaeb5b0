/** A clock driven by hand: nothing fires until a test says so, and what is still pending can be listed. */
import type { Clock } from '../../src/connection/clock.ts'

/** A timer that has not fired. */
export interface PendingTimer {
  /** When it fires, in milliseconds of this clock. */
  readonly due: number
  /** The delay it was asked for, in milliseconds. */
  readonly delay: number
}

interface Timer extends PendingTimer {
  readonly callback: () => void
}

export class FakeClock implements Clock {
  #now = 0
  /** In the order in which they fire. */
  #timers: Timer[] = []
  #turn: (() => void)[] = []

  now(): number {
    return this.#now
  }

  setTimeout<T>(callback: (subject: T) => void, delay: number, subject?: T): Timer {
    if (!(delay >= 0 && delay <= 2_147_483_647)) throw new RangeError(`No runtime has a timer of ${delay} ms`)
    const timer = { due: this.#now + delay, delay, callback: () => callback(subject as T) }
    const later = this.#timers.findIndex((other) => other.due > timer.due)
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    const index = this.#timers.indexOf(timer as Timer)
    if (index !== -1) this.#timers.splice(index, 1)
  }

  afterTurn(callback: () => void): void {
    this.#turn.push(callback)
  }

  /** Timers that have not fired: empty when nothing leaks. */
  get pending(): readonly PendingTimer[] {
    return this.#timers.map(({ due, delay }) => ({ due, delay }))
  }

  /** How many callbacks wait for the end of the turn. */
  get waiting(): number {
    return this.#turn.length
  }

  /** Moves time on by `ms` and fires what falls due, in order, timers set on the way included. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let next = this.#timers[0]; next !== undefined && next.due <= until; next = this.#timers[0]) {
      this.#timers.shift()
      this.#now = next.due
      next.callback()
    }
    this.#now = until
  }

  /** Ends the turn: calls what `afterTurn` was given so far; what that asks for waits for the next turn. */
  endTurn(): void {
    const callbacks = this.#turn
    this.#turn = []
    for (const callback of callbacks) callback()
  }

  /** Lets promises settle and turns end until nothing waits any more. Time stands still. */
  async settle(): Promise<void> {
    do {
      this.endTurn()
      await new Promise((resolve) => setTimeout(resolve, 0))
    } while (this.#turn.length > 0)
  }

  /** As `advance`, with promises settled and turns ended before and after each timer. */
  async run(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.settle()
    for (let next = this.#timers[0]; next !== undefined && next.due <= until; next = this.#timers[0]) {
      this.advance(next.due - this.#now)
      await this.settle()
    }
    this.#now = until
  }
}
