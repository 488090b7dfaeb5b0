/**
 * One message for many connections: encoded once, on first use, and queued by each of them as it is.
 */

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

/** A text or binary message that is sent, unchanged, on many connections. */
export class SharedMessage {
  readonly data: string | Uint8Array
  /** Whether members may compress it, as in `SendMessageOptions`. */
  readonly compress: boolean | undefined
  #frame: Uint8Array | undefined

  constructor(data: string | Uint8Array, compress?: boolean) {
    this.data = data
    this.compress = compress
  }

  /**
   * The complete frame, made by `encode` for the first connection that asks. It is the same array for every connection
   * and must never be written into.
   *
   * The encoder is passed in because publishing must be possible where its modules are not (Cloudflare Workers).
   */
  frame(encode: (data: string | Uint8Array) => Uint8Array): Uint8Array {
    this.#frame ??= encode(this.data)
    return this.#frame
  }
}
