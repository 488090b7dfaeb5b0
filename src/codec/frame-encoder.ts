/**
 * Frame encoder: payloads in, bytes for the wire out (RFC 6455 §5.2, §5.3).
 *
 * Frames are written one after the other into a slab of memory that all connections share, so that a batch of them is
 * one range of bytes and costs one write. Large payloads of a server are passed on where they lie.
 */
import { Buffer } from 'node:buffer'
import { giveBlock, takeBlock } from './block-pool.ts'
import type { EncodedFrame } from './encoded-frame.ts'
import type { Role } from './event.ts'
import { headerSize, MAX_HEADER, writeHeader, writeKey } from './frame-header.ts'
import { randomMaskingKey, skipOf, unmask, wordsOf } from './mask.ts'
import { type StringBuffer, stringBuffer } from './utf8.ts'

/** Bytes of one slab. Batches are a few KiB, so most slabs serve many of them. */
const SLAB_SIZE = 1 << 18

/** Payloads from this length on, in bytes, get memory of their own instead of a place in the slab. */
export const LARGE_PAYLOAD: number = 1 << 16

/**
 * Bytes in several pieces that are worth a copy into one. Deno reads many sockets before the first handler runs, so that
 * the frames of one connection lie between those of others, and a write of many pieces costs more than this copy:
 * a tenth of the whole echo (`bun run bench echo --only 'deno ours' --shapes 50x16x64`).
 */
const MAX_GATHERED = 1 << 14

const FIN = 0x80
const MASK = 0x80

/** The slab in use by every encoder, and how far it is written. */
let slab: StringBuffer = stringBuffer(Buffer.allocUnsafeSlow(SLAB_SIZE))
let slabWords: Int32Array = wordsOf(slab)
let slabEnd = 0
/** `skipOf(slab)`: it has memory of its own, from its beginning. */
const SLAB_SKIP = 0

const encoder: TextEncoder = new TextEncoder()

const NO_SLAB: StringBuffer = stringBuffer(new Uint8Array(0))

/** The range that was taken last, and where it lies: asked for that, a view takes V8 longer than the rest. */
let lent: Uint8Array = NO_SLAB
let lentStart = 0
let lentEnd = 0

/** Makes room for `size` bytes in one piece. */
function reserve(size: number): void {
  if (slabEnd + size <= SLAB_SIZE) return
  slab = stringBuffer(Buffer.allocUnsafeSlow(SLAB_SIZE))
  slabWords = wordsOf(slab)
  slabEnd = 0
  lent = NO_SLAB
}

/**
 * Writes text as UTF-8 (a lone surrogate becomes U+FFFD) at `at`. Returns its length in bytes.
 *
 * Short ASCII is the common case and is written by a loop: the call into the runtime costs more than 24 characters do.
 */
function writeText(target: StringBuffer, at: number, text: string): number {
  const length = text.length
  if (length > SHORT_TEXT) return writeUtf8(target, at, text)
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return writeUtf8(target, at, text)
    target[at + i] = unit
  }
  return length
}

const SHORT_TEXT = 24

/** Deno's own is not native, and what takes its place there takes longer on Node and Bun. */
const UTF8_WRITE_IS_SLOW: boolean = 'Deno' in globalThis

/**
 * As `writeText`, of any length. What Deno gets gave 8 % of an echo there
 * (`bun run bench echo --only 'deno ours' --shapes 50x16x64`).
 */
function writeUtf8(target: StringBuffer, at: number, text: string): number {
  return UTF8_WRITE_IS_SLOW ? encoder.encodeInto(text, target.subarray(at)).written : target.utf8Write(text, at)
}

/**
 * Takes back the memory of what `take` or `takeRange` returned, once it has left for good.
 *
 * It keeps a busy server within one slab that stays in the cache, where it would otherwise take a new one every few
 * thousand messages: a range is written again when nobody has written behind it.
 */
export function giveBack(piece: Uint8Array): void {
  if (piece === lent) {
    if (lentEnd === slabEnd) slabEnd = lentStart
  } else if (piece.buffer !== slab.buffer) giveBlock(piece)
  else if (piece.byteOffset + piece.length === slabEnd) slabEnd = piece.byteOffset
}

/** The frames of one connection that wait to be written. */
export class FrameEncoder {
  readonly #mask: number
  /** Finished pieces, in order, if there are any, and the range of the slab that is still growing after them. */
  #pieces: Uint8Array[] | undefined
  #slab: StringBuffer = NO_SLAB
  #start = 0
  #end = 0
  #pending = 0

  constructor(role: Role) {
    this.#mask = role === 'client' ? MASK : 0
  }

  /** Bytes encoded and not yet taken. */
  get pending(): number {
    return this.#pending
  }

  /** Encodes one frame of text. */
  text(opcode: number, text: string, fin: boolean): void {
    // A UTF-16 code unit is at most three bytes of UTF-8.
    if (text.length * 3 > LARGE_PAYLOAD) {
      this.#largeText((fin ? FIN : 0) | opcode, text)
      return
    }
    reserve(MAX_HEADER + text.length * 3)
    const start = slabEnd
    const keySize = this.#mask === 0 ? 0 : 4
    const guess = headerSize(text.length) + keySize
    const length = writeText(slab, start + guess, text)
    const size = headerSize(length) + keySize
    if (size !== guess) slab.copyWithin(start + size, start + guess, start + guess + length)
    this.#finish(start, (fin ? FIN : 0) | opcode, length, size)
  }

