/**
 * What a handler holds: one WebSocket connection, whichever runtime frames it.
 */
import type { CloseInfo, Initiator } from '../codec/errors.ts'

/** A received message: text as a string, binary as a `Uint8Array` that owns its whole buffer. */
export type Received = string | Uint8Array<ArrayBuffer>

/** What `send` takes. Strings go as text, everything else as binary. */
export type Sendable = string | ArrayBufferView | ArrayBuffer | Blob

/** A message in parts, sent as the fragments of one message (RFC 6455 §5.4). All parts are text or all are binary. */
export type SendableParts = AsyncIterable<string | Uint8Array> | ReadableStream<string | Uint8Array>

/** Options of `receive` and its kin. */
export interface ReceiveOptions {
  /** Milliseconds to wait, at most 2^31 - 1; 0 polls. @default Infinity */
  timeout?: number | undefined
  /** Gives up waiting: `receive` rejects with the signal's reason, and the next call gets the message. */
  signal?: AbortSignal | undefined
}

/** Options of one message. */
export interface SendMessageOptions {
  /** Whether to compress this message, when permessage-deflate was negotiated. @default by its threshold */
  compress?: boolean | undefined
}

/** `readyState` as in the WHATWG WebSocket interface. */
export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState]

/** What this connection's transport can do; a hosted runtime cannot do everything (docs/runtimes.md). */
export interface Capabilities {
  /** Reading is paused while the inbox is full. */
  readonly receiveBackpressure: boolean
  /** `send` waits for a slow peer. */
  readonly sendBackpressure: boolean
  /** `ping`, `latency` and the keepalive options work. */
  readonly ping: boolean
  /** Every sendable close code can be sent; otherwise only 1000 and 3000–4999. */
  readonly closeCodes: boolean
  /** `permessageDeflate` options are honoured. */
  readonly deflateOptions: boolean
  /** A message can be sent and received in fragments. */
  readonly fragments: boolean
  /** `maxMessageSize` stops a message before it is in memory. */
  readonly messageSizeLimit: boolean
  /** Headers that middleware set reach the 101. */
  readonly responseHeaders: boolean
}

/** One WebSocket connection; `In` is what it receives, `Out` what it sends. */
export interface Connection<In = Received, Out = Sendable> extends AsyncIterable<In>, AsyncDisposable {
  /** Unique in this process. */
  readonly id: string
  /** The subprotocol agreed on, or `''`. */
  readonly protocol: string
  /** The extensions agreed on, as in the header, or `''`. */
  readonly extensions: string
  /** URL of the request that was upgraded, or that was dialled. */
  readonly url: string
  /** The request that was upgraded; `undefined` on a client. Readable for the whole connection; it has no body. */
  readonly request: Request | undefined
  /** Which transport carries this: `node`, `bun`, `deno`, `memory` raw; `bun-serve`, `deno-serve`, `cloudflare`, `websocket` hosted. */
  readonly mode: string
  readonly remoteAddress: string | undefined
  readonly capabilities: Capabilities
  /** A place for the application's own state. */
  data: unknown

  /** Live, never a snapshot. */
  readonly readyState: ReadyState
  /** Whether messages can be sent: `readyState` is `OPEN`. */
  readonly connected: boolean
  /** Bytes accepted by `send` that have not left for the operating system. */
  readonly bufferedAmount: number
  /** Round trip of the last answered ping in milliseconds, `undefined` before the first. */
  readonly latency: number | undefined

  /** Resolves, never rejects, when the connection has ended. */
  readonly closed: Promise<CloseInfo>
  /** Aborts when the connection ends; its reason is the `ConnectionClosed`. */
  readonly signal: AbortSignal
  /** Close code once ended, else `undefined`. */
  readonly code: number | undefined
  readonly reason: string | undefined
  readonly wasClean: boolean | undefined
  readonly initiator: Initiator | undefined

