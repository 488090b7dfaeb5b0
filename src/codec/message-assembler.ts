/**
 * Joins the parts of a message (RFC 6455 §5.4) that the protocol yields as they arrive.
 *
 * Holds at most the message and, for binary, one block more. Parts are copied, since a part shares memory with the
 * chunk that it came in and a tiny part must not keep a large chunk alive.
 */
import { violation } from './errors.ts'
import type { Message } from './event.ts'

/** Largest block set aside for bytes that were announced and have not arrived. */
const MAX_BLOCK = 1 << 20
const MIN_BLOCK = 1 << 10

const NOTHING: Uint8Array = new Uint8Array(0)

/** The parts of one message at a time. */
export class MessageAssembler {
  readonly #maxMessageSize: number
  #text = ''
  #open = false
  /** Full blocks, then the one being filled. */
  #blocks: Uint8Array[] = []
  #block: Uint8Array = NOTHING
  #filled = 0
  #size = 0

  /** @param maxMessageSize bytes (for text: UTF-16 code units) above which `push` throws a `ProtocolError` with 1009 */
  constructor(maxMessageSize: number = Number.POSITIVE_INFINITY) {
    this.#maxMessageSize = maxMessageSize
  }

  /** Whether a message has begun and not ended. */
  get open(): boolean {
    return this.#open
  }

  /** Bytes, or code units of text, held for the message that is open. */
  get size(): number {
    return this.#size
  }

  /**
   * Takes the next part.
   *
   * @param expected bytes of this frame that are still to come, so that a message of one frame is copied once
   * @returns the message when this part finished it, else `null`
   * @throws {ProtocolError} MESSAGE_TOO_BIG
   */
  push(part: Message, expected: number = 0): string | Uint8Array | null {
    this.#size += part.data.length
    if (this.#size > this.#maxMessageSize) throw violation('MESSAGE_TOO_BIG')
    if (part.messageFinished && !this.#open) {
      this.#size = 0
      return part.data
    }
    this.#open = true
    if (part.type === 'TextMessage') {
      this.#text += part.data
      return part.messageFinished ? this.#finishText() : null
    }
    this.#append(part.data, expected)
    return part.messageFinished ? this.#finishBytes() : null
  }

  /** Takes what has been joined so far out, to be followed by the parts that are still to come. */
  take(): string | Uint8Array {
    return this.#text === '' ? this.#finishBytes() : this.#finishText()
  }

  #append(data: Uint8Array, expected: number): void {
    let from = 0
    while (from < data.length) {
      if (this.#filled === this.#block.length) {
        const wanted = Math.max(data.length - from + expected, MIN_BLOCK, this.#size)
        if (this.#filled > 0) this.#blocks.push(this.#block)
        // A message of one frame fits its block exactly; that is what `expected` is for.
        const exact = data.length - from + expected
        this.#block = new Uint8Array(Math.min(expected > 0 ? exact : wanted, MAX_BLOCK))
        this.#filled = 0
      }
      const count = Math.min(data.length - from, this.#block.length - this.#filled)
      this.#block.set(from === 0 && count === data.length ? data : data.subarray(from, from + count), this.#filled)
      this.#filled += count
      from += count
    }
  }

  #finishText(): string {
    const text = this.#text
    this.#text = ''
    this.#open = false
    this.#size = 0
    return text
  }

  #finishBytes(): Uint8Array {
    const exact = this.#blocks.length === 0 && this.#filled === this.#block.length
    const bytes = exact ? this.#block : this.#join()
    this.#blocks = []
    this.#block = NOTHING
    this.#filled = 0
    this.#open = false
    this.#size = 0
    return bytes
  }

  #join(): Uint8Array {
    let size = this.#filled
    for (const block of this.#blocks) size += block.length
    const bytes = new Uint8Array(size)
    let at = 0
    for (const block of this.#blocks) {
      bytes.set(block, at)
      at += block.length
    }
    bytes.set(this.#block.subarray(0, this.#filled), at)
    return bytes
  }
}