  /** Encodes one frame of bytes. On a server, payloads of `LARGE_PAYLOAD` and more are not copied. */
  bytes(opcode: number, payload: Uint8Array, fin: boolean, rsv: number): void {
    const length = payload.length
    const firstByte = (fin ? FIN : 0) | rsv | opcode
    if (length >= LARGE_PAYLOAD) {
      this.#largeBytes(firstByte, payload)
      return
    }
    reserve(MAX_HEADER + length)
    const start = slabEnd
    const size = headerSize(length) + (this.#mask === 0 ? 0 : 4)
    slab.set(payload, start + size)
    this.#finish(start, firstByte, length, size)
  }

  /** Adds a frame that `encodeFrame` made, where it lies: frames that were published in a row are one range. */
  encoded({ memory, start, end }: EncodedFrame): void {
    this.#extend(memory, start, end)
  }

  /** Takes everything that is pending, in order. */
  take(): Uint8Array[] {
    this.#closeRange()
    const pieces = this.#pieces ?? []
    this.#pieces = undefined
    this.#pending = 0
    this.#release()
    return pieces
  }

  /** Takes everything that is pending as one range of the slab; `undefined` when that would be a copy of much. */
  takeRange(): Uint8Array | undefined {
    if (this.#pieces !== undefined) {
      if (this.#pending > MAX_GATHERED) return undefined
      this.#gather()
    }
    const range = this.#slab.subarray(this.#start, this.#end)
    if (this.#slab === slab) {
      lent = range
      lentStart = this.#start
      lentEnd = this.#end
    }
    this.#release()
    this.#pending = 0
    return range
  }

  /** Copies what is pending into one range. */
  #gather(): void {
    const size = this.#pending
    const pieces = this.take()
    reserve(size)
    const start = slabEnd
    for (const piece of pieces) {
      slab.set(piece, slabEnd)
      slabEnd += piece.length
    }
    this.#extend(slab, start, slabEnd)
  }

  /** Header and mask for a payload that stands at `start + size` of the slab. */
  #finish(start: number, firstByte: number, length: number, size: number): void {
    writeHeader(slab, start, firstByte, length, this.#mask)
    const end = start + size + length
    if (this.#mask !== 0) {
      const key = randomMaskingKey()
      writeKey(slab, start + size - 4, key)
      unmask(slab, slabWords, SLAB_SKIP, start + size, end, key)
    }
    slabEnd = end
    this.#extend(slab, start, end)
  }

  /**
   * A frame of text in memory of its own.
   *
   * Counting the bytes of a text before it is written takes longer than writing it, so it is taken for ASCII until that
   * turns out wrong.
   */
  #largeText(firstByte: number, text: string): void {
    let frame = this.#largeFrame(firstByte, text.length)
    let size = frame.length - text.length
    // What is not ASCII has more bytes than code units, and is cut off.
    if (encoder.encodeInto(text, frame.subarray(size)).read !== text.length) {
      giveBlock(frame)
      const length = Buffer.byteLength(text)
      frame = this.#largeFrame(firstByte, length)
      size = frame.length - length
      writeUtf8(frame, size, text)
    }
    this.#finishLarge(frame, size)
  }

  /** A frame of bytes, of which a server sends the payload from where it lies. */
  #largeBytes(firstByte: number, payload: Uint8Array): void {
    if (this.#mask !== 0) {
      const frame = this.#largeFrame(firstByte, payload.length)
      const size = frame.length - payload.length
      frame.set(payload, size)
      this.#finishLarge(frame, size)
      return
    }
    reserve(MAX_HEADER)
    const start = slabEnd
    writeHeader(slab, start, firstByte, payload.length, 0)
    slabEnd += headerSize(payload.length)
    this.#extend(slab, start, slabEnd)
    this.#piece(payload)
  }

  /** Memory for a frame that has no place in the slab, with the header written but for the key. */
  #largeFrame(firstByte: number, length: number): StringBuffer {
    const size = headerSize(length) + (this.#mask === 0 ? 0 : 4)
    const frame = stringBuffer(takeBlock(size + length).subarray(0, size + length))
    writeHeader(frame, 0, firstByte, length, this.#mask)
    return frame
  }

  /** Masks the payload, which stands from `size` on. */
  #finishLarge(frame: StringBuffer, size: number): void {
    if (this.#mask !== 0) {
      const key = randomMaskingKey()
      writeKey(frame, size - 4, key)
      unmask(frame, wordsOf(frame), skipOf(frame), size, frame.length, key)
    }
    this.#piece(frame)
  }

  /** Appends `[start, end)` of a slab to what is pending. */
  #extend(source: StringBuffer, start: number, end: number): void {
    if (this.#slab !== source || this.#end !== start) {
      this.#closeRange()
      this.#slab = source
      this.#start = start
    }
    this.#end = end
    this.#pending += end - start
  }

  #piece(bytes: Uint8Array): void {
    this.#closeRange()
    this.#add(bytes)
    this.#pending += bytes.length
  }

  #add(piece: Uint8Array): void {
    this.#pieces ??= []
    this.#pieces.push(piece)
  }

  #closeRange(): void {
    if (this.#end > this.#start) this.#add(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }

  /** An idle connection must not keep a slab alive that the others have left. */
  #release(): void {
    this.#slab = NO_SLAB
    this.#start = 0
    this.#end = 0
  }
}
