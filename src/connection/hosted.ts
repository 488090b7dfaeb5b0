/**
 * A connection over a socket that the host frames: messages in, messages out, and what else the host lets us do.
 *
 * The same semantics as `framed.ts`, as far as the host allows; `capabilities` says how far. A host does not stop
 * reading while nobody receives: an inbox of more than 16 × `inboxBytes` closes with 1013 when another message comes.
 */

import { CloseCode } from '../codec/close-code.ts'
import { assertClose, fitReason } from '../codec/close-reason.ts'
import { type CloseInfo, ConnectionClosed, violation, WebSocketError } from '../codec/errors.ts'
import { BaseConnection, type ConnectionInfo } from './base-connection.ts'
import type { Clock, TimerHandle } from './clock.ts'
import {
  type Capabilities,
  ReadyState,
  type Sendable,
  type SendableParts,
  type SendMessageOptions,
} from './connection.ts'
import { HostedOutbox } from './hosted-outbox.ts'
import type { HostedSocket, HostedSocketEvents } from './hosted-socket.ts'
import { Keepalive, type KeepaliveTarget } from './keepalive.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { callHook, quietRejection } from './rejection.ts'
import { asPingPayload } from './sendable.ts'
import { Sender, type SendGate } from './sender.ts'
import type { SharedMessage, SharedSender } from './shared-message.ts'

/** What a hosted connection is made of. */
export interface HostedConnectionInit extends ConnectionInfo {
  readonly socket: HostedSocket
  readonly capabilities: Capabilities
  readonly clock: Clock
  readonly options: ResolvedConnectionOptions
}

/** Messages are let in up to this multiple of `inboxBytes`. */
const INBOX_FACTOR = 16

const encoder = new TextEncoder()

/** A connection whose host frames. */
export class HostedConnection extends BaseConnection implements SharedSender {
  readonly capabilities: Capabilities
  readonly #socket: HostedSocket
  readonly #options: ResolvedConnectionOptions
  readonly #outbox: HostedOutbox
  readonly #keepalive: Keepalive
  readonly #sender: Sender
  /** Our Close, once it was sent: as it went out. */
  #closing: { readonly code: number; readonly reason: string } | undefined
  /** Drops the connection if the host has not told its end by then. */
  #deadline: TimerHandle
  /** Whether the host has told it. */
  #gone = false

  /** Callbacks for the parts of a connection and its socket: one object instead of many closures. */
  static readonly #Inside = class implements KeepaliveTarget, SendGate, HostedSocketEvents {
    readonly readingPaused = false
    readonly allReceived = false
    readonly #connection: HostedConnection

    constructor(connection: HostedConnection) {
      this.#connection = connection
    }

    get connected(): boolean {
      return this.#connection.connected
    }

    sendPing(payload: Uint8Array): void {
      this.#connection.#sendPing(payload)
    }

    readAhead(): void {}

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

    queueShared({ data, compress }: SharedMessage): void {
      this.#connection.#outbox.sendMessage(data, compress)
    }

    onMessage(data: string | Uint8Array<ArrayBuffer>): void {
      this.#connection.#onMessage(data)
    }

    onPing(payload: Uint8Array): void {
      this.#connection.#onControl(this.#connection.#options.onPing, payload)
    }

    onPong(payload: Uint8Array): void {
      this.#connection.#keepalive.onPong(payload)
      this.#connection.#onControl(this.#connection.#options.onPong, payload)
    }

