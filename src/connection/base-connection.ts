/**
 * What every connection has in common, whoever frames it: receiving, the end, and what is derived from the two.
 *
 * A subclass feeds `inbox`, calls `settle` once, and implements the members that are abstract here.
 */
import { CloseCode, QUIET_CLOSE_CODES } from '../codec/close-code.ts'
import { type CloseInfo, ConnectionClosed, type Initiator } from '../codec/errors.ts'
import type { Clock } from './clock.ts'
import type {
  Capabilities,
  Connection,
  ReadyState,
  Received,
  ReceiveOptions,
  Sendable,
  SendableParts,
  SendMessageOptions,
} from './connection.ts'
import { Delivery, Inbox } from './inbox.ts'
import { type PromiseWithResolver, promiseWithResolver } from './promise-with-resolver.ts'
import { receiveOptionsFault } from './receive-options.ts'
import { quiet, quietRejection } from './rejection.ts'
import { readableOf, singlePartStream, writableOf } from './streams.ts'

/** What is known of a connection when it opens. */
export interface ConnectionInfo {
  readonly subprotocol: string
  /** As in the `Sec-WebSocket-Extensions` header of the answer. */
  readonly extensions: string
  readonly url: string
  readonly request: Request | undefined
  readonly mode: string
}

let connectionsMade = 0

export abstract class BaseConnection implements Connection {
  readonly protocol: string
  readonly extensions: string
  readonly url: string
  readonly request: Request | undefined
  readonly mode: string
  data: unknown = undefined

  readonly #number = ++connectionsMade
  protected readonly clock: Clock
  protected readonly inbox: Inbox = new Inbox()
  #info: CloseInfo | undefined
  #error: ConnectionClosed | undefined
  #closed: PromiseWithResolver<CloseInfo> | undefined
  #abort: AbortController | undefined
  #readable: ReadableStream<Received> | undefined
  #writable: WritableStream<Sendable> | undefined

  constructor(info: ConnectionInfo, clock: Clock) {
    this.protocol = info.subprotocol
    this.extensions = info.extensions
    this.url = info.url
    this.request = info.request
    this.mode = info.mode
    this.clock = clock
  }

  abstract readonly capabilities: Capabilities
  abstract readonly remoteAddress: string | undefined
  abstract readonly readyState: ReadyState
  abstract readonly bufferedAmount: number
  abstract readonly latency: number | undefined
  abstract send(data: Sendable, options?: SendMessageOptions): Promise<boolean>
  abstract sendStream(parts: SendableParts, options?: SendMessageOptions): Promise<boolean>
  abstract trySend(data: Sendable, options?: SendMessageOptions): boolean
  abstract ping(payload?: string | Uint8Array): Promise<number>
  abstract close(code?: number, reason?: string): Promise<CloseInfo>
  abstract terminate(): void

  /**
   * A caller is about to wait: input that was held is parsed now, and output that was held is written.
   *
   * @param polling it asks for one, and does not wait
   */
  protected abstract beforeWait(polling: boolean): void
  /** A message was taken from the inbox. */
  protected abstract afterTake(): void
  /** Starts the delivery in parts of a message of which a part is here already, if there is one. */
  protected abstract streamOpenMessage(): ReadableStream<string> | ReadableStream<Uint8Array> | null

  get id(): string {
    return String(this.#number)
  }

  get connected(): boolean {
    return this.readyState === 1
  }

  get closed(): Promise<CloseInfo> {
    if (this.#closed === undefined) {
      this.#closed = promiseWithResolver()
      if (this.#info !== undefined) this.#closed.resolve(this.#info)
    }
    return this.#closed.promise
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#info !== undefined) this.#abort.abort(this.closedError)
    }
    return this.#abort.signal
  }

  get code(): number | undefined {
    return this.#info?.code
  }

  get reason(): string | undefined {
    return this.#info?.reason
  }

  get wasClean(): boolean | undefined {
    return this.#info?.wasClean
  }

  get initiator(): Initiator | undefined {
    return this.#info?.initiator
  }

  receive(): Promise<Received>
  receive(options: ReceiveOptions): Promise<Received | null>
  receive(options?: ReceiveOptions): Promise<Received | null> {
    return this.#take(Delivery.VALUE, options) as Promise<Received | null>
  }

  receiveText(): Promise<string>
  receiveText(options?: ReceiveOptions): Promise<string | null>
  receiveText(options?: ReceiveOptions): Promise<string | null> {
    return quiet(this.#receiveText(options))
  }

  async #receiveText(options: ReceiveOptions | undefined): Promise<string | null> {
    const message = await this.#take(Delivery.VALUE, options)
    if (message === null || typeof message === 'string') return message
    throw this.#refuse(CloseCode.UNSUPPORTED_DATA, 'Expected text')
  }

  receiveBytes(): Promise<Uint8Array<ArrayBuffer>>
  receiveBytes(options?: ReceiveOptions): Promise<Uint8Array<ArrayBuffer> | null>
  receiveBytes(options?: ReceiveOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    return quiet(this.#receiveBytes(options))
  }

  async #receiveBytes(options: ReceiveOptions | undefined): Promise<Uint8Array<ArrayBuffer> | null> {
    const message = await this.#take(Delivery.VALUE, options)
    if (typeof message !== 'string') return message as Uint8Array<ArrayBuffer> | null
    throw this.#refuse(CloseCode.UNSUPPORTED_DATA, 'Expected binary')
  }

  receiveJson(options?: ReceiveOptions): Promise<unknown> {
    return quiet(this.#receiveJson(options))
  }

  async #receiveJson(options: ReceiveOptions | undefined): Promise<unknown> {
    const text = await this.receiveText(options)
    if (text === null) return null
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw this.#refuse(CloseCode.INVALID_FRAME_PAYLOAD_DATA, 'Expected JSON')
    }
  }

