/** Masking at every alignment and length, against RFC 6455 §5.3 as it is written: octet i with octet i modulo 4. */
import { expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { join } from 'node:path'
import { randomMaskingKey, rotateKey, skipOf, unmask, wordsOf } from '../../src/codec/mask.ts'

const KEY = [0x37, 0xfa, 0x21, 0xbd] as const
const PACKED = KEY[0] | (KEY[1] << 8) | (KEY[2] << 16) | (KEY[3] << 24)

/** Bytes at `offset` of a buffer that ends where they end. */
function placed(offset: number, length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(offset + length), offset, length)
}

test('P18 §5.3 at every offset, start and length, nothing before and behind is touched', () => {
  const wrong: string[] = []
  for (let offset = 0; offset < 8; offset++) {
    for (const start of [0, 1, 2, 3, 6]) {
      for (const size of [
        0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33, 40, 47, 63, 64, 65, 130,
      ]) {
        for (const behind of [0, 1, 2, 3, 5]) {
          const bytes = placed(offset, start + size + behind)
          for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 37 + 11) & 0xff
          const wanted = bytes.map((byte, i) =>
            i < start || i >= start + size ? byte : byte ^ (KEY[(i - start) % 4] as number),
          )
          const byBytes = Uint8Array.from(bytes)
          unmask(bytes, wordsOf(bytes), skipOf(bytes), start, start + size, PACKED)
          unmask(byBytes, new Int32Array(0), 0, start, start + size, PACKED)
          if (Buffer.compare(bytes, wanted) !== 0 || Buffer.compare(byBytes, wanted) !== 0)
            wrong.push(`offset ${offset}, ${start} to ${start + size}, ${behind} behind`)
        }
      }
    }
  }
  expect(wrong).toEqual([])
})

test('P16 whether all of it is ASCII is known from the result, wherever the one byte stands that is not', () => {
  const wrong: string[] = []
  for (const start of [0, 1, 2, 3]) {
    for (const size of [1, 3, 23, 24, 25, 40, 41, 42, 43, 44, 64, 100]) {
      for (let at = -1; at < size; at++) {
        const bytes = new Uint8Array(start + size).fill(0x7f)
        if (at >= 0) bytes[start + at] = 0x80
        const masked = bytes.map((byte, i) => (i < start ? 0xff : byte ^ (KEY[(i - start) % 4] as number)))
        const seen = unmask(masked, wordsOf(masked), skipOf(masked), start, start + size, PACKED)
        if (((seen & 0x80808080) === 0) !== at < 0) wrong.push(`${size} bytes from ${start} on, ${at}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('P18 a key goes on where the last piece ended', () => {
  for (let length = 0; length <= 60; length++) {
    for (const at of [0, 1, 2, 3, 4, 5, 13, 29]) {
      const whole = new Uint8Array(length + at)
      unmask(whole, wordsOf(whole), skipOf(whole), 0, whole.length, PACKED)
      const pieces = new Uint8Array(length + at)
      const words = wordsOf(pieces)
      unmask(pieces, words, skipOf(pieces), 0, at, PACKED)
      unmask(pieces, words, skipOf(pieces), at, pieces.length, rotateKey(PACKED, at))
      expect(Buffer.compare(pieces, whole)).toBe(0)
    }
  }
})

test('P18 the words of a chunk lie on the boundaries of its buffer and stay within it', () => {
  for (let offset = 0; offset < 8; offset++) {
    for (let length = 0; length < 12; length++) {
      const bytes = placed(offset, length)
      const words = wordsOf(bytes)
      expect(words.byteOffset % 4).toBe(0)
      // As many as fit between the first boundary and the end.
      const first = Math.ceil(offset / 4) * 4
      expect(words.length).toBe(Math.max(0, Math.floor((offset + length - first) / 4)))
    }
  }
})

test('P18 keys come from all of 32 bits, and go on when a pool is used up', () => {
  let ones = 0
  let zeros = 0
  const keys = new Set<number>()
  for (let i = 0; i < 10_000; i++) {
    const key = randomMaskingKey()
    keys.add(key)
    ones |= key
    zeros |= ~key
  }
  expect([ones, zeros]).toEqual([-1, -1])
  expect(keys.size).toBeGreaterThan(9_990)
})

test('P18 the first key of a process is random too', async () => {
  const file = join(import.meta.dir, '../../src/codec/mask.ts?unused')
  const fresh = (await import(file)) as typeof import('../../src/codec/mask.ts')
  expect(fresh.randomMaskingKey).not.toBe(randomMaskingKey)
  const key = fresh.randomMaskingKey()
  expect([Number.isInteger(key), key === 0]).toEqual([true, false])
})
