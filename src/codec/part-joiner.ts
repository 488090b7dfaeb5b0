/**
 * Joins the bytes of one message (RFC 6455 §5.4) as they arrive.
 *
 * Holds at most the message and one block more. Parts are copied, since a part shares memory with the chunk that it
 * came in and a tiny part must not keep a large chunk alive.
 */
import { Buffer } from 'node:buffer'
import { giveBlock, takeBlock } from './block-pool.ts'
import { type StringBuffer, stringBuffer } from './utf8.ts'

/** Largest block set aside for bytes that were announced and have not arrived. */
const MAX_BLOCK = 1 << 20
const MIN_BLOCK = 1 << 10

const NOTHING: StringBuffer = stringBuffer(new Uint8Array(0))

/** The bytes of one message at a time. */
export class PartJoiner {
  /** Bytes held. */
  size = 0
  /** Whether they are known to be ASCII all; whoever appends says when they are not. */
  ascii = true
  /** Full blocks, then the one being filled. */
  #blocks: Uint8Array[] = []
  #block: StringBuffer = NOTHING
  #filled = 0

  /**
   * Copies `bytes[start, end)`.
   *
   * @param text whether `takeText` will take them; bytes get a block that fits them
   * @param expected bytes of this frame that are still to come, so that a message of one frame is copied once
   */
  append(bytes: Uint8Array, start: number, end: number, text: boolean, expected: number): void {
    let from = start
    while (from < end) {
      if (this.#filled === this.#block.length) {
        if (this.#filled > 0) this.#blocks.push(this.#block)
        // A message of one frame fits its block exactly; that is what `expected` is for.
        const exact = end - from + expected
        const wanted = expected > 0 ? exact : Math.max(exact, MIN_BLOCK, this.size)
        const size = Math.min(wanted, MAX_BLOCK)
        this.#block = text ? takeBlock(size) : stringBuffer(Buffer.allocUnsafeSlow(size))
        this.#filled = 0
      }
      const count = Math.min(end - from, this.#block.length - this.#filled)
      const whole = from === 0 && count === bytes.length
      this.#block.set(whole ? bytes : bytes.subarray(from, from + count), this.#filled)
      this.#filled += count
      this.size += count
      from += count
    }
  }

  /** Takes the bytes out, in memory of their own. */
  takeBytes(): Uint8Array {
    const exact = this.#blocks.length === 0 && this.#filled === this.#block.length
    const bytes = exact ? new Uint8Array(this.#block.buffer) : this.#join()
    this.drop()
    return bytes
  }

  /**
   * Takes the bytes out, as text.
   *
   * Decoded in one call: joining the strings of the parts is slow on Node.
   *
   * Bytes that are not `ascii` must be valid UTF-8.
   *
   * @param end how many of the bytes to take; the rest is let go
   */
  takeText(end: number = this.size): string {
    const bytes = this.#blocks.length === 0 ? this.#block : stringBuffer(this.#join())
    const text = this.ascii ? bytes.latin1Slice(0, end) : bytes.utf8Slice(0, end)
    giveBlock(this.#block)
    this.drop()
    return text
  }

  /** Lets everything go. */
  drop(): void {
    this.#blocks = []
    this.#block = NOTHING
    this.#filled = 0
    this.size = 0
    this.ascii = true
  }

  #join(): Uint8Array {
    const bytes = new Uint8Array(this.size)
    let at = 0
    for (const block of this.#blocks) {
      bytes.set(block, at)
      at += block.length
    }
    bytes.set(this.#block.subarray(0, this.#filled), at)
    return bytes
  }
}
