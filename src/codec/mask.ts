/** Masking (RFC 6455 §5.3): payload octet i is XORed with octet i modulo 4 of the masking key. */
import { randomFillSync } from 'node:crypto'

/**
 * From this length on, words are faster than bytes.
 *
 * Below it, finding the word boundary costs more than it saves (`bun run bench codec`, rows of 16 B and 64 B).
 */
const WORDS_FROM = 24

/** Bytes in front of the first word boundary of a chunk's buffer. */
export function skipOf(bytes: Uint8Array): number {
  return -bytes.byteOffset & 3
}

/** A view of a chunk as 32-bit words, aligned to its buffer; made once per chunk because making one is dear. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  const skip = skipOf(bytes)
  const words = (bytes.length - skip) >> 2
  // A view may not begin behind its buffer, not even an empty one.
  return words > 0 ? new Int32Array(bytes.buffer, bytes.byteOffset + skip, words) : new Int32Array(0)
}

/**
 * XORs `bytes[start, end)` in place with the key, whose bytes are packed so that the lowest 8 bits come first.
 *
 * @param words `wordsOf(bytes)`, or none: then byte by byte
 * @param skip `skipOf(bytes)`
 * @returns the bitwise OR of the result, folded so that `& 0x80808080` is zero exactly when all of it is ASCII
 */
export function unmask(
  bytes: Uint8Array,
  words: Int32Array,
  skip: number,
  start: number,
  end: number,
  key: number,
): number {
  let seen = 0
  let at = start
  let rotated = key
  if (end - start >= WORDS_FROM && words.length > 0) {
    while (((at - skip) & 3) !== 0) {
      const byte = (bytes[at] as number) ^ (rotated & 0xff)
      bytes[at++] = byte
      seen |= byte
      rotated = (rotated >>> 8) | (rotated << 24)
    }
    const lastWord = ((end - skip) >> 2) - 3
    let word = (at - skip) >> 2
    for (; word < lastWord; word += 4) {
      const a = (words[word] as number) ^ rotated
      const b = (words[word + 1] as number) ^ rotated
      const c = (words[word + 2] as number) ^ rotated
      const d = (words[word + 3] as number) ^ rotated
      words[word] = a
      words[word + 1] = b
      words[word + 2] = c
      words[word + 3] = d
      seen |= a | b | c | d
    }
    at = (word << 2) + skip
  }
  for (; at < end; at++) {
    const byte = (bytes[at] as number) ^ (rotated & 0xff)
    bytes[at] = byte
    seen |= byte
    rotated = (rotated >>> 8) | (rotated << 24)
  }
  return seen
}

/** Rotates a packed key so that it starts at octet `phase` of the payload. */
export function rotateKey(key: number, phase: number): number {
  const bits = (phase & 3) << 3
  // To shift by 32 is to shift by 0, so a phase of 0 gives the key itself.
  return (key >>> bits) | (key << (32 - bits))
}

const randomPool = new Int32Array(2048)
let randomLeft = 0

/** A fresh masking key from a cryptographic generator (§5.3, §10.3), drawn from a pool so that a frame costs no call. */
export function randomMaskingKey(): number {
  if (randomLeft === 0) {
    randomFillSync(randomPool)
    randomLeft = randomPool.length
  }
  return randomPool[--randomLeft] as number
}
