import { describe, expect, test } from 'bun:test'
import {
  type MemoryTransport,
  type MemoryTransportOptions,
  memoryTransportPair,
} from '../../src/connection/memory-transport.ts'
import { type TransportPair, transportContract } from '../contract/transport.contract.ts'
import { assertPattern, pattern, record, turns } from '../contract/transport-recorder.ts'
import { FakeClock } from './fake-clock.ts'

function contractPair(options: MemoryTransportOptions): TransportPair {
  const [subject, peer] = memoryTransportPair(options)
  return { subject, peer, reset: () => peer.reset(), dispose: () => {} }
}

transportContract('memory', () => contractPair({}))
transportContract('memory merged', () => contractPair({ merge: true, capacity: 1_000_000 }))
transportContract('memory in pieces of 7,000', () => contractPair({ split: 7000 }))
transportContract('memory with a capacity of 4 KiB, a step a turn', () =>
  contractPair({ capacity: 4096, schedule: (deliver) => void setImmediate(deliver) }),
)

describe('what a test controls', () => {
  const sizes = (chunks: Uint8Array[]): number[] => chunks.map((chunk) => chunk.length)

  async function received(options: MemoryTransportOptions, writes: number[]): Promise<Uint8Array[]> {
    const [one, other] = memoryTransportPair(options)
    const far = record(other)
    record(one)
    let written = 0
    for (const size of writes) {
      one.write(pattern(size, written))
      written += size
    }
    await turns()
    assertPattern(far.bytes(), written)
    return far.chunks
  }

  test('S18 chunks come as written by default', async () => {
    expect(sizes(await received({}, [5, 1, 7]))).toEqual([5, 1, 7])
  })

  test('S18 split cuts every n bytes, each byte alone at 1', async () => {
    expect(sizes(await received({ split: 4 }, [10]))).toEqual([4, 4, 2])
    expect(sizes(await received({ split: 1 }, [2, 3]))).toEqual([1, 1, 1, 1, 1])
  })

  test('S18 split counts over the whole stream, not over each write', async () => {
    expect(sizes(await received({ split: 4 }, [3, 3, 3]))).toEqual([3, 1, 2, 2, 1])
    expect(sizes(await received({ split: 4, merge: true }, [3, 3, 3]))).toEqual([4, 4, 1])
  })

  test('S18 a list cuts at the given places and then leaves the rest as written', async () => {
    expect(sizes(await received({ split: [1, 2] }, [10, 5]))).toEqual([1, 2, 7, 5])
  })

  test('S18 merge joins what waits', async () => {
    expect(sizes(await received({ merge: true }, [5, 1, 7]))).toEqual([13])
  })

  test('S18 a schedule on a fake clock is a network with latency', () => {
    const clock = new FakeClock()
    const [one, other] = memoryTransportPair({ schedule: (deliver) => void clock.setTimeout(deliver, 50) })
    const far = record(other)
    record(one)
    clock.advance(50)
    one.write(pattern(10))
    clock.advance(49)
    expect(far.heard).toEqual([])
    clock.advance(1)
    expect(far.heard).toEqual(['data'])
    one.end()
    clock.advance(1000)
    expect(far.heard).toEqual(['data', 'end'])
    expect(clock.pending).toEqual([])
  })

  test('R16 a held end is a reader that stalls: capacity fills, then the writer buffers', async () => {
    const [one, other] = memoryTransportPair({ capacity: 100, highWaterMark: 50 })
    const near = record(one)
    const far = record(other)
    other.hold()
    expect(one.write(pattern(100))).toBe(true)
    expect(one.bufferedAmount).toBe(0)
    expect(one.write(pattern(49, 100))).toBe(true)
    expect(one.bufferedAmount).toBe(49)
    expect(one.write(pattern(1, 149))).toBe(false)
    expect(one.bufferedAmount).toBe(50)
    await turns()
    expect(far.heard).toEqual([])
    other.release()
    await turns()
    assertPattern(far.bytes(), 150)
    expect(near.heard).toEqual(['drain'])
  })

  test('R29 a held end holds the FIN as well, and an RST gets through', async () => {
    const [one, other] = memoryTransportPair()
    const near = record(one)
    const far = record(other)
    other.hold()
    one.write(pattern(10))
    one.end()
    await turns()
    expect(far.heard).toEqual([])
    one.reset()
    await turns()
    expect(far.heard).toEqual(['close error'])
    expect(near.heard).toEqual(['close error'])
  })

  test('S21 bytes that the writer changes while they are counted arrive changed: the rule can be seen to be broken', async () => {
    const [one, other] = memoryTransportPair({ capacity: 10 })
    record(one)
    const far = record(other)
    other.pause()
    const slab = new Uint8Array(20).fill(1)
    one.write(slab)
    expect(one.bufferedAmount).toBe(10)
    slab.fill(2)
    other.resume()
    await turns()
    expect([...far.bytes()]).toEqual([...Array(10).fill(1), ...Array(10).fill(2)])
  })

  test('H14 wrong options are errors that name the option and its range', () => {
    const make = (options: object): MemoryTransport[] => memoryTransportPair(options as MemoryTransportOptions)
    expect(() => make({ capacity: 0 })).toThrow(/capacity must be a whole number of bytes from 1/)
    expect(() => make({ highWaterMark: Number.NaN })).toThrow(RangeError)
    expect(() => make({ split: 'x' })).toThrow(TypeError)
    expect(() => make({ split: [1, 0] })).toThrow(RangeError)
    expect(() => make({ capasity: 1 })).toThrow(
      new TypeError('Unknown option capasity; known are capacity, highWaterMark, split, merge, schedule'),
    )
  })

  test('S23 a second attach is a TypeError', () => {
    const [one] = memoryTransportPair()
    record(one)
    expect(() => record(one)).toThrow(TypeError)
  })
})
