/**
 * The notation of the vectors: bytes as hex, `xx*n` for a repeated run, `"..."` for text.
 *
 * A frame is written as a server sends it, unmasked. `mask` turns it into what a client would send; it reads no more
 * of the header than where the masking key belongs, so it masks broken frames too.
 */
import { Buffer } from 'node:buffer'
import type { EncodedFrame } from '../../src/codec/encoded-frame.ts'

/** Bytes of `81 05 "Hello"` or `82 7e 0100 aa*256`. */
export function bytesOf(notation: string): Uint8Array {
  const parts: Buffer[] = []
  for (const [token] of notation.matchAll(/"[^"]*"|[^\s"]+/g)) {
    if (token.startsWith('"')) {
      parts.push(Buffer.from(token.slice(1, -1), 'utf8'))
      continue
    }
    const match = /^((?:[0-9a-f]{2})+)(?:\*(\d+))?$/.exec(token)
    if (match === null) throw new Error(`Not in the notation: ${token}`)
    const run = Buffer.from(match[1] ?? '', 'hex')
    parts.push(Buffer.alloc(run.length * Number(match[2] ?? 1), run))
  }
  return Uint8Array.from(Buffer.concat(parts))
}

/** Hex of bytes, for comparison and for messages; a long one is cut in the middle. */
export function hexOf(bytes: Uint8Array, limit: number = Number.POSITIVE_INFINITY): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
  if (hex.length <= limit) return hex
  return `${hex.slice(0, limit / 2)}..${hex.slice(-limit / 2)} (${bytes.byteLength} bytes)`
}

/** Hex of bytes; for more than 1 KiB, their length and a hash, so that thousands of large runs are compared quickly. */
export function fingerprint(bytes: Uint8Array): string {
  return bytes.length <= 1_024 ? hexOf(bytes) : `${bytes.length} bytes ${Bun.hash(bytes).toString(16)}`
}

/** The bytes of a frame that many connections send. */
export function bytesIn({ memory, start, end }: EncodedFrame): Uint8Array {
  return memory.subarray(start, end)
}

/** One byte string out of several. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

/** Bytes of the header up to the masking key, by the length code alone. */
export function headerLength(frame: Uint8Array): number {
  const code = (frame[1] ?? 0) & 0x7f
  return code === 127 ? 10 : code === 126 ? 4 : 2
}

/** The frame as a client sends it. A frame cut off inside its header gets the mask bit but no key. */
export function mask(frame: Uint8Array, key: readonly number[] = [0x37, 0xfa, 0x21, 0x3d]): Uint8Array {
  if (frame.length < 2) return frame
  const length = headerLength(frame)
  const header = frame.slice(0, length)
  header[1] = (header[1] ?? 0) | 0x80
  if (frame.length < length) return header
  const payload = frame.slice(length).map((byte, i) => byte ^ (key[i % 4] ?? 0))
  return join([header, Uint8Array.from(key), payload])
}

/** One whole frame off the front of `wire`, as it would stand unmasked. */
export interface RawFrame {
  readonly masked: boolean
  /** The masking key, or no bytes. */
  readonly key: Uint8Array
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly payload: Uint8Array
  /** The whole frame, unmasked. */
  readonly unmasked: Uint8Array
  /** Bytes that it took on the wire. */
  readonly size: number
}

/** Reads frames the slow and obvious way, to judge what the codec writes. Throws when the bytes end inside a frame. */
export function rawFrames(wire: Uint8Array): RawFrame[] {
  const frames: RawFrame[] = []
  const view = new DataView(wire.buffer, wire.byteOffset, wire.byteLength)
  let at = 0
  while (at < wire.length) {
    const first = view.getUint8(at)
    const second = view.getUint8(at + 1)
    const code = second & 0x7f
    const masked = (second & 0x80) !== 0
    const header = headerLength(wire.subarray(at))
    const length = code === 127 ? Number(view.getBigUint64(at + 2)) : code === 126 ? view.getUint16(at + 2) : code
    const key = wire.slice(at + header, at + header + (masked ? 4 : 0))
    const start = at + header + key.length
    if (start + length > wire.length) throw new Error(`The wire ends inside a frame: ${hexOf(wire, 64)}`)
    const payload = wire.slice(start, start + length).map((byte, i) => byte ^ (key[i % 4] ?? 0))
    const head = wire.slice(at, at + header)
    head[1] = second & 0x7f
    frames.push({
      masked,
      key,
      opcode: first & 0xf,
      fin: (first & 0x80) !== 0,
      rsv: first & 0x70,
      payload,
      unmasked: join([head, payload]),
      size: start + length - at,
    })
    at = start + length
  }
  return frames
}
