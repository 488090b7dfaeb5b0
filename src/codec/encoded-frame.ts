/**
 * Frames that many connections send: a published message, encoded once (RFC 6455 §5.2).
 *
 * They lie one after the other in memory that is never written twice, so that all may send from it, and so that those of
 * one batch are one range.
 */
import { Buffer } from 'node:buffer'
import { headerSize, writeHeader } from './frame-header.ts'
import { type StringBuffer, stringBuffer } from './utf8.ts'

/** Bytes of memory that frames share, and from how many on a frame gets its own. */
const SHARED_SIZE = 1 << 18
const LARGE_FRAME = 1 << 16

const FIN = 0x80

/**
 * A whole frame, `[start, end)` of memory that is not written into again. Numbers and not a view: to ask a view where it
 * lies took a tenth of what one more connection costs on V8 (`bun run bench broadcast --only 'node ours'`).
 */
export interface EncodedFrame {
  readonly memory: StringBuffer
  readonly start: number
  readonly end: number
}

let shared: StringBuffer = stringBuffer(new Uint8Array(0))
let sharedEnd = SHARED_SIZE

/** A whole message in one unmasked frame, for writing it to many connections. */
export function encodeFrame(opcode: number, payload: Uint8Array, rsv: number): EncodedFrame {
  const size = headerSize(payload.length)
  const frame = reserve(size + payload.length)
  writeHeader(frame.memory, frame.start, FIN | rsv | opcode, payload.length, 0)
  frame.memory.set(payload, frame.start + size)
  return frame
}

/** Memory that nobody else writes into. */
function reserve(length: number): EncodedFrame {
  if (length >= LARGE_FRAME) return { memory: stringBuffer(Buffer.allocUnsafeSlow(length)), start: 0, end: length }
  if (sharedEnd + length > SHARED_SIZE) {
    shared = stringBuffer(Buffer.allocUnsafeSlow(SHARED_SIZE))
    sharedEnd = 0
  }
  const start = sharedEnd
  sharedEnd += length
  return { memory: shared, start, end: sharedEnd }
}
