/**
 * The receiving half of a connection: bytes become events, and messages go to whoever waits for one.
 *
 * How much is parsed follows what is received, and how much is read follows what is parsed: a full inbox ends in a
 * paused transport. Control frames, and the end, must be seen behind messages that nobody reads, so a little more than
 * fits is parsed and read all the same.
 */
import { CloseCode } from '../codec/close-code.ts'
import { ProtocolError } from '../codec/errors.ts'
import type { CloseConnection, Message, Ping, Pong, ProtocolEvent } from '../codec/event.ts'
import type { Protocol } from '../codec/protocol.ts'
import type { Clock, TimerHandle } from './clock.ts'
import { Delivery, type Inbox } from './inbox.ts'
import type { Keepalive } from './keepalive.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { PartStream } from './streams.ts'
import type { ByteTransport } from './transport.ts'

/** What is received beside messages. */
export type ControlEvent = Ping | Pong | CloseConnection

/** What receiving asks of its connection. */
export interface ReceiveGate {
  /** Whether the connection has ended: what comes in is looked at only for the peer's Close. */
  readonly ended: boolean
  /** Whether our Close was sent: what finds no room is discarded, since the peer's Close is behind it. */
  readonly closing: boolean
  onControl(event: ControlEvent): void
  /** The error for a reader that is given up because of our Close. */
  sendError(): Error
  /** Ends the connection because of what the peer did. */
  fail(code: number, reason: string): void
}

/** What receiving works with. */
export interface ReceiverParts {
  readonly transport: ByteTransport
  readonly protocol: Protocol
  readonly clock: Clock
  readonly options: ResolvedConnectionOptions
  readonly inbox: Inbox
  readonly keepalive: Keepalive
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

/** The receiving half. */
export class Receiver {
  readonly #transport: ByteTransport
  readonly #protocol: Protocol
  readonly #clock: Clock
  readonly #options: ResolvedConnectionOptions
  readonly #inbox: Inbox
  readonly #keepalive: Keepalive
  readonly #gate: ReceiveGate
  /** Whether the transport does not read at the moment. */
  paused = false
  /** Whether the peer has ended its side. */
  transportEnded = false
  /** The message that is being delivered in parts. */
  #parts: PartStream | undefined
  /** Whether the inbox holds more than its limits. */
  #overfull = false
  /** Bytes that are read before it pauses. */
  #grace = 0
  /** Whether a `receive({ timeout: 0 })` is running. */
  #polling = false
  #readAhead = 0
  /** Inflated bytes since we last yielded, and the timer that ends the yield. */
  #turnBytes = 0
  #rest: TimerHandle

  constructor({ transport, protocol, clock, options, inbox, keepalive }: ReceiverParts, gate: ReceiveGate) {
    this.#transport = transport
    this.#protocol = protocol
    this.#clock = clock
    this.#options = options
    this.#inbox = inbox
    this.#keepalive = keepalive
    this.#gate = gate
  }

