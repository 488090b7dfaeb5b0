/**
 * Frame decoder: chunks in, headers and payload pieces out (RFC 6455 §5.2).
 *
 * Knows nothing of messages or states. It owns the chunks it is given and unmasks in place; a payload is never joined
 * here, and each byte is looked at once. What it holds is the chunks not yet read and at most one header.
 */

import { MAX_CONTROL_PAYLOAD } from './close-code.ts'
import { type Violation, violation } from './errors.ts'
import type { Role } from './event.ts'
import type { Extension, FrameHeader } from './extension.ts'
import { rotateKey, skipOf, unmask, wordsOf } from './mask.ts'
import { isControl, Opcode } from './opcode.ts'
import { type StringBuffer, stringBuffer } from './utf8.ts'

const RSV_BITS = 0x70

/** Upper 32 bits of 2^53 - 1, the largest length that a number holds exactly. */
const MAX_HIGH_WORD = 0x1fffff

/** Read chunks at the front of the queue from which on it is worth copying the rest away from them. */
const MANY_CHUNKS = 64

/**
 * Bytes of a chunk up to which a view of its words costs more than it saves. On Bun, where making one is dear, a lone
 * message took half as long again with it (`bun run bench turn`).
 */
const SMALL_CHUNK = 128

const EMPTY: StringBuffer = stringBuffer(new Uint8Array(0))
const NO_WORDS: Int32Array = new Int32Array(0)

export class FrameDecoder implements FrameHeader {
  /** Header of the current frame; true once `readHeader` returned true. */
  opcode: number = Opcode.CONTINUATION
  fin = true
  rsv = 0
  length = 0
  /** Payload bytes of the current frame that have not been read. */
  remaining = 0
  /** Reserved bits of the current frame that an extension owns. */
  ownedRsv = 0

  /** The piece that `readPiece` found, as a range of `chunk`. */
  chunk: StringBuffer = EMPTY
  pieceStart = 0
  pieceEnd = 0
  /** Whether every byte of the piece is ASCII; `false` also when that is not known. */
  pieceAscii = false

  /** Whether the frames of the peer are masked: those that are not as its role wants (§5.1) are never read. */
  readonly #masked: boolean
  readonly #extensions: readonly Extension[]
  #key = 0

  /** Where reading goes on in `chunk`, and where the chunk ends. */
  #offset = 0
  #limit = 0
  #words: Int32Array = NO_WORDS
  #skip = 0
  /** The chunks that come after it, if there are any. */
  #queue: Uint8Array[] | undefined
  /** Chunks of the queue that have been read: taking them off its front one by one would be quadratic. */
  #taken = 0
  /** Bytes of a header that was cut by the end of a chunk. */
  #head: Uint8Array = EMPTY

  constructor(role: Role, extensions: readonly Extension[]) {
    this.#masked = role === 'server'
    this.#extensions = extensions
  }

  /** Takes a chunk over. */
  push(chunk: Uint8Array): void {
    if (this.#offset === this.#limit) {
      this.#open(chunk)
    } else {
      this.#queue ??= []
      this.#queue.push(chunk)
    }
  }

  /** Whether bytes are left to read. */
  get hasBytes(): boolean {
    return this.#offset < this.#limit
  }

  /** Drops everything that is buffered, and keeps nothing alive. */
  drop(): void {
    this.#queue = undefined
    this.#taken = 0
    this.#open(EMPTY)
  }

  /**
   * Reads the next frame header.
   *
   * @returns whether a whole header was there
   * @throws {ProtocolError} for any header that §5 forbids
   */
  readHeader(): boolean {
    while (this.#offset < this.#limit) {
      if (this.#head.length === 0) {
        const size = this.#parse(this.chunk, this.#offset, this.#limit - this.#offset)
        if (size > 0) {
          this.#advance(size)
          return true
        }
      }
      while (this.#offset < this.#limit) {
        this.#head = Uint8Array.of(...this.#head, this.chunk[this.#offset] as number)
        this.#advance(1)
        if (this.#parse(this.#head, 0, this.#head.length) > 0) {
          this.#head = EMPTY
          return true
        }
      }
    }
    return false
  }