    onClose(code: number, reason: string, wasClean: boolean): void {
      this.#connection.#onClose(code, reason, wasClean)
    }
  }

  constructor(init: HostedConnectionInit) {
    super(init, init.clock)
    const { socket, clock, options, capabilities } = init
    this.capabilities = capabilities
    this.#socket = socket
    this.#options = options
    this.#outbox = new HostedOutbox(socket, options)
    const inside = new HostedConnection.#Inside(this)
    this.#keepalive = new Keepalive(clock, inside, options, capabilities.ping)
    this.#sender = new Sender(this.#outbox, this.#outbox, this.#keepalive, options, inside)
    socket.attach(inside)
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get readyState(): ReadyState {
    if (this.info !== undefined) return ReadyState.CLOSED
    return this.#closing === undefined ? (this.#socket.readyState as ReadyState) : ReadyState.CLOSING
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

  /** A host has no fragments: the parts are joined, within `maxBufferedAmount`, and leave when the last one has come. */
  sendStream(parts: SendableParts, options?: SendMessageOptions): Promise<boolean> {
    return this.#sender.sendStream(parts, options)
  }

  trySend(data: Sendable, options?: SendMessageOptions): boolean {
    this.#outbox.refusal = undefined
    return this.#sender.trySend(data, options) && this.#outbox.refusal === undefined
  }

  sendShared(message: SharedMessage): boolean {
    this.#outbox.refusal = undefined
    return this.#sender.sendShared(message) && this.#outbox.refusal === undefined
  }

  ping(payload?: string | Uint8Array): Promise<number> {
    if (!this.connected) return quietRejection(this.#sendError())
    if (!this.capabilities.ping) {
      return quietRejection(new WebSocketError(`ping: the host (${this.mode}) sends no Ping for us`))
    }
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

  protected beforeWait(): void {}

  protected afterTake(): void {}

  protected streamOpenMessage(): null {
    return null
  }

  protected override settle(info: CloseInfo): void {
    if (this.info !== undefined) return
    super.settle(info)
    if (this.#deadline !== undefined) this.clock.clearTimeout(this.#deadline)
    const error = (): Error => this.closedError
    this.#keepalive.end(error)
    this.#outbox.end(error)
    this.#sender.end(error)
  }

  #onMessage(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.info !== undefined) return
    this.#keepalive.alive = true
    this.#keepalive.active = true
    if (isLongerThan(data, this.#options.maxMessageSize)) {
      const { closeCode, message } = violation('MESSAGE_TOO_BIG')
      this.#fail(closeCode, message)
      return
    }
    const isFull = this.inbox.bytes > this.#options.inboxBytes * INBOX_FACTOR
    // After our Close we wait only for the peer's; messages that find no room are discarded.
    if (!isFull) this.inbox.push(data)
    else if (this.#closing === undefined)
      this.#fail(CloseCode.TRY_AGAIN_LATER, 'Messages come faster than they are read')
  }

  #onControl(hook: ((payload: Uint8Array) => void) | undefined, payload: Uint8Array): void {
    if (this.info !== undefined) return
    this.#keepalive.alive = true
    callHook(hook, payload, (error) => this.#fail(CloseCode.INTERNAL_ERROR, `A ping hook threw: ${String(error)}`))
  }

  #sendPing(payload: Uint8Array): void {
    if (this.connected) this.#socket.ping(payload)
  }

  #sendError(): ConnectionClosed {
    if (this.info !== undefined) return this.closedError
    // The host has begun to close, and does not say why before it has.
    const ours = this.#closing ?? { code: CloseCode.NO_STATUS_RCVD, reason: '' }
    const initiator = this.#closing === undefined ? 'remote' : 'local'
    return new ConnectionClosed({ ...ours, wasClean: false, initiator }, this)
  }

  #startClosing(code: number, reason: string): void {
    if (!this.connected) return
    this.#keepalive.stop()
    this.#hangUp(code, reason)
    if (this.info !== undefined || this.#options.closeTimeout === Number.POSITIVE_INFINITY) return
    this.#deadline = this.clock.setTimeout(() => this.#drop(''), this.#options.closeTimeout)
  }

  /** Sends our Close. On some hosts that tells the end at once, before this returns. */
  #hangUp(code: number, reason: string): void {
    const sent = this.capabilities.closeCodes ? code : applicationCode(code)
    this.#closing = { code: sent, reason }
    this.#socket.close(sent, reason)
  }

  #fail(code: number, reason: string): void {
    if (this.info !== undefined) return
    const said = fitReason(reason)
    const isFirst = this.#closing === undefined
    const sent = this.capabilities.closeCodes ? code : applicationCode(code)
    this.settle({ ...(this.#closing ?? { code: sent, reason: said }), wasClean: false, initiator: 'local' })
    if (isFirst) this.#hangUp(code, said)
    if (this.#options.closeTimeout === Number.POSITIVE_INFINITY || this.#gone) return
    this.#deadline = this.clock.setTimeout(() => this.#socket.terminate(), this.#options.closeTimeout)
  }

  #drop(reason: string): void {
    this.settle({ code: CloseCode.ABNORMAL_CLOSURE, reason, wasClean: false, initiator: 'local' })
    this.#socket.terminate()
  }

  #onClose(code: number, reason: string, wasClean: boolean): void {
    this.#gone = true
    if (this.#deadline !== undefined) this.clock.clearTimeout(this.#deadline)
    const ours = this.#closing
    // Without a Close of the peer the hosts do not agree on the code: Deno says 0, or 1001 when it gives up a peer.
    if (!wasClean || code === CloseCode.ABNORMAL_CLOSURE) {
      const initiator = ours === undefined ? 'transport' : 'local'
      this.settle({ code: CloseCode.ABNORMAL_CLOSURE, reason: '', wasClean: false, initiator })
    } else if (ours === undefined) {
      this.settle({ code, reason, wasClean, initiator: 'remote' })
    } else {
      this.settle({ ...ours, wasClean, initiator: 'local' })
    }
  }
}

/**
 * What a standard `WebSocket`, which sends 1000 and 3000–4999 alone, sends in place of another code: 3000 more, so that
 * 1001 goes out, and is reported, as 4001.
 */
export function applicationCode(code: number): number {
  return code === CloseCode.NORMAL_CLOSURE || code >= 3000 ? code : code + 3000
}

/** Whether a message is over a limit in bytes. Text is encoded only where its length in characters does not decide. */
function isLongerThan(data: string | Uint8Array, limit: number): boolean {
  if (data.length > limit) return true
  return typeof data === 'string' && data.length * 3 > limit && encoder.encode(data).length > limit
}
