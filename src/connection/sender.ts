/**
 * The sending half of a framed connection: what a handler sends becomes frames, in the order of the calls.
 *
 * A message in fragments takes the turn: messages that are sent meanwhile wait behind it, control frames do not
 * (RFC 6455 §5.4).
 */
import { CloseCode } from '../codec/close-code.ts'
import { encodeFrame } from '../codec/frame-encoder.ts'
import { Opcode } from '../codec/opcode.ts'
import type { Protocol } from '../codec/protocol.ts'
import type { Sendable, SendableParts, SendMessageOptions } from './connection.ts'
import type { Keepalive } from './keepalive.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import { quietRejection } from './rejection.ts'
import { asBytes, asPayload, notSendable } from './sendable.ts'
import type { SharedMessage } from './shared-message.ts'

/** What sending asks of its connection. */
export interface SendGate {
  readonly connected: boolean
  /** The error with which a send fails that comes too late. */
  sendError(): Error
  /** Ends the connection because of what happened to a send. */
  fail(code: number, reason: string): void
}

/** A message as a server sends it (RFC 6455 §5.1, §5.2). */
function unmaskedFrame(data: string | Uint8Array): Uint8Array {
  return encodeFrame(typeof data === 'string' ? Opcode.TEXT : Opcode.BINARY, data, true, 0)
}

const DROPPED: Promise<boolean> = Promise.resolve(false)

export class Sender {
  readonly #protocol: Protocol
  readonly #outbox: Outbox
  readonly #keepalive: Keepalive
  readonly #options: ResolvedConnectionOptions
  readonly #gate: SendGate
  /** Settles when the send that has the turn, and all that wait behind it already, are done. */
  #turn: Promise<unknown> | undefined

  constructor(
    protocol: Protocol,
    outbox: Outbox,
    keepalive: Keepalive,
    options: ResolvedConnectionOptions,
    gate: SendGate,
  ) {
    this.#protocol = protocol
    this.#outbox = outbox
    this.#keepalive = keepalive
    this.#options = options
    this.#gate = gate
  }

  send(data: Sendable, options?: SendMessageOptions): Promise<boolean> {
    const payload = asPayload(data)
    if (payload === undefined) return quietRejection(notSendable(data))
    if (this.#turn === undefined && !(payload instanceof Blob)) return this.#sendNow(payload, options)
    return this.#takeTurn(async () =>
      this.#sendNow(payload instanceof Blob ? new Uint8Array(await payload.arrayBuffer()) : payload, options),
    )
  }

  trySend(data: Sendable, options?: SendMessageOptions): boolean {
    const payload = asPayload(data)
    if (payload === undefined || payload instanceof Blob) throw notSendable(data)
    if (!this.#gate.connected || this.#turn !== undefined || this.#outbox.congested) return false
    void this.#sendNow(payload, options)
    return true
  }

  sendStream(parts: SendableParts, options?: SendMessageOptions): Promise<boolean> {
    return this.#takeTurn(() => this.#sendParts(parts, options))
  }

  sendShared(message: SharedMessage): boolean {
    if (!this.#gate.connected) return false
    if (this.#turn !== undefined) {
      void this.send(message.data)
      return true
    }
    if (this.#outbox.congested && !this.#mayQueue()) return false
    this.#keepalive.active = true
    this.#protocol.sendEncoded(message.frame(unmaskedFrame))
    void this.#outbox.commit()
    return true
  }

  #sendNow(payload: string | Uint8Array, options: SendMessageOptions | undefined): Promise<boolean> {
    if (!this.#gate.connected) return quietRejection(this.#gate.sendError())
    if (this.#outbox.congested && !this.#mayQueue()) {
      return this.#gate.connected ? DROPPED : quietRejection(this.#gate.sendError())
    }
    this.#keepalive.active = true
    if (typeof payload === 'string') this.#protocol.sendText(payload, true, options?.compress)
    else this.#protocol.sendBytes(payload, true, options?.compress)
    return this.#outbox.commit()
  }

  /** What `sendPolicy` says about one more message for a peer that does not read. */
  #mayQueue(): boolean {
    const { sendPolicy, maxBufferedAmount } = this.#options
    if (sendPolicy === 'drop') return false
    if (sendPolicy === 'wait' && this.#outbox.bufferedAmount <= maxBufferedAmount) return true
    this.#gate.fail(CloseCode.TRY_AGAIN_LATER, 'Peer reads too slowly')
    return false
  }

  #takeTurn(run: () => Promise<boolean>): Promise<boolean> {
    const result = this.#turn === undefined ? run() : this.#turn.then(run)
    const done = (): void => {
      if (this.#turn === turn) this.#turn = undefined
    }
    const turn = result.then(done, done)
    this.#turn = turn
    return result
  }

  async #sendParts(parts: SendableParts, options: SendMessageOptions | undefined): Promise<boolean> {
    let sent: 'nothing' | 'text' | 'bytes' = 'nothing'
    try {
      for await (const part of parts as AsyncIterable<unknown>) {
        // A source may fill the same buffer again for its next part.
        const payload = typeof part === 'string' ? part : asBytes(part)?.slice()
        if (payload === undefined) throw notSendable(part)
        if (!this.#gate.connected) throw this.#gate.sendError()
        this.#keepalive.active = true
        if (typeof payload === 'string') this.#protocol.sendText(payload, false, options?.compress)
        else this.#protocol.sendBytes(payload, false, options?.compress)
        sent = typeof payload === 'string' ? 'text' : 'bytes'
        await this.#outbox.commit()
      }
      if (!this.#gate.connected) throw this.#gate.sendError()
      if (sent === 'bytes') this.#protocol.sendBytes(new Uint8Array(0), true, options?.compress)
      else this.#protocol.sendText('', true, options?.compress)
      return await this.#outbox.commit()
    } catch (error) {
      // A message that has begun can be neither finished nor taken back.
      if (sent !== 'nothing') this.#gate.fail(CloseCode.INTERNAL_ERROR, 'A message was cut short')
      throw error
    }
  }
}
