/**
 * Strict, incremental UTF-8 (RFC 3629, required by RFC 6455 §8.1).
 *
 * Text may be cut anywhere, between frames and inside one. Invalid input is known at the first impossible byte of a
 * piece, before the message is complete. A byte order mark is content and is kept.
 */
import { Buffer, isAscii, isUtf8 } from 'node:buffer'

/** The encodings of a string that Buffer has as methods on every runtime; calling them directly skips argument checks. */
export interface StringBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
  utf8Write(text: string, offset: number, length?: number): number
}

/** Bytes as a `StringBuffer` over the same memory. */
export function stringBuffer(bytes: Uint8Array): StringBuffer {
  return (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)) as StringBuffer
}

/** Bytes that a sequence beginning with `lead` has (RFC 3629 §4), 0 when nothing may begin so. */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1
  if (lead < 0xc2) return 0
  if (lead < 0xe0) return 2
  if (lead < 0xf0) return 3
  return lead < 0xf5 ? 4 : 0
}

/** Whether `second` may follow `lead`: excludes overlong forms, surrogates and code points above U+10FFFF. */
function secondFits(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0 && second <= 0xbf
  if (lead === 0xed) return second >= 0x80 && second <= 0x9f
  if (lead === 0xf0) return second >= 0x90 && second <= 0xbf
  if (lead === 0xf4) return second >= 0x80 && second <= 0x8f
  return (second & 0xc0) === 0x80
}

/** Bytes at the end of `bytes[start, end)` that begin a sequence and do not finish it. */
function unfinishedTail(bytes: Uint8Array, start: number, end: number): number {
  for (let back = 1; back <= 3 && end - back >= start; back++) {
    const byte = bytes[end - back] as number
    if ((byte & 0xc0) === 0x80) continue
    return sequenceLength(byte) > back ? back : 0
  }
  return 0
}

/** Up to this many bytes a loop is faster than a view and two calls into the runtime (`bun run bench codec`). */
const SHORT_TEXT = 64

function isShortAscii(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > SHORT_TEXT) return false
  let seen = 0
  for (let at = start; at < end; at++) seen |= bytes[at] as number
  return seen < 0x80
}

/** Bytes of the longest sequence. */
const MAX_SEQUENCE = 4

/** Most texts are never cut inside a character: memory for that is taken when the first one is. */
const NO_CARRY: StringBuffer = stringBuffer(new Uint8Array(0))

/** Checks one text at a time, piece by piece, and decodes it if that is wanted. */
export class Utf8Decoder {
  /** The unfinished sequence carried over from the last piece. */
  #carry: StringBuffer = NO_CARRY
  #carried = 0
  /** The character that the last piece finished and an earlier one had begun. */
  #head = ''
  /** Where the rest of the last piece began, and whether all of it was ASCII. */
  #bodyStart = 0
  #bodyAscii = true

  /** Bytes at the end of what was read that begin a character and do not finish it. */
  get carried(): number {
    return this.#carried
  }

  /**
   * Decodes the next piece of a text.
   *
   * @param ascii whether the caller knows already that every byte is ASCII
   * @param last whether the text ends here
   * @returns the characters that are complete, or `undefined` when the bytes cannot be UTF-8
   */
  decode(bytes: StringBuffer, start: number, end: number, ascii: boolean, last: boolean): string | undefined {
    if (this.#carried === 0 && (ascii || isShortAscii(bytes, start, end))) return bytes.latin1Slice(start, end)
    if (!this.#read(bytes, start, end, last)) return undefined
    const bodyEnd = end - this.#carried
    if (this.#bodyStart >= bodyEnd) return this.#head
    const body = this.#bodyAscii
      ? bytes.latin1Slice(this.#bodyStart, bodyEnd)
      : bytes.utf8Slice(this.#bodyStart, bodyEnd)
    return this.#head + body
  }

  /**
   * Checks the next piece of a text that will be decoded as a whole. Parameters as for `decode`.
   *
   * @returns whether every byte of the piece is ASCII, or `undefined` when the bytes cannot be UTF-8
   */
  check(bytes: StringBuffer, start: number, end: number, ascii: boolean, last: boolean): boolean | undefined {
    if (this.#carried === 0 && ascii) return true
    if (!this.#read(bytes, start, end, last)) return undefined
    return this.#head === '' && this.#bodyAscii && this.#carried === 0
  }

  /** Reads a piece. Returns whether it may follow what came before. */
  #read(bytes: StringBuffer, start: number, end: number, last: boolean): boolean {
    let at = start
    this.#head = ''
    while (this.#carried > 0 && at < end) {
      if (!this.#append(bytes[at++] as number)) return false
      if (this.#carried === sequenceLength(this.#carry[0] as number)) {
        this.#head = this.#carry.utf8Slice(0, this.#carried)
        this.#carried = 0
      }
    }
    const bodyEnd = end - unfinishedTail(bytes, at, end)
    const body = bytes.subarray(at, bodyEnd)
    this.#bodyStart = at
    this.#bodyAscii = isAscii(body)
    if (!this.#bodyAscii && !isUtf8(body)) return false
    for (let next = bodyEnd; next < end; next++) if (!this.#append(bytes[next] as number)) return false
    return !last || this.#carried === 0
  }

  /** Adds a byte to the carried sequence. Returns whether it may stand there. */
  #append(byte: number): boolean {
    const lead = this.#carry[0] as number
    const fits =
      this.#carried === 0
        ? sequenceLength(byte) > 1
        : this.#carried === 1
          ? secondFits(lead, byte)
          : (byte & 0xc0) === 0x80
    if (this.#carry === NO_CARRY) this.#carry = stringBuffer(new Uint8Array(MAX_SEQUENCE))
    this.#carry[this.#carried++] = byte
    return fits
  }
}

/** Decodes a whole text. Returns `undefined` when it is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const buffer = stringBuffer(bytes)
  return isUtf8(bytes) ? buffer.utf8Slice(0, bytes.length) : undefined
}
