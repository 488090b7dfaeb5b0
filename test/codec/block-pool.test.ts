import { describe, expect, test } from 'bun:test'
import { giveBlock, takeBlock } from '../../src/codec/block-pool.ts'

const MIB = 1 << 20

describe('the pool of blocks', () => {
  test('R16 a block that was given back serves the next one that fits into it, the last one first', () => {
    const [small, large] = [takeBlock(70_000), takeBlock(90_000)]
    expect(small.length).toBeGreaterThanOrEqual(70_000)
    expect(large.buffer).not.toBe(small.buffer)
    giveBlock(large)
    giveBlock(small.subarray(10, 20))
    expect(takeBlock(90_000).buffer).toBe(large.buffer)
    expect(takeBlock(small.length).buffer).toBe(small.buffer)
    giveBlock(small)
    giveBlock(large)
    expect(takeBlock(1).buffer).toBe(large.buffer)
    expect(takeBlock(small.length + 1).buffer).not.toBe(small.buffer)
  })

  test('R16 a block is lent to one at a time', () => {
    const block = takeBlock(50_000)
    giveBlock(block)
    expect(takeBlock(50_000).buffer).toBe(block.buffer)
    expect(takeBlock(50_000).buffer).not.toBe(block.buffer)
  })

  test('R12 memory that did not come from here is left alone', () => {
    const foreign = Buffer.allocUnsafeSlow(3 * MIB)
    giveBlock(foreign)
    expect(takeBlock(3 * MIB).buffer).not.toBe(foreign.buffer)
  })

  test('R16 at most 8 MiB and 16 blocks are kept, those used last', () => {
    const large = Array.from({ length: 9 }, () => takeBlock(MIB))
    for (const block of large) giveBlock(block)
    const again = large.map(() => takeBlock(MIB))
    const places = again.map(({ buffer }) => large.findIndex((block) => block.buffer === buffer))
    expect(places).toEqual([8, 7, 6, 5, 4, 3, 2, 1, -1])
    const small = Array.from({ length: 17 }, () => takeBlock(2_000))
    for (const block of small) giveBlock(block)
    const lent = small.map(() => takeBlock(2_000).buffer)
    expect(lent.filter((buffer) => buffer === small[0]?.buffer)).toEqual([])
    expect(lent.filter((buffer) => small.some((block) => block.buffer === buffer))).toHaveLength(16)
  })
})
