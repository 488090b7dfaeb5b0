import { expect, test } from 'bun:test'
import { FakeClock } from './fake-clock.ts'

test('S18 timers fire in the order in which they fall due, and not before', () => {
  const clock = new FakeClock()
  const fired: string[] = []
  clock.setTimeout(() => fired.push(`b at ${clock.now()}`), 20)
  clock.setTimeout(() => fired.push(`a at ${clock.now()}`), 10)
  clock.setTimeout(() => fired.push(`c at ${clock.now()}`), 20)
  clock.advance(19)
  expect(fired).toEqual(['a at 10'])
  clock.advance(1)
  expect(fired).toEqual(['a at 10', 'b at 20', 'c at 20'])
  expect(clock.pending).toEqual([])
})

test('S18 a timer set by a timer fires in the same advance when it falls due', () => {
  const clock = new FakeClock()
  const fired: number[] = []
  clock.setTimeout(() => clock.setTimeout(() => fired.push(clock.now()), 5), 5)
  clock.advance(100)
  expect(fired).toEqual([10])
  expect(clock.now()).toBe(100)
})

test('S18 a cleared timer is not pending and never fires', () => {
  const clock = new FakeClock()
  let fired = 0
  const timer = clock.setTimeout(() => fired++, 5)
  clock.setTimeout(() => fired++, 7)
  expect(clock.pending).toEqual([
    { due: 5, delay: 5 },
    { due: 7, delay: 7 },
  ])
  clock.clearTimeout(timer)
  clock.clearTimeout(timer)
  clock.clearTimeout(undefined)
  expect(clock.pending).toEqual([{ due: 7, delay: 7 }])
  clock.advance(10)
  expect(fired).toBe(1)
})

test('S18 a delay that no runtime can hold is refused, so that Infinity never reaches a timer', () => {
  for (const delay of [Infinity, Number.NaN, -1, 2 ** 31]) {
    expect(() => new FakeClock().setTimeout(() => {}, delay)).toThrow(RangeError)
  }
})

test('S18 afterTurn waits for the end of the turn; what it queues waits for the next', () => {
  const clock = new FakeClock()
  const order: string[] = []
  clock.afterTurn(() => {
    order.push('first')
    clock.afterTurn(() => order.push('next'))
  })
  expect(order).toEqual([])
  clock.endTurn()
  expect(order).toEqual(['first'])
  expect(clock.waiting).toBe(1)
  clock.endTurn()
  expect(order).toEqual(['first', 'next'])
})

test('S18 run settles promises between timers', async () => {
  const clock = new FakeClock()
  const order: string[] = []
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimeout(resolve, ms))
  const work = async (): Promise<void> => {
    await sleep(10)
    order.push(`woke at ${clock.now()}`)
    await sleep(10)
    order.push(`woke at ${clock.now()}`)
    clock.afterTurn(() => order.push('turn'))
  }
  void work()
  await clock.run(30)
  expect(order).toEqual(['woke at 10', 'woke at 20', 'turn'])
})
