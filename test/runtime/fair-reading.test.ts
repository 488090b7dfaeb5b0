import { describe, expect, test } from 'bun:test'
import { FairReading, type Reader } from '../../src/runtime/fair-reading.ts'
import { FakeClock } from '../connection/fake-clock.ts'

class FakeReader implements Reader {
  rests = false
  /** How often it has rested. */
  count = 0

  rest(): void {
    this.rests = true
    this.count++
  }

  goOn(): void {
    this.rests = false
  }
}

/** A clock, and readers whose buffers are all full in every round. */
function make(count: number): { clock: FakeClock; readers: FakeReader[]; read(): void; round(length: number): void } {
  const clock = new FakeClock()
  const fair = new FairReading(clock)
  const readers = Array.from({ length: count }, () => new FakeReader())
  const read = (): void => {
    for (const reader of readers) if (!reader.rests) fair.onFullRead(reader)
  }
  const round = (length: number): void => {
    read()
    clock.advance(length)
  }
  return { clock, readers, read, round }
}

describe('sockets that always have more to read', () => {
  test('R16 all of them rest now and then when their rounds are long', () => {
    const { clock, readers, round } = make(3)
    let since = 0
    let longest = 0
    for (let i = 0; i < 1000; i++) {
      const before = readers.map(({ count }) => count)
      round(5)
      if (readers.some(({ count }, at) => count === before[at])) continue
      longest = Math.max(longest, clock.now() - since)
      since = clock.now()
    }
    expect(longest).toBeGreaterThan(0)
    expect(longest).toBeLessThanOrEqual(100)
    expect(clock.now() - since).toBeLessThanOrEqual(100)
  })

  test('R16 nobody rests while rounds are short: what others wait for is soon', () => {
    const { readers, round } = make(3)
    for (let i = 0; i < 1000; i++) round(0.5)
    expect(readers.map(({ count }) => count)).toEqual([0, 0, 0])
  })

  test('R16 a rest ends when a whole look has found that nobody has read', () => {
    const { clock, readers, read, round } = make(2)
    for (let i = 0; i < 8; i++) round(5)
    clock.advance(50)
    read()
    expect(readers.map(({ rests }) => rests)).toEqual([true, true])
    expect(clock.pending).toHaveLength(1)
    clock.advance(0)
    expect(readers.map(({ rests }) => rests)).toEqual([false, false])
    expect(clock.pending).toEqual([])
  })

  test('R16 a long message comes in many reads and a pause behind them: no rest', () => {
    const { readers, round } = make(1)
    for (let message = 0; message < 100; message++) {
      for (let i = 0; i < 16; i++) round(0.1)
      round(4)
    }
    expect(readers[0]?.count).toBe(0)
  })

  test('R16 when the socket by which rounds are measured has gone, another takes its place', () => {
    const { readers, round } = make(2)
    for (let i = 0; i < 4; i++) round(5)
    readers.shift()
    for (let i = 0; i < 400; i++) round(5)
    expect(readers[0]?.count).toBeGreaterThan(0)
  })
})