  /**
   * Waits for the next message. Messages that came before the end stay readable after it.
   *
   * Concurrent calls are served first come, first served. Giving up loses nothing.
   *
   * @returns the message, or `null` when `timeout` passed
   * @throws {ConnectionClosed} when the connection has ended and every message was read
   * @throws {TypeError | RangeError} naming the option that is wrong
   */
  receive(): Promise<In>
  receive(options: ReceiveOptions): Promise<In | null>
  /** As `receive`, for text. A binary message closes the connection with 1003 and rejects. */
  receiveText(): Promise<string>
  receiveText(options?: ReceiveOptions): Promise<string | null>
  /** As `receive`, for binary. A text message closes the connection with 1003 and rejects. */
  receiveBytes(): Promise<Uint8Array<ArrayBuffer>>
  receiveBytes(options?: ReceiveOptions): Promise<Uint8Array<ArrayBuffer> | null>
  /**
   * As `receiveText`, parsed. Text that is not JSON closes the connection with 1007 and rejects. With a timeout, `null`
   * may be the message `null` as well: where that is one, parse what `receiveText` gives.
   */
  receiveJson(options?: ReceiveOptions): Promise<unknown>
  /**
   * Waits for the next message and gives it in parts while it arrives, so that one larger than memory can pass:
   * `maxMessageSize` bounds it as any other. What is held at a time is at most 16 × `inboxBytes`, or what one chunk
   * inflates to. Read it to its end, or cancel it, before the next `receive`.
   */
  receiveStream(): Promise<ReadableStream<string> | ReadableStream<Uint8Array>>
  receiveStream(options?: ReceiveOptions): Promise<ReadableStream<string> | ReadableStream<Uint8Array> | null>

  /**
   * Sends one message. Binary of 64 KiB or more is not copied: leave it unchanged while `bufferedAmount` counts it.
   *
   * @returns resolves when less than `highWaterMark` is unsent: to `true`, or to `false` when `sendPolicy` dropped it
   * @throws {TypeError} for anything that is not a `Sendable`
   * @throws {ConnectionClosed} after the connection has ended, or began to
   */
  send(data: Out, options?: SendMessageOptions): Promise<boolean>
  /**
   * Sends one message in fragments as its parts come. Other messages wait behind it; control frames do not. So a source
   * that awaits a `send` on this connection waits for itself, and no part follows.
   */
  sendStream(parts: SendableParts, options?: SendMessageOptions): Promise<boolean>
  /** Sends `JSON.stringify(value)` as text. */
  sendJson(value: unknown, options?: SendMessageOptions): Promise<boolean>
  /** Sends only if that needs no waiting. @returns whether it was sent; never throws for a closed connection */
  trySend(data: Out, options?: SendMessageOptions): boolean

  /**
   * Sends a Ping.
   *
   * @returns milliseconds until its Pong came
   * @throws {TypeError | RangeError} at the call, for a payload that is neither text nor bytes, or over 125 bytes
   * @throws {ConnectionClosed} after the connection has ended, or when it ends before the Pong
   */
  ping(payload?: string | Uint8Array): Promise<number>

  /**
   * Ends the connection in order. Idempotent; never rejects for a peer that is gone.
   *
   * @param code 1000, 1001–1003, 1007–1014 or 3000–4999 @default 1000
   * @param reason at most 123 bytes of UTF-8
   * @throws {TypeError | RangeError} at the call, for a code or reason that may not be sent
   */
  close(code?: number, reason?: string): Promise<CloseInfo>
  /**
   * Drops the connection now, with what is unsent, and no Close: the peer sees 1006. Where a host cannot drop one, it
   * sends a Close instead (docs/runtimes.md).
   */
  terminate(): void

  /** Messages as a stream; reading it is calling `receive`. */
  readonly readable: ReadableStream<In>
  /** A stream whose writes are `send` and whose close is `close`. */
  readonly writable: WritableStream<Out>
}
