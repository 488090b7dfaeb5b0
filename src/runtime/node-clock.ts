/** The clock of every server that runs on Node's builtins: Node, Bun and Deno. */
import type { Clock, TimerHandle } from '../connection/clock.ts'
import { sharingTimers } from './shared-timer.ts'

/** Callbacks for one moment, of all connections together: one hop serves them all. */
class Moment {
  #pending: (() => void)[] = []
  readonly #ask: () => void

  /** @param ask sees to it that `run` is called then */
  constructor(ask: () => void) {
    this.#ask = ask
  }

  add(callback: () => void): void {
    if (this.#pending.push(callback) === 1) this.#ask()
  }

  run(): void {
    const callbacks = this.#pending
    this.#pending = []
    let done = 0
    try {
      while (done < callbacks.length) callbacks[done++]?.()
    } finally {
      // When a callback threw, the others still get their turn, and the error goes its way.
      while (done < callbacks.length) this.add(callbacks[done++] as () => void)
    }
  }
}

const RESOLVED: Promise<void> = Promise.resolve()

// Node and Bun run ticks before the microtasks of a callback, Deno after them. A tick asked for from a microtask comes
// after all microtasks everywhere, and before the next I/O event. The hop by way of a microtask costs a lone message on
// Bun some percent of its time (`bun run bench echo --only 'bun ours' --shapes 50x1x64`).
const nextTick: Moment = new Moment(() => process.nextTick(runTick))
const turnEnd: Moment = new Moment(() => void RESOLVED.then(afterMicrotasks))

function runTick(): void {
  nextTick.run()
}

function runTurnEnd(): void {
  turnEnd.run()
}

function afterMicrotasks(): void {
  process.nextTick(runTurnEnd)
}

export const nodeClock: Clock = sharingTimers({
  now: (): number => performance.now(),
  setTimeout: <T>(callback: (subject: T) => void, delay: number, subject?: T): TimerHandle =>
    setTimeout(callback, delay, subject as T).unref(),
  clearTimeout: (timer: TimerHandle): void => clearTimeout(timer as NodeJS.Timeout),
  afterTurn(callback: () => void, early: boolean = false): void {
    if (early) nextTick.add(callback)
    else turnEnd.add(callback)
  },
})
