import { describe, expect, test } from 'bun:test'
import { SharedTimers } from '../../src/runtime/shared-timer.ts'

/** Timers, and the lengths of those of the runtime that were set for them. */
function make(): { readonly timers: SharedTimers; readonly lengths: number[]; readonly running: Set<unknown> } {
  const lengths: number[] = []
  const running = new Set<unknown>()
  const timers = new SharedTimers({
    setTimeout<T>(callback: (subject: T) => void, delay: number, subject?: T) {
      lengths.push(delay)
      const timer = setTimeout(() => {
        running.delete(timer)
        callback(subject as T)
      }, delay)
      running.add(timer)
      return timer
    },
    clearTimeout(timer) {
      running.delete(timer)
      clearTimeout(timer as number)
    },
  })
  return { timers, lengths, running }
}

/** Calls back when a timer of the runtime that is set now and is longer than those above has come. */
function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 60))
}

describe('timers of one length', () => {
  test('S18 each calls once, in order, after its time', async () => {
    const { timers, lengths } = make()
    const start = performance.now()
    const log: string[] = []
    timers.set(() => log.push('first'), 20)
    timers.set((name: string) => log.push(name), 20, 'second')
    await new Promise((resolve) => setTimeout(resolve, 10))
    const third = new Promise<number>((resolve) => {
      timers.set(() => {
        log.push('third')
        resolve(performance.now() - start)
      }, 20)
    })
    expect(await third).toBeGreaterThanOrEqual(29)
    expect(log).toEqual(['first', 'second', 'third'])
    expect(lengths.length).toBeGreaterThan(1)
    expect(lengths[0]).toBe(20)
    await later()
    expect(log).toHaveLength(3)
  })

  test('S18 one that was cleared never calls, and a thousand of them set one timer of the runtime', async () => {
    const { timers, lengths } = make()
    let calls = 0
    for (let i = 0; i < 1000; i++) timers.set(() => calls++, 20)?.leave()
    const kept = new Promise<void>((resolve) => timers.set(resolve, 20))
    timers.set(() => calls++, 20)?.leave()
    await kept
    await later()
    expect(calls).toBe(0)
    expect(lengths.length).toBeLessThan(4)
  })

  test('S18 one that sets another, and one that clears another which is due as well', async () => {
    const { timers } = make()
    const log: string[] = []
    const second = new Promise<void>((resolve) => {
      timers.set(() => {
        log.push('first')
        victim?.leave()
        timers.set(() => {
          log.push('second')
          resolve()
        }, 20)
      }, 20)
    })
    const victim = timers.set(() => log.push('victim'), 20)
    await second
    expect(log).toEqual(['first', 'second'])
  })

  test('S18 those of another length come in their own time', async () => {
    const { timers } = make()
    const log: number[] = []
    const last = new Promise<void>((resolve) => {
      timers.set(() => {
        log.push(40)
        resolve()
      }, 40)
    })
    timers.set(() => log.push(10), 10)
    timers.set(() => log.push(20), 20)
    await last
    expect(log).toEqual([10, 20, 40])
  })

  test('S18 an error in one is nobody else’s: it goes to the runtime, and the others are called', async () => {
    let onTime = (): void => {}
    const timers = new SharedTimers({
      setTimeout<T>(callback: (subject: T) => void, _delay: number, subject?: T) {
        onTime = () => callback(subject as T)
      },
      clearTimeout() {},
    })
    const log: number[] = []
    timers.set(() => {
      throw new Error('mine')
    }, 0)
    timers.set(() => log.push(2), 0)
    await new Promise((resolve) => setTimeout(resolve, 2))
    expect(() => onTime()).toThrow('mine')
    expect(log).toEqual([])
    onTime()
    expect(log).toEqual([2])
  })

  test('S18 S23 lengths that were computed leave nothing behind: timers of the runtime are bounded', () => {
    const { timers, running } = make()
    for (let i = 0; i < 1000; i++) timers.set(() => {}, 1_000_000 + i)?.leave()
    expect(running.size).toBe(64)
    const kept = Array.from({ length: 100 }, (_, i) => timers.set(() => {}, 2_000_000 + i))
    expect(kept.filter((timer) => timer !== undefined)).toHaveLength(64)
    expect(running.size).toBe(64)
    // As if it had been set of the runtime itself, and cleared.
    for (const timer of kept) timer?.leave()
    expect(timers.set(() => {}, 3_000_000)).toBeDefined()
    expect(running.size).toBe(64)
    for (const timer of running) clearTimeout(timer as number)
  })
})
