/**
 * The sending half of a connection: what a handler sends goes out in the order of the calls.
 *
 * A message in fragments takes the turn: messages that are sent meanwhile wait behind it, control frames do not
 * (RFC 6455 §5.4).
 */
import { CloseCode } from '../codec/close-code.ts'
import { byteLength } from './byte-length.ts'
import { sendOptionsFault } from './call-options.ts'
import type { Sendable, SendableParts, SendMessageOptions } from './connection.ts'
import { MESSAGE_OVERHEAD } from './inbox.ts'
import type { Keepalive } from './keepalive.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { quietRejection } from './rejection.ts'
import { asBytes, asPayload, notSendable } from './sendable.ts'
import type { SharedMessage } from './shared-message.ts'

/** What sending asks of its connection. */
export interface SendGate {
  readonly connected: boolean
  /** Whether the handler has received all that is here. */
  readonly allReceived: boolean
  /** The error with which a send fails that comes too late. */
  sendError(): Error
  /** Ends the connection because of what happened to a send. */
  fail(code: number, reason: string): void
  /** Queues a message that other connections send as well. */
  queueShared(message: SharedMessage): void
}

/** Where messages go: our own framing, or that of a host. */
export interface MessageSink {
  /** @param messageFinished whether this is the last part of the message */
  sendText(text: string, messageFinished?: boolean, compress?: boolean): void
  sendBytes(payload: Uint8Array, messageFinished?: boolean, compress?: boolean): void
}

/** How much of what was sent has not left. */
export interface SendRoom {
  readonly bufferedAmount: number
  /** Whether a further message would have to wait. */
  readonly congested: boolean
  /**
   * Sees to it that what was sent leaves.
   *
   * @param waits whether to wait for room
   * @param last whether the handler has received all that is here
   * @returns resolves when there is room for more, or at once
   */
  commit(waits?: boolean, last?: boolean): Promise<boolean>
}

const DROPPED: Promise<boolean> = Promise.resolve(false)

/** The message that has the turn, and those that wait behind it. Mostly there is none. */
class Line {
  /** Settles when the last one in it is done. */
  last: Promise<unknown> | undefined
  /** Bytes of those that wait, and how many they are. */
  waiting = 0
  messagesWaiting = 0
  /** Gives up the wait for the next part of the message that has the turn. */
  abandon: ((error: Error) => void) | undefined
}

export class Sender {
  readonly #sink: MessageSink
  readonly #outbox: SendRoom
  readonly #keepalive: Keepalive
  readonly #options: ResolvedConnectionOptions
  readonly #gate: SendGate
  #line: Line | undefined

  constructor(
    sink: MessageSink,
    outbox: SendRoom,
    keepalive: Keepalive,
    options: ResolvedConnectionOptions,
    gate: SendGate,
  ) {
    this.#sink = sink
    this.#outbox = outbox
    this.#keepalive = keepalive
    this.#options = options
    this.#gate = gate
  }

  send(data: Sendable, options?: SendMessageOptions): Promise<boolean> {
    const wrong = sendOptionsFault(options)
    if (wrong !== undefined) return quietRejection(wrong)
    const payload = asPayload(data)
    if (payload === undefined) return quietRejection(notSendable(data))
    if (this.#line === undefined && !(payload instanceof Blob)) return this.#sendNow(payload, options)
    if (this.#line === undefined || this.#mayWait()) return this.#sendInTurn(payload, options)
    return this.#refused()
  }

  trySend(data: Sendable, options?: SendMessageOptions): boolean {
    const wrong = sendOptionsFault(options)
    if (wrong !== undefined) throw wrong
    const payload = asPayload(data)
    if (payload === undefined || payload instanceof Blob) throw notSendable(data)
    if (!this.#gate.connected || this.#line !== undefined || this.#outbox.congested) return false
    void this.#sendNow(payload, options)
    return true
  }

  sendStream(parts: SendableParts, options?: SendMessageOptions): Promise<boolean> {
    const wrong = sendOptionsFault(options)
    if (wrong !== undefined) return quietRejection(wrong)
    let source: AsyncIterator<unknown>
    try {
      source = iteratorOf(parts)
    } catch (error) {
      return quietRejection(error)
    }
    if (this.#line !== undefined && !this.#mayWait()) {
      void leave(source)
      return this.#refused()
    }
    const line = this.#standInLine()
    line.messagesWaiting++
    return this.#takeTurn(line, () => {
      line.messagesWaiting--
      return this.#sendParts(line, source, options)
    })
  }

  sendShared(message: SharedMessage): boolean {
    if (!this.#gate.connected) return false
    if (this.#line !== undefined) {
      const isTaken = this.#mayWait()
      if (isTaken) void this.#sendInTurn(message.data, { compress: message.compress })
      return isTaken
    }
    if (this.#outbox.congested && !this.#mayQueue()) return false
    this.#keepalive.active = true
    this.#gate.queueShared(message)
    void this.#outbox.commit(false)
    return true
  }

  /** The connection has ended: a message whose next part has not come is given up. */
  end(error: () => Error): void {
    this.#line?.abandon?.(error())
  }

  /** Bytes of messages that wait behind another one. */
  get waiting(): number {
    return this.#line?.waiting ?? 0
  }

  #sendNow(payload: string | Uint8Array, options: SendMessageOptions | undefined): Promise<boolean> {
    if (!this.#gate.connected) return quietRejection(this.#gate.sendError())
    if (this.#outbox.congested && !this.#mayQueue()) return this.#refused()
    this.#keepalive.active = true
    if (typeof payload === 'string') this.#sink.sendText(payload, true, options?.compress)
    else this.#sink.sendBytes(payload, true, options?.compress)
    return this.#outbox.commit(this.#options.sendPolicy === 'wait', this.#gate.allReceived)
  }

  /** Sends when it is this message's turn: behind one in parts, or once the bytes of a Blob are there. */
  #sendInTurn(payload: string | Uint8Array | Blob, options: SendMessageOptions | undefined): Promise<boolean> {
    const size = payload instanceof Blob ? payload.size : byteLength(payload)
    // The caller may fill its buffer anew long before the turn comes.
    let own = payload instanceof Uint8Array ? new Uint8Array(payload) : payload
    const line = this.#standInLine()
    line.waiting += size
    line.messagesWaiting++
    return this.#takeTurn(line, async () => {
      try {
        own = own instanceof Blob ? new Uint8Array(await own.arrayBuffer()) : own
      } finally {
        line.waiting -= size
        line.messagesWaiting--
      }
      return this.#sendNow(own, options)
    })
  }

  /** Whether one more message may wait for its turn: waiting messages count as unsent. */
  #mayWait(): boolean {
    return this.#gate.connected && (this.#held() <= this.#options.highWaterMark || this.#mayQueue())
  }