  /** A caller is about to wait, or asks for a message and does not wait: what was held is parsed. */
  beforeWait(polling: boolean): void {
    this.#polling = polling
    if (this.#protocol.hasBytes || this.#protocol.endPending || this.#overfull) this.pump()
    this.#polling = false
  }

  /** A message was taken from the inbox. */
  afterTake(): void {
    if (this.#overfull) this.pump()
  }

  /** A message of which a part is here already, in parts; `null` when there is none. */
  streamOpenMessage(): ReadableStream<string> | ReadableStream<Uint8Array> | null {
    if (this.#protocol.hasBytes) this.pump()
    if (this.#inbox.length > 0 || !this.#protocol.receivingMessage || this.#parts !== undefined) return null
    return this.#openParts(this.#protocol.takeJoined()).stream
  }

  /** The peer has ended its side: everything that it sent is parsed. */
  onEnd(): void {
    this.transportEnded = true
    this.#protocol.receiveData(null)
    this.pump()
  }

  /** The connection has ended: a message in parts will get no more of them. */
  end(error: () => Error): void {
    if (this.#rest !== undefined) this.#clock.clearTimeout(this.#rest)
    this.#rest = undefined
    this.#parts?.fail(error())
    this.#parts = undefined
  }

  onData(chunk: Uint8Array): void {
    this.#keepalive.alive = true
    const wasOverfull = this.#overfull
    this.#protocol.receiveData(chunk)
    this.pump()
    if (!wasOverfull || !this.#overfull || this.paused) return
    this.#grace -= chunk.length
    if (this.#grace > 0) return
    this.paused = true
    this.#transport.pause()
  }

  /** Parses on while there is room for what comes out. */
  pump(): void {
    const protocol = this.#protocol
    while (this.#hasRoom()) {
      const event = protocol.nextEvent(true, !this.#inParts())
      if (event === null) break
      this.#dispatch(event)
    }
    if (protocol.endPending) this.#holdEnd()
    // The low mark is half of the high one, so that reading does not start and stop with every message.
    const mark = this.#overfull ? 0.5 : 1
    const { inboxBytes, inboxMessages } = this.#options
    const { bytes, length } = this.#inbox
    const full = bytes > inboxBytes * mark || length > inboxMessages * mark || !this.#hasRoom()
    // While we close, what finds no room is discarded: the peer's Close is behind it.
    this.#overfull = !this.#gate.ended && (this.#gate.closing ? !this.#hasRoom() : full)
    if (this.#overfull) return
    this.#grace = this.#fullGrace()
    this.readOn()
  }

  /**
   * The peer's Close, or what it did wrong, came behind messages: the handler gets this turn to answer them, since
   * nothing may follow our Close. One that waits for a message has answered all.
   */
  #holdEnd(): void {
    if (this.#inbox.waiter !== undefined) this.reachEnd()
    else this.#clock.afterTurn(() => this.reachEnd())
  }

  /** Tells the end that was held back. */
  reachEnd(): void {
    try {
      const event = this.#protocol.nextEvent(false, !this.#inParts())
      if (event !== null) this.#dispatch(event)
    } catch (error) {
      if (error instanceof ProtocolError) this.#gate.fail(error.closeCode, error.message)
      else this.#gate.fail(CloseCode.INTERNAL_ERROR, `Internal error: ${String(error)}`)
    }
  }

  /**
   * Whether another event may be parsed. A caller that waits gets a message of any size that is allowed; without one,
   * a message that is arriving counts as unread.
   */
  #hasRoom(): boolean {
    if (this.#gate.ended) return true
    if (this.#rest !== undefined && !this.#polling && !this.transportEnded) return false
    if (this.#gate.closing) return true
    if (this.#parts !== undefined) return this.#parts.wantsMore || this.transportEnded
    if (this.#inbox.waiter !== undefined) return true
    if (this.#polling) return this.#inbox.length === 0
    const factor = this.transportEnded ? PARSE_AHEAD * PARSE_AHEAD : PARSE_AHEAD
    const limit = this.#options.inboxBytes * factor + this.#readAhead * this.#fullGrace()
    return this.#inbox.bytes + this.#protocol.joinedSize < limit
  }

  #fullGrace(): number {
    return Math.min(this.#options.inboxBytes, MAX_GRACE)
  }

  /** Reads on if it had paused. */
  readOn(): void {
    if (!this.paused) return
    this.paused = false
    this.#readAhead = 0
    this.#transport.resume()
  }

  /** The inbox has been full for a ping interval: a Close or a Ping behind it must not wait for ever. */
  readAhead(): void {
    if (this.#readAhead === MAX_READ_AHEAD) return
    this.#readAhead++
    this.#grace = this.#fullGrace()
    this.pump()
    if (this.paused) {
      this.paused = false
      this.#transport.resume()
    }
  }

  #dispatch(event: ProtocolEvent): void {
    if (event.type === 'TextMessage' || event.type === 'BytesMessage') this.#onMessage(event)
    else this.#gate.onControl(event)
  }

  #onMessage(part: Message): void {
    // What comes behind the end is looked at only for the peer's Close.
    if (this.#gate.ended) return
    this.#keepalive.active = true
    if (this.#protocol.extensions.length > 0) this.#countTurn(part.data.length)
    if (this.#parts !== undefined) {
      this.#pushPart(this.#parts, part)
      return
    }
    if (!part.messageFinished) {
      const waiter = this.#inbox.takeWaiter()
      waiter.resolve(this.#openParts(part).stream)
      return
    }
    // After our Close we wait only for the peer's; messages that find no room are discarded.
    const unwanted = this.#gate.closing && this.#inbox.bytes > this.#options.inboxBytes
    if (!unwanted || this.#inbox.waiter !== undefined) this.#inbox.push(part.data as string | Uint8Array<ArrayBuffer>)
  }

  #countTurn(bytes: number): void {
    this.#turnBytes += bytes
    if (this.#turnBytes < MAX_TURN_BYTES || this.#rest !== undefined) return
    this.#rest = this.#clock.setTimeout(() => {
      this.#rest = undefined
      this.#turnBytes = 0
      this.pump()
    }, 0)
  }

  /** Whether the message that comes next, or is coming, is wanted in parts. */
  #inParts(): boolean {
    if (this.#parts !== undefined) return true
    const { waiter } = this.#inbox
    return waiter !== undefined && waiter.delivery === Delivery.STREAM
  }

  #openParts(first: Message): PartStream {
    const parts = new PartStream(() => this.pump())
    this.#parts = parts
    this.#pushPart(parts, first)
    return parts
  }

  #pushPart(parts: PartStream, part: Message): void {
    if (part.messageFinished) this.#parts = undefined
    // After our Close the peer's must not wait behind a stream that nobody reads.
    if (this.#gate.closing && !parts.wantsMore) parts.fail(this.#gate.sendError())
    parts.push(part.type === 'BytesMessage' ? new Uint8Array(part.data) : part.data, part.messageFinished)
  }
}