  receiveStream(): Promise<ReadableStream<string> | ReadableStream<Uint8Array>>
  receiveStream(options?: ReceiveOptions): Promise<ReadableStream<string> | ReadableStream<Uint8Array> | null>
  receiveStream(options?: ReceiveOptions): Promise<ReadableStream<string> | ReadableStream<Uint8Array> | null> {
    return quiet(this.#receiveStream(options))
  }

  async #receiveStream(options: ReceiveOptions | undefined): ReturnType<Connection['receiveStream']> {
    const wrong = options && receiveOptionsFault(options)
    if (wrong !== undefined) throw wrong
    options?.signal?.throwIfAborted()
    if (this.inbox.length === 0 && this.inbox.waiter === undefined) {
      const stream = this.streamOpenMessage()
      if (stream !== null) return stream
    }
    const message = await this.#take(Delivery.STREAM, options)
    if (typeof message !== 'string' && !(message instanceof Uint8Array)) {
      return message as ReadableStream<string> | ReadableStream<Uint8Array> | null
    }
    return singlePartStream(message)
  }

  [Symbol.asyncIterator](): AsyncIterator<Received> {
    return new BaseConnection.#Messages(this)
  }

  /** A class, since a loop lasts as long as its connection, and closures are larger. */
  static readonly #Messages = class implements AsyncIterator<Received> {
    readonly #connection: BaseConnection

    constructor(connection: BaseConnection) {
      this.#connection = connection
    }

    next(): Promise<IteratorResult<Received>> {
      return this.#connection.#take(Delivery.RESULT) as Promise<IteratorResult<Received>>
    }

    /** Leaving the loop does not close: the handler may go on with `receive`. */
    return(): Promise<IteratorResult<Received>> {
      return Promise.resolve({ value: undefined, done: true })
    }
  }

  sendJson(value: unknown, options?: SendMessageOptions): Promise<boolean> {
    let text: string | undefined
    try {
      text = JSON.stringify(value)
    } catch (error) {
      return quietRejection(error)
    }
    if (text === undefined) return quietRejection(new TypeError(`Cannot send ${typeof value} as JSON`))
    return this.send(text, options)
  }

  get readable(): ReadableStream<Received> {
    this.#readable ??= readableOf(this)
    return this.#readable
  }

  get writable(): WritableStream<Sendable> {
    this.#writable ??= writableOf(this)
    return this.#writable
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** How the connection ended, once it has. */
  protected get info(): CloseInfo | undefined {
    return this.#info
  }

  /** The one error with which everything that is pending or comes later fails. */
  protected get closedError(): ConnectionClosed {
    this.#error ??= new ConnectionClosed(this.#info as CloseInfo, this)
    return this.#error
  }

  /** Records how the connection ended; only the first call counts. */
  protected settle(info: CloseInfo): void {
    if (this.#info !== undefined) return
    this.#info = info
    if (this.inbox.waiter !== undefined) this.inbox.end(() => this.closedError, QUIET_CLOSE_CODES.includes(info.code))
    this.#closed?.resolve(info)
    // An error captures a stack: most connections end without anybody asking for one.
    if (this.#abort !== undefined) this.#abort.abort(this.closedError)
  }

  #take(delivery: Delivery, options?: ReceiveOptions): Promise<unknown> {
    if (options !== undefined) {
      const wrong = receiveOptionsFault(options)
      if (wrong !== undefined) return quietRejection(wrong)
      if (options.signal?.aborted) return quietRejection(options.signal.reason)
    }
    const message = this.inbox.shift()
    if (message !== undefined) {
      this.afterTake()
      return Promise.resolve(delivery === Delivery.RESULT ? { value: message, done: false } : message)
    }
    if (this.#info !== undefined) return this.#afterEnd(delivery, this.#info)
    if (options?.timeout === 0) return this.#poll()
    const waiter = this.inbox.wait(delivery, this.clock, options)
    this.beforeWait(false)
    return waiter.promise
  }

  #afterEnd(delivery: Delivery, info: CloseInfo): Promise<unknown> {
    return delivery === Delivery.RESULT && QUIET_CLOSE_CODES.includes(info.code)
      ? Promise.resolve({ value: undefined, done: true })
      : quietRejection(this.closedError)
  }

  /** `timeout: 0`: what is here now, or `null`. */
  #poll(): Promise<Received | null> {
    this.beforeWait(true)
    const message = this.inbox.shift()
    if (message !== undefined) this.afterTake()
    return Promise.resolve(message ?? null)
  }

  /** Closes because of a message that the caller cannot use, and gives the error for it. */
  #refuse(code: number, reason: string): ConnectionClosed {
    if (this.#info === undefined) void this.close(code, reason)
    return new ConnectionClosed({ code, reason, wasClean: false, initiator: 'local' }, this)
  }
}
