/** The clock of every server that runs on Node's builtins: Node, Bun and Deno. */
import type { Clock, TimerHandle } from '../connection/clock.ts'
import { sharingTimers } from './shared-timer.ts'

/** Callbacks for the end of this turn, all connections together: one hop serves them all. */
let pending: (() => void)[] = []

const RESOLVED: Promise<void> = Promise.resolve()

function runPending(): void {
  const callbacks = pending
  pending = []
  let done = 0
  try {
    while (done < callbacks.length) callbacks[done++]?.()
  } finally {
    // When a callback threw, the others still get their turn, and the error goes its way.
    while (done < callbacks.length) afterTurn(callbacks[done++] as () => void)
  }
}

function afterMicrotasks(): void {
  process.nextTick(runPending)
}

function afterTurn(callback: () => void): void {
  // Node and Bun run ticks before microtasks, Deno after them. A tick asked for from a microtask comes after all
  // microtasks everywhere, and before the next I/O event.
  if (pending.push(callback) === 1) void RESOLVED.then(afterMicrotasks)
}

export const nodeClock: Clock = sharingTimers({
  now: (): number => performance.now(),
  setTimeout: (callback: () => void, delay: number): TimerHandle => setTimeout(callback, delay).unref(),
  clearTimeout: (timer: TimerHandle): void => clearTimeout(timer as NodeJS.Timeout),
  afterTurn,
})
