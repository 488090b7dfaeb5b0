/** The clock of hosts without Node's builtins: edges, browsers, and the native servers of Bun and Deno. */
import type { Clock, TimerHandle } from '../connection/clock.ts'

export const hostClock: Clock = {
  now: (): number => performance.now(),
  setTimeout<T>(callback: (subject: T) => void, delay: number, subject?: T): TimerHandle {
    const timer: unknown = setTimeout(callback, delay, subject as T)
    // Where a timer would keep the process alive, it can be told not to.
    if (typeof timer === 'object') (timer as { unref?(): void }).unref?.()
    return timer
  },
  clearTimeout(timer: TimerHandle): void {
    clearTimeout(timer as number)
  },
  afterTurn(callback: () => void): void {
    setTimeout(callback, 0)
  },
}
