/**
 * A connection over our own codec and a byte transport: its two halves, its control frames and its end.
 *
 *     in    transport → receiver: protocol.nextEvent() → inbox → receive()
 *     out   send() → sender: frame encoder → outbox → one transport.write per batch
 */
import { CloseCode } from '../codec/close-code.ts'
import { assertClose, fitReason } from '../codec/close-reason.ts'
import { ConnectionState } from '../codec/connection-state.ts'
import { type CloseInfo, ConnectionClosed } from '../codec/errors.ts'
import type { CloseConnection } from '../codec/event.ts'
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
import { Keepalive, type KeepaliveTarget } from './keepalive.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { type ControlEvent, type ReceiveGate, Receiver } from './receiver.ts'
import { callHook, quietRejection } from './rejection.ts'
import { asPingPayload } from './sendable.ts'
import { Sender, type SendGate } from './sender.ts'
import type { SharedMessage, SharedSender } from './shared-message.ts'
import type { ByteTransport, TransportListener } from './transport.ts'

/** What a framed connection is made of. */
export interface FramedConnectionInit extends ConnectionInfo {
  readonly transport: ByteTransport
  readonly protocol: Protocol
  readonly clock: Clock
  readonly options: ResolvedConnectionOptions
}

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
  readonly #receiver: Receiver
  readonly #sender: Sender
  /** Payload of the Ping to answer once the outbox has drained. */
  #owedPong: Uint8Array | undefined
  /** Our Close, once it was sent. */
  #closing: { readonly code: number; readonly reason: string } | undefined
  /** Whether it is gone, both ways. */
  #gone = false
  /** Drops the transport if it has not ended by then. */
  #deadline: TimerHandle

  /** Callbacks for the parts of a connection and its transport: one object instead of many closures. */
  static readonly #Inside = class implements KeepaliveTarget, ReceiveGate, SendGate, TransportListener {
    readonly #connection: FramedConnection

    constructor(connection: FramedConnection) {
      this.#connection = connection
    }

    get connected(): boolean {
      return this.#connection.connected
    }

    get allReceived(): boolean {
      return this.#connection.inbox.length === 0 && !this.#connection.#protocol.hasBytes
    }

    get readingPaused(): boolean {
      return this.#connection.#receiver.paused
    }

    get ended(): boolean {
      return this.#connection.info !== undefined
    }

    get closing(): boolean {
      return this.#connection.#closing !== undefined
    }

    sendPing(payload: Uint8Array): void {
      this.#connection.#sendPing(payload)
    }

    readAhead(): void {
      this.#connection.#receiver.readAhead()
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
      this.#connection.#receiver.onData(chunk)
    }

    onControl(event: ControlEvent): void {
      this.#connection.#onControl(event)
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
    this.#receiver = new Receiver(
      { transport, protocol, clock, options, inbox: this.inbox, keepalive: this.#keepalive },
      inside,
    )
    this.#sender = new Sender(protocol, this.#outbox, this.#keepalive, options, inside)
    transport.attach(inside)
    if (protocol.hasBytes) clock.afterTurn(() => this.#receiver.pump())
  }

  get capabilities(): Capabilities {
    return FRAMED_CAPABILITIES
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
    this.#receiver.beforeWait(polling)
    this.#outbox.onWait()
  }

  protected afterTake(): void {
    this.#receiver.afterTake()
  }

  protected streamOpenMessage(): ReadableStream<string> | ReadableStream<Uint8Array> | null {
    return this.info === undefined ? this.#receiver.streamOpenMessage() : null
  }

  protected override settle(info: CloseInfo): void {
    if (this.info !== undefined) return
    super.settle(info)
    this.#protocol.drop()
    const error = (): Error => this.closedError
    this.#keepalive.end(error)
    this.#outbox.end(error)
    this.#sender.end(error)
    this.#receiver.end(error)
  }

  #onControl(event: ControlEvent): void {
    switch (event.type) {
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
    this.#receiver.pump()
    this.#receiver.readOn()
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
    this.#receiver.readOn()
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
    this.#receiver.onEnd()
    // The handler has this turn to answer what came in front of the end.
    if (this.#protocol.endPending) this.clock.afterTurn(() => this.#afterEnd())
    else this.#afterEnd()
  }

  #afterEnd(): void {
    this.#receiver.reachEnd()
    this.#vanished()
    this.#outbox.flush()
    this.#transport.end()
    this.#setDeadline()
  }

  #onGone(): void {
    this.#gone = true
    if (!this.#receiver.transportEnded) this.#onEnd()
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
