/**
 * Every option of a connection: type, unit, default, range.
 *
 * The table at the end is what checks options at the call and what docs/security.md is made of. All limits are on by
 * default; unlimited is spelled `Infinity`.
 */

/** What to do with a message for a peer that does not read (`sendPolicy`). */
export type SendPolicy = 'wait' | 'close' | 'drop'

/** Parameters of permessage-deflate (RFC 7692 §7.1) and how to use it. */
export interface DeflateOptions {
  /** Keep no context between messages that the server sends. @default true */
  serverNoContextTakeover?: boolean
  /** Ask the client to keep no context between messages that it sends. @default true */
  clientNoContextTakeover?: boolean
  /** Window of the server's compressor, as a power of two, 9 to 15. @default 15 */
  serverMaxWindowBits?: number
  /** Window of the client's compressor, as a power of two, 8 to 15, asked for when the client lets us. @default 15 */
  clientMaxWindowBits?: number
  /** zlib level, 0 to 9. @default 6 */
  level?: number
  /** zlib memory level, 1 to 9. @default 8 */
  memLevel?: number
  /** Messages shorter than this, in bytes, are sent as they are. @default 128 */
  threshold?: number
}

export interface ConnectionOptions {
  /**
   * Largest message that is received, in bytes after decompression. A longer one fails the connection with 1009
   * (RFC 6455 §7.4.1): checked on the frame header, before memory is spent, and again on every inflated piece.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxMessageSize?: number
  /** Most fragments that a message may have; one more fails the connection with 1008. @default 131_072 */
  maxFragments?: number
  /** Unread messages from which the socket is paused. @default 16 */
  inboxMessages?: number
  /** Unread bytes from which the socket is paused. @default 65_536 */
  inboxBytes?: number
  /** Unsent bytes above which `send` waits. @default 65_536 */
  highWaterMark?: number
  /**
   * Unsent bytes above which a further message is not queued: `send` rejects and the connection is closed with 1013.
   * Reached only by a caller that does not await `send`.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBufferedAmount?: number
  /**
   * What `send` does above `highWaterMark`: `wait` until the peer has read, `close` the connection with 1013, or
   * `drop` this message and resolve to `false`.
   *
   * @default 'wait'
   */
  sendPolicy?: SendPolicy
  /** Milliseconds between pings. `Infinity`: none. @default 20_000 */
  pingInterval?: number
  /** Milliseconds after a ping within which any byte must arrive, else the connection fails with 1006. @default 20_000 */
  pongTimeout?: number
  /** Milliseconds without a message in either direction after which we close with 1001. @default Infinity */
  idleTimeout?: number
  /** Milliseconds after which we close with 1001, whatever happens. @default Infinity */
  maxLifetime?: number
  /** Milliseconds that our Close waits for the peer's before the transport is dropped. @default 10_000 */
  closeTimeout?: number
  /** permessage-deflate (RFC 7692): `true` for its defaults. @default false */
  permessageDeflate?: boolean | DeflateOptions
  /** Called with the payload of every Ping received; it has been answered already. */
  onPing?: (payload: Uint8Array) => void
  /** Called with the payload of every Pong received. */
  onPong?: (payload: Uint8Array) => void
}

/** Connection options with every default filled in. */
export type ResolvedConnectionOptions = Required<Omit<ConnectionOptions, 'onPing' | 'onPong'>> &
  Pick<ConnectionOptions, 'onPing' | 'onPong'>
