/**
 * One message for many connections: encoded once, on first use, and queued by each of them as it is.
 */
import type { EncodedFrame } from '../codec/encoded-frame.ts'

/** A connection as a topic sees it: the internal way in for a message that many connections send. */
export interface SharedSender {
  /**
   * Queues the message without waiting. Above `highWaterMark` the connection's `sendPolicy` decides: `drop` leaves the
   * message out and `close` ends the connection with 1013; `wait` queues on, and ends it with 1013 above
   * `maxBufferedAmount`. Never throws.
   *
   * @returns whether it was queued; when not, `connected` tells a drop from an end
   */
  sendShared(message: SharedMessage): boolean
}

/** What encodes a message for a connection. Passed in, because publishing must be possible where our codec is not. */
export interface MessageEncoder {
  /** Connections with the same one send the same bytes for a message; without one, each encodes for itself. */
  readonly outboundKey: string | undefined
  encodeMessage(data: string | Uint8Array, compress: boolean | undefined): EncodedFrame
}

/** A text or binary message that is sent, unchanged, on many connections. */
export class SharedMessage {
  readonly data: string | Uint8Array
  /** Whether members may compress it, as in `SendMessageOptions`. */
  readonly compress: boolean | undefined
  /** The last key that was asked for, and its frame: mostly all members have the same. */
  #key: string | undefined
  #frame: EncodedFrame | undefined
  readonly #frames: Map<string, EncodedFrame> = new Map()
  #own: string | Uint8Array | undefined

  constructor(data: string | Uint8Array, compress?: boolean) {
    this.data = data
    this.compress = compress
  }

  /** For connections that keep the data: the publisher may reuse its buffer. */
  get ownData(): string | Uint8Array {
    this.#own ??= typeof this.data === 'string' ? this.data : new Uint8Array(this.data)
    return this.#own
  }

  /**
   * The complete frame, made by the first connection of its kind that asks. It is the same array for all of them and
   * must never be written into.
   *
   * @returns `undefined` when this connection must encode for itself
   */
  frame(encoder: MessageEncoder): EncodedFrame | undefined {
    const key = encoder.outboundKey
    if (key !== this.#key) {
      this.#frame = key === undefined ? undefined : this.#frameFor(key, encoder)
      this.#key = key
    }
    return this.#frame
  }

  #frameFor(key: string, encoder: MessageEncoder): EncodedFrame {
    let frame = this.#frames.get(key)
    if (frame === undefined) {
      frame = encoder.encodeMessage(this.data, this.compress)
      this.#frames.set(key, frame)
    }
    return frame
  }
}
