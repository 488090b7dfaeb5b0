/**
 * A connection over our own codec and a byte transport: the message loop.
 *
 *     in    transport → protocol.nextEvent() → inbox → receive()
 *     out   send() → frame encoder → outbox → one transport.write per batch
 */
import { CloseCode } from '../codec/close-code.ts'
import { assertClose, fitReason } from '../codec/close-reason.ts'
import { ConnectionState } from '../codec/connection-state.ts'
import { type CloseInfo, ConnectionClosed, ProtocolError } from '../codec/errors.ts'
import type { CloseConnection, Message, ProtocolEvent } from '../codec/event.ts'
import type { Protocol } from '../codec/protocol.ts'
import { BaseConnection, type ConnectionInfo } from './base-connection.ts'
import type { Clock, TimerHandle } from './clock.ts'
import {
  type Capabilities,
  ReadyState,
  type Sendable,
  type SendableParts,
  type SendMessageOptions,
} from './connection.ts'
import { Delivery } from './inbox.ts'
import { Keepalive, type KeepaliveTarget } from './keepalive.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { callHook, quietRejection } from './rejection.ts'
import { asPingPayload } from './sendable.ts'
import { Sender, type SendGate } from './sender.ts'
import type { SharedMessage, SharedSender } from './shared-message.ts'
import { PartStream } from './streams.ts'
import type { ByteTransport, TransportListener } from './transport.ts'

/** What a framed connection is made of. */
export interface FramedConnectionInit extends ConnectionInfo {
  readonly transport: ByteTransport
  readonly protocol: Protocol
  readonly clock: Clock
  readonly options: ResolvedConnectionOptions
}

/** Parsing goes on up to this multiple of `inboxBytes`, so that control frames are seen. */
const PARSE_AHEAD = 16

/**
 * Most bytes that a connection with a full inbox still reads before it pauses, where `inboxBytes` is not less: most
 * handlers have emptied the inbox by then, pausing is not free, and control frames behind small messages are seen.
 */
const MAX_GRACE = 1 << 16

/** How often a paused connection reads that much again, once each ping interval, for the control frames in it. */
const MAX_READ_AHEAD = 16

/**
 * Inflated bytes after which we yield: a few compressed kilobytes can stand for all of them, and what one read of a
 * socket brings would keep the event loop for seconds.
 */
const MAX_TURN_BYTES = 1 << 20

/** A connection that frames for itself can do everything. */
export const FRAMED_CAPABILITIES: Capabilities = {
  receiveBackpressure: true,
  sendBackpressure: true,
  ping: true,
  closeCodes: true,
  deflateOptions: true,
  fragments: true,
  messageSizeLimit: true,
  responseHeaders: true,
}

/** A connection that frames for itself. */
export class FramedConnection extends BaseConnection implements SharedSender {
  readonly #transport: ByteTransport
  readonly #protocol: Protocol
  readonly #options: ResolvedConnectionOptions
  readonly #outbox: Outbox
  readonly #keepalive: Keepalive
  readonly #sender: Sender
  /** The message that is being delivered in parts. */
  #parts: PartStream | undefined
  /** Whether the inbox holds more than its limits. */
  #overfull = false
  #paused = false
  /** Bytes that are read before it pauses. */
  #grace = 0
  /** Whether a `receive({ timeout: 0 })` is running. */
  #polling = false
  #readAhead = 0
  /** Payload of the Ping to answer once the outbox has drained. */
  #owedPong: Uint8Array | undefined
  /** Our Close, once it was sent. */
  #closing: { readonly code: number; readonly reason: string } | undefined
  #transportEnded = false
  /** Whether it is gone, both ways. */
  #gone = false
  /** Inflated bytes since we last yielded, and the timer that ends the yield. */
  #turnBytes = 0
  #rest: TimerHandle
  /** Drops the transport if it has not ended by then. */
  #deadline: TimerHandle