  /**
   * Unmasks and reads the next piece of the payload: all of it that the current chunk holds.
   *
   * @returns whether there was one; an empty payload is one empty piece
   */
  readPiece(): boolean {
    const start = this.#offset
    const available = this.#limit - start
    if (available === 0 && this.remaining > 0) return false
    const size = Math.min(available, this.remaining)
    const end = start + size
    if (this.#masked && size > 0) {
      if (this.#words === NO_WORDS && this.#limit > SMALL_CHUNK) {
        this.#words = wordsOf(this.chunk)
        this.#skip = skipOf(this.chunk)
      }
      const key = rotateKey(this.#key, this.length - this.remaining)
      this.pieceAscii = (unmask(this.chunk, this.#words, this.#skip, start, end, key) & 0x80808080) === 0
    } else {
      this.pieceAscii = false
    }
    this.pieceStart = start
    this.pieceEnd = end
    this.remaining -= size
    this.#offset = end
    return true
  }

  /** Lets go of the current chunk when it is used up, and goes to the next; the last piece must have been consumed. */
  advance(): void {
    if (this.#offset === this.#limit) this.#open(this.#queue === undefined ? EMPTY : this.#shift(this.#queue))
  }

  #advance(size: number): void {
    this.#offset += size
    this.advance()
  }

  #shift(queue: Uint8Array[]): Uint8Array {
    const chunk = queue[this.#taken] as Uint8Array
    queue[this.#taken++] = EMPTY
    if (this.#taken === queue.length) this.#queue = undefined
    else if (this.#taken < MANY_CHUNKS || this.#taken * 2 < queue.length) return chunk
    else this.#queue = queue.slice(this.#taken)
    this.#taken = 0
    return chunk
  }

  #open(chunk: Uint8Array): void {
    this.chunk = stringBuffer(chunk)
    this.#limit = chunk.length
    this.#offset = 0
    this.#words = NO_WORDS
  }

  /** Parses a header. Returns its size in bytes, 0 when more is needed. Checks stand in the order of the bytes. */
  #parse(bytes: Uint8Array, at: number, available: number): number {
    if (available < 2) return 0
    const first = bytes[at] as number
    const second = bytes[at + 1] as number
    const opcode = first & 0x0f
    // §5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
    if ((opcode & 0x7) > 2) throw violation('RESERVED_OPCODE', ` 0x${opcode.toString(16)}`)
    let length = second & 0x7f
    if (isControl(opcode)) {
      // §5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented."
      if ((first & 0x80) === 0) throw violation('FRAGMENTED_CONTROL')
      if (length > MAX_CONTROL_PAYLOAD) throw violation('CONTROL_TOO_LONG')
    }
    let size = 2
    if (length === 126) {
      if (available < 4) return 0
      length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
      // §5.2: "the minimal number of bytes MUST be used to encode the length"
      if (length < 126) throw violation('LENGTH_NOT_MINIMAL')
      size = 4
    } else if (length === 127) {
      if (available < 10) return 0
      const high = readUint32(bytes, at + 2)
      // §5.2: "the most significant bit MUST be 0"
      if (high > 0x7fffffff) throw violation('LENGTH_SIGN_BIT')
      // From 2^53 on a number is not exact; nobody can hold such a message, whatever the limit says (§10.4).
      if (high > MAX_HIGH_WORD) throw violation('MESSAGE_TOO_BIG')
      length = high * 0x1_0000_0000 + readUint32(bytes, at + 6)
      if (length < 65536) throw violation('LENGTH_NOT_MINIMAL')
      size = 10
    }
    const masked = (second & 0x80) !== 0
    if (masked) {
      if (available < size + 4) return 0
      this.#key = readKey(bytes, at + size)
      size += 4
    }
    this.opcode = opcode
    this.fin = (first & 0x80) !== 0
    this.rsv = first & RSV_BITS
    this.length = length
    this.remaining = length
    if (this.#extensions.length > 0 || this.rsv !== 0) this.#checkRsv()
    // §5.1: a server "MUST close the connection upon receiving a frame that is not masked", a client one that is.
    if (masked !== this.#masked) throw violation(masked ? 'MASKED_FRAME' : 'UNMASKED_FRAME')
    return size
  }

  /** §5.2: a nonzero reserved bit that no negotiated extension defines fails the connection. */
  #checkRsv(): void {
    this.ownedRsv = 0
    for (const extension of this.#extensions) {
      const owned: number | Violation = extension.inboundHeader(this)
      if (typeof owned === 'string') throw violation(owned)
      this.ownedRsv |= owned
    }
    if ((this.rsv & ~this.ownedRsv) !== 0) throw violation('RESERVED_BIT')
  }
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  )
}

/** The masking key packed as `unmask` takes it: first octet in the lowest bits. */
function readKey(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}
