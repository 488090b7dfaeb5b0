/**
 * Joins the parts of a message (RFC 6455 §5.4) that the protocol yields as they arrive.
 *
 * `Protocol.nextEvent` joins them itself when it is told to; this is for events that come from elsewhere, or that are
 * looked at one by one.
 */
import { violation } from './errors.ts'
import type { Message } from './event.ts'
import { PartJoiner } from './part-joiner.ts'

/** The parts of one message at a time. */
export class MessageAssembler {
  readonly #maxMessageSize: number
  #isText = false
  #text = ''
  #open = false
  readonly #bytes: PartJoiner = new PartJoiner()
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
    this.#isText = part.type === 'TextMessage'
    if (part.type === 'TextMessage') {
      this.#text += part.data
      return part.messageFinished ? this.#finishText() : null
    }
    this.#bytes.append(part.data, 0, part.data.length, false, expected)
    return part.messageFinished ? this.#finishBytes() : null
  }

  /** Takes what has been joined so far out, to be followed by the parts that are still to come. */
  take(): string | Uint8Array {
    return this.#isText ? this.#finishText() : this.#finishBytes()
  }

  #finishText(): string {
    const text = this.#text
    this.#text = ''
    this.#open = false
    this.#size = 0
    return text
  }

  #finishBytes(): Uint8Array {
    this.#open = false
    this.#size = 0
    return this.#bytes.takeBytes()
  }
}