  /** What messages that wait for their turn count for. */
  #held(): number {
    return this.waiting + (this.#line?.messagesWaiting ?? 0) * MESSAGE_OVERHEAD
  }

  /** What `sendPolicy` says about one more message for a peer that does not read. */
  #mayQueue(): boolean {
    const { sendPolicy, maxBufferedAmount } = this.#options
    if (sendPolicy === 'drop') return false
    if (sendPolicy === 'wait' && this.#outbox.bufferedAmount + this.#held() <= maxBufferedAmount) return true
    this.#gate.fail(CloseCode.TRY_AGAIN_LATER, 'Peer reads too slowly')
    return false
  }

  /** The result of a refused send: dropped, or rejected because the connection ended. */
  #refused(): Promise<boolean> {
    return this.#gate.connected ? DROPPED : quietRejection(this.#gate.sendError())
  }

  #standInLine(): Line {
    this.#line ??= new Line()
    return this.#line
  }

  #takeTurn(line: Line, run: () => Promise<boolean>): Promise<boolean> {
    const result = line.last === undefined ? run() : line.last.then(run)
    const done = (): void => {
      if (line.last === last) this.#line = undefined
    }
    const last = result.then(done, done)
    line.last = last
    return result
  }

  async #sendParts(
    line: Line,
    source: AsyncIterator<unknown>,
    options: SendMessageOptions | undefined,
  ): Promise<boolean> {
    /** Of the message; `undefined` as long as nothing of it has been sent. */
    let isText: boolean | undefined
    let half = ''
    try {
      // Checked first: a connection that has ended will not call `abandon` again.
      if (!this.#gate.connected) throw this.#gate.sendError()
      for (let next = await nextPart(line, source); !next.done; next = await nextPart(line, source)) {
        let payload = ownPart(next.value)
        if (typeof payload === 'string') {
          payload = half + payload
          half = openSurrogate(payload)
          if (half !== '') payload = payload.slice(0, -1)
        }
        if (!this.#gate.connected) throw this.#gate.sendError()
        this.#keepalive.active = true
        if (typeof payload === 'string') this.#sink.sendText(payload, false, options?.compress)
        else this.#sink.sendBytes(payload, false, options?.compress)
        isText = typeof payload === 'string'
        await this.#outbox.commit()
      }
      if (!this.#gate.connected) throw this.#gate.sendError()
      if (isText === false) this.#sink.sendBytes(new Uint8Array(0), true, options?.compress)
      else this.#sink.sendText(half, true, options?.compress)
      return await this.#outbox.commit()
    } catch (error) {
      // A message that has begun can be neither finished nor taken back.
      if (isText !== undefined && this.#gate.connected) {
        this.#gate.fail(CloseCode.INTERNAL_ERROR, 'A message was cut short')
      }
      // Not awaited: a source that never gives its next part never returns either.
      void leave(source)
      throw error
    }
  }
}

/** The next part, or the end of the connection, whichever comes first. */
function nextPart(line: Line, source: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
  return new Promise((resolve, reject) => {
    line.abandon = reject
    source.next().then(resolve, reject)
  })
}

/** The high surrogate at the end of a part, whose other half begins the next one. */
function openSurrogate(text: string): string {
  const unit = text.charCodeAt(text.length - 1)
  return unit >= 0xd800 && unit <= 0xdbff ? text.slice(-1) : ''
}

/** A source may fill the same buffer again for its next part. */
function ownPart(part: unknown): string | Uint8Array {
  if (typeof part === 'string') return part
  const bytes = asBytes(part)
  if (bytes === undefined) throw notSendable(part)
  // Not `slice`: of a Buffer that is a view.
  return new Uint8Array(bytes)
}

/** @throws {TypeError} for what has no parts, or a stream that somebody else reads */
function iteratorOf(parts: SendableParts): AsyncIterator<unknown> {
  const isIterable = typeof (parts as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === 'function'
  if (!isIterable) throw new TypeError('Cannot send the parts: expected an AsyncIterable or a ReadableStream')
  return (parts as AsyncIterable<unknown>)[Symbol.asyncIterator]()
}

/** Tells a source that no more is wanted of it. What it throws then is nobody's any more. */
async function leave(source: AsyncIterator<unknown>): Promise<void> {
  try {
    await source.return?.()
  } catch {}
}