  /** Callbacks for the parts of a connection and its transport: one object instead of many closures. */
  static readonly #Inside = class implements KeepaliveTarget, SendGate, TransportListener {
    readonly #connection: FramedConnection

    constructor(connection: FramedConnection) {
      this.#connection = connection
    }

    get connected(): boolean {
      return this.#connection.connected
    }

    get readingPaused(): boolean {
      return this.#connection.#paused
    }

    sendPing(payload: Uint8Array): void {
      this.#connection.#sendPing(payload)
    }

    readAhead(): void {
      this.#connection.#onReadAhead()
    }

    onDead(): void {
      this.#connection.#drop('Ping timeout')
    }

    onExpired(code: number, reason: string): void {
      this.#connection.#startClosing(code, reason)
    }

    sendError(): ConnectionClosed {
      return this.#connection.#sendError()
    }

    fail(code: number, reason: string): void {
      this.#connection.#fail(code, reason)
    }

    queueShared(message: SharedMessage): void {
      this.#connection.#queueShared(message)
    }

    onData(chunk: Uint8Array): void {
      this.#connection.#onData(chunk)
    }

    onDrain(): void {
      this.#connection.#onDrain()
    }

    onEnd(): void {
      this.#connection.#onEnd()
    }

    onClose(): void {
      this.#connection.#onGone()
    }
  }

  constructor(init: FramedConnectionInit) {
    super(init, init.clock)
    const { transport, protocol, clock, options } = init
    this.#transport = transport
    this.#protocol = protocol
    this.#options = options
    this.#outbox = new Outbox(protocol.output, transport, clock, options.highWaterMark)
    const inside = new FramedConnection.#Inside(this)
    this.#keepalive = new Keepalive(clock, inside, options)
    this.#sender = new Sender(protocol, this.#outbox, this.#keepalive, options, inside)
    transport.attach(inside)
    if (protocol.hasBytes) clock.afterTurn(() => this.#pump())
  }

  get remoteAddress(): string | undefined {
    return this.#transport.remoteAddress
  }

  get readyState(): ReadyState {
    if (this.info !== undefined) return ReadyState.CLOSED
    return this.#protocol.state === ConnectionState.OPEN ? ReadyState.OPEN : ReadyState.CLOSING
  }

  get bufferedAmount(): number {
    return this.#outbox.bufferedAmount + this.#sender.waiting
  }

  get latency(): number | undefined {
    return this.#keepalive.latency
  }

  send(data: Sendable, options?: SendMessageOptions): Promise<boolean> {
    return this.#sender.send(data, options)
  }

  sendStream(parts: SendableParts, options?: SendMessageOptions): Promise<boolean> {
    return this.#sender.sendStream(parts, options)
  }

  trySend(data: Sendable, options?: SendMessageOptions): boolean {
    return this.#sender.trySend(data, options)
  }

  sendShared(message: SharedMessage): boolean {
    return this.#sender.sendShared(message)
  }

  ping(payload?: string | Uint8Array): Promise<number> {
    if (!this.connected) return quietRejection(this.#sendError())
    return this.#keepalive.ping(payload === undefined ? undefined : asPingPayload(payload))
  }

  close(code: number = CloseCode.NORMAL_CLOSURE, reason: string = ''): Promise<CloseInfo> {
    assertClose(code, reason)
    this.#startClosing(code, reason)
    return this.closed
  }

  terminate(): void {
    this.#drop('')
  }

  protected beforeWait(polling: boolean): void {
    this.#polling = polling
    if (this.#protocol.hasBytes || this.#protocol.endPending || this.#overfull) this.#pump()
    this.#polling = false
    this.#outbox.flush()
  }

  protected afterTake(): void {
    if (this.#overfull) this.#pump()
  }

  protected streamOpenMessage(): ReadableStream<string> | ReadableStream<Uint8Array> | null {
    if (this.info !== undefined) return null
    if (this.#protocol.hasBytes) this.#pump()
    if (this.inbox.length > 0 || !this.#protocol.receivingMessage || this.#parts !== undefined) return null
    return this.#openParts(this.#protocol.takeJoined()).stream
  }

  protected override settle(info: CloseInfo): void {
    if (this.info !== undefined) return
    super.settle(info)
    this.#protocol.drop()
    const error = (): Error => this.closedError
    this.#keepalive.end(error)
    this.#outbox.end(error)
    this.#sender.end(error)
    if (this.#rest !== undefined) this.clock.clearTimeout(this.#rest)
    this.#rest = undefined
    this.#parts?.fail(this.closedError)
    this.#parts = undefined
  }

  #onData(chunk: Uint8Array): void {
    this.#keepalive.alive = true
    const wasOverfull = this.#overfull
    this.#protocol.receiveData(chunk)
    this.#pump()
    if (!wasOverfull || !this.#overfull || this.#paused) return
    this.#grace -= chunk.length
    if (this.#grace > 0) return
    this.#paused = true
    this.#transport.pause()
  }

  /** Parses on while there is room for what comes out. */
  #pump(): void {
    const protocol = this.#protocol
    while (this.#hasRoom) {
      const event = protocol.nextEvent(true, !this.#inParts)
      if (event === null) break
      this.#dispatch(event)
    }
    if (protocol.endPending) this.#holdEnd()
    // The low mark is half of the high one, so that reading does not start and stop with every message.
    const mark = this.#overfull ? 0.5 : 1
    const { inboxBytes, inboxMessages } = this.#options
    const { bytes, length } = this.inbox
    const full = bytes > inboxBytes * mark || length > inboxMessages * mark || !this.#hasRoom
    // While we close, what finds no room is discarded: the peer's Close is behind it.
    this.#overfull = this.info === undefined && (this.#closing === undefined ? full : !this.#hasRoom)
    if (!this.#overfull) this.#grace = this.#fullGrace
    if (this.#paused && !this.#overfull) this.#resume()
  }

  /**
   * The peer's Close, or what it did wrong, came behind messages: the handler gets this turn to answer them, since
   * nothing may follow our Close. One that waits for a message has answered all.
   */
  #holdEnd(): void {
    if (this.inbox.waiter !== undefined) this.#reachEnd()
    else this.clock.afterTurn(() => this.#reachEnd())
  }

  #reachEnd(): void {
    try {
      const event = this.#protocol.nextEvent(false, !this.#inParts)
      if (event !== null) this.#dispatch(event)
    } catch (error) {
      if (error instanceof ProtocolError) this.#fail(error.closeCode, error.message)
      else this.#fail(CloseCode.INTERNAL_ERROR, `Internal error: ${String(error)}`)
    }
  }

  /**
   * Whether another event may be parsed. A caller that waits gets a message of any size that is allowed; without one,
   * a message that is arriving counts as unread.
   */
  get #hasRoom(): boolean {
    if (this.info !== undefined) return true
    if (this.#rest !== undefined && !this.#polling && !this.#transportEnded) return false
    if (this.#closing !== undefined) return true
    if (this.#parts !== undefined) return this.#parts.wantsMore || this.#transportEnded
    if (this.inbox.waiter !== undefined) return true
    if (this.#polling) return this.inbox.length === 0
    const factor = this.#transportEnded ? PARSE_AHEAD * PARSE_AHEAD : PARSE_AHEAD
    const limit = this.#options.inboxBytes * factor + this.#readAhead * this.#fullGrace
    return this.inbox.bytes + this.#protocol.joinedSize < limit
  }

  get #fullGrace(): number {
    return Math.min(this.#options.inboxBytes, MAX_GRACE)
  }

  #resume(): void {
    this.#paused = false
    this.#readAhead = 0
    this.#transport.resume()
  }

  /** The inbox has been full for a ping interval: a Close or a Ping behind it must not wait for ever. */
  #onReadAhead(): void {
    if (this.#readAhead === MAX_READ_AHEAD) return
    this.#readAhead++
    this.#grace = this.#fullGrace
    this.#pump()
    if (this.#paused) {
      this.#paused = false
      this.#transport.resume()
    }
  }

  #dispatch(event: ProtocolEvent): void {
    switch (event.type) {
      case 'TextMessage':
      case 'BytesMessage':
        this.#onMessage(event)
        break
      case 'Ping':
        this.#answerPing(event.payload)
        this.#tell(this.#options.onPing, event.payload)
        break
      case 'Pong':
        this.#keepalive.onPong(event.payload)
        this.#tell(this.#options.onPong, event.payload)
        break
      case 'CloseConnection':
        this.#onClose(event)
        break
    }
  }

  #onMessage(part: Message): void {
    // What comes behind the end is looked at only for the peer's Close.
    if (this.info !== undefined) return
    this.#keepalive.active = true
    if (this.#protocol.extensions.length > 0) this.#countTurn(part.data.length)
    if (this.#parts !== undefined) {
      this.#pushPart(this.#parts, part)
      return
    }
    if (!part.messageFinished) {
      const waiter = this.inbox.takeWaiter()
      waiter.resolve(this.#openParts(part).stream)
      return
    }
    // After our Close we wait only for the peer's; messages that find no room are discarded.
    const unwanted = this.#closing !== undefined && this.inbox.bytes > this.#options.inboxBytes
    if (!unwanted || this.inbox.waiter !== undefined) this.inbox.push(part.data as string | Uint8Array<ArrayBuffer>)
  }

  #countTurn(bytes: number): void {
    this.#turnBytes += bytes
    if (this.#turnBytes < MAX_TURN_BYTES || this.#rest !== undefined) return
    this.#rest = this.clock.setTimeout(() => {
      this.#rest = undefined
      this.#turnBytes = 0
      this.#pump()
    }, 0)
  }

  /** Whether the message that comes next, or is coming, is wanted in parts. */
  get #inParts(): boolean {
    return this.#parts !== undefined || this.inbox.waiter?.delivery === Delivery.STREAM
  }

  #openParts(first: Message): PartStream {
    const parts = new PartStream(() => this.#pump())
    this.#parts = parts
    this.#pushPart(parts, first)
    return parts
  }

  #pushPart(parts: PartStream, part: Message): void {
    if (part.messageFinished) this.#parts = undefined
    // After our Close the peer's must not wait behind a stream that nobody reads.
    if (this.#closing !== undefined && !parts.wantsMore) parts.fail(this.#sendError())
    parts.push(part.type === 'BytesMessage' ? new Uint8Array(part.data) : part.data, part.messageFinished)
  }

  #queueShared(message: SharedMessage): void {
    const frame = message.frame(this.#protocol)
    if (frame !== undefined) {
      this.#protocol.sendEncoded(frame)
      return
    }
    const { ownData, compress } = message
    if (typeof ownData === 'string') this.#protocol.sendText(ownData, true, compress)
    else this.#protocol.sendBytes(ownData, true, compress)
  }

  /**
   * §5.5.3: of several Pings that wait for their answer the last one will do. So a peer that pings and does not read
   * takes no memory.
   */
  #answerPing(payload: Uint8Array): void {
    if (this.#outbox.congested) {
      this.#owedPong = payload
      return
    }
    this.#protocol.sendPong(payload)
    void this.#outbox.commit()
  }

  #onDrain(): void {
    this.#outbox.onDrain()
    const owed = this.#owedPong
    if (owed === undefined) return
    this.#owedPong = undefined
    this.#answerPing(owed)
  }

  #sendPing(payload: Uint8Array): void {
    if (!this.connected) return
    this.#protocol.sendPing(payload)
    void this.#outbox.commit()
  }

  /** Calls a hook of the application; what it throws ends this connection and nothing else. */
  #tell(hook: ((payload: Uint8Array) => void) | undefined, payload: Uint8Array): void {
    callHook(hook, payload, (error) => this.#fail(CloseCode.INTERNAL_ERROR, `A ping hook threw: ${String(error)}`))
  }

  #sendError(): ConnectionClosed {
    if (this.info !== undefined) return this.closedError
    const { code, reason } = this.#closing ?? { code: CloseCode.ABNORMAL_CLOSURE, reason: '' }
    return new ConnectionClosed({ code, reason, wasClean: false, initiator: 'local' }, this)
  }

  /** Begins the closing handshake (RFC 6455 §7.1.2). */
  #startClosing(code: number, reason: string): void {
    if (!this.connected) return
    this.#protocol.sendClose(code, reason)
    this.#closing = { code, reason }
    this.#keepalive.stop()
    this.#outbox.flush()
    this.#setDeadline()
    // The peer's Close may stand behind what nobody reads any more.
    this.#pump()
    if (this.#paused) this.#resume()
  }

  /** §5.5.1, §7.1.5: the peer's Close, as the answer to ours or as the beginning of the end. */
  #onClose(event: CloseConnection): void {
    if (event.code === CloseCode.ABNORMAL_CLOSURE) {
      this.#vanished()
      return
    }
    const ours = this.#closing
    if (this.#protocol.state === ConnectionState.REMOTE_CLOSING) this.#protocol.sendClose(event.code, event.reason)
    this.settle(
      ours === undefined
        ? { code: event.code, reason: event.reason, wasClean: true, initiator: 'remote' }
        : { ...ours, wasClean: true, initiator: 'local' },
    )
    this.#outbox.flush()
    // §7.1.1: the server closes TCP first, so that it is the client that holds TIME_WAIT off the server.
    if (this.#protocol.role === 'server') this.#transport.end()
    this.#setDeadline()
  }

  /** §7.1.7: says why if that may still be said, and lets the transport go. What comes in is dropped. */
  #fail(code: number, reason: string): void {
    if (this.info !== undefined) return
    const { state } = this.#protocol
    if (state === ConnectionState.OPEN || state === ConnectionState.FAILED) {
      this.#protocol.sendClose(code, fitReason(reason))
    }
    // What the peer was told first is what happened.
    const said = this.#closing ?? { code, reason: fitReason(reason) }
    this.settle({ ...said, wasClean: false, initiator: 'local' })
    this.#outbox.flush()
    this.#transport.end()
    this.#setDeadline()
    if (this.#paused) this.#resume()
  }

  #drop(reason: string): void {
    this.settle({ code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, initiator: 'local' })
    this.#transport.destroy()
  }

  #vanished(): void {
    const initiator = this.#closing === undefined ? 'transport' : 'local'
    this.settle({ code: CloseCode.ABNORMAL_CLOSURE, reason: '', wasClean: false, initiator })
  }

  /** The peer ended its side: everything that it sent is parsed, then the end is known. */
  #onEnd(): void {
    this.#transportEnded = true
    this.#protocol.receiveData(null)
    this.#pump()
    // The handler has this turn to answer what came in front of the end.
    if (this.#protocol.endPending) this.clock.afterTurn(() => this.#afterEnd())
    else this.#afterEnd()
  }

  #afterEnd(): void {
    this.#reachEnd()
    this.#vanished()
    this.#outbox.flush()
    this.#transport.end()
    this.#setDeadline()
  }

  #onGone(): void {
    this.#gone = true
    if (!this.#transportEnded) this.#onEnd()
    if (this.#deadline !== undefined) this.clock.clearTimeout(this.#deadline)
    this.#deadline = undefined
  }

  #setDeadline(): void {
    if (this.#gone || this.#deadline !== undefined || this.#options.closeTimeout === Number.POSITIVE_INFINITY) return
    this.#deadline = this.clock.setTimeout(() => {
      this.#deadline = undefined
      this.#drop('')
    }, this.#options.closeTimeout)
  }
}
