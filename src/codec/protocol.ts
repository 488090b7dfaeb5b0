/**
 * The protocol after the opening handshake: bytes in, events out; events in, bytes out (RFC 6455 §5–§7).
 *
 * No I/O, no timer, no promise. Events are pulled: nothing is parsed until `nextEvent` is called, so a caller that
 * stops pulling leaves the bytes where they are. A violation of the peer is thrown once by `nextEvent`; after it all
 * input is dropped, and `ProtocolError.eventHint` is the Close that tells the peer why.
 */
import { Buffer, isUtf8 } from 'node:buffer'
import { assertLimit, assertReceived, assertRole } from './argument.ts'
import { CloseCode, isWireCloseCode, MAX_CONTROL_PAYLOAD } from './close-code.ts'
import { assertCloseReason } from './close-reason.ts'
import { ConnectionState, type FramingState, TRANSITIONS, type Trigger } from './connection-state.ts'
import { type EncodedFrame, encodeFrame } from './encoded-frame.ts'
import { LocalProtocolError, type ProtocolError, violation } from './errors.ts'
import type { CloseConnection, Message, OutgoingProtocolEvent, ProtocolEvent, Role } from './event.ts'
import type { Extension, OutboundFragment } from './extension.ts'
import { FrameDecoder } from './frame-decoder.ts'
import { FrameEncoder } from './frame-encoder.ts'
import { MessageReader } from './message-reader.ts'
import { isControl, Opcode } from './opcode.ts'
import { decodeUtf8 } from './utf8.ts'

/** What the opening handshake decided, and the limits. */
export interface ProtocolOptions {
  readonly role: Role
  /** The extensions that the handshake agreed on; those not `enabled` are left out. */
  readonly extensions?: readonly Extension[] | undefined
  /** Bytes that came behind the handshake. Taken over. */
  readonly trailingData?: Uint8Array | undefined
  /** Bytes, after decompression. @default 1_048_576 (1 MiB) */
  readonly maxMessageSize?: number | undefined
  /** @default 131_072 */
  readonly maxFragments?: number | undefined
}

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** The argument checks of `Protocol`, for callers that construct it later. */
export function checkProtocolOptions(options: ProtocolOptions): void {
  const { role, maxMessageSize = 0, maxFragments = 1 } = options
  assertRole(role)
  assertLimit('maxMessageSize', maxMessageSize, 0)
  assertLimit('maxFragments', maxFragments)
}

/** Shared by connections without extensions. */
const NO_EXTENSIONS: readonly Extension[] = []

/** One connection after its opening handshake (RFC 6455 §5 to §7), on either side. */
export class Protocol implements Iterable<ProtocolEvent> {
  readonly role: Role
  readonly extensions: readonly Extension[]
  /** Connections with the same one send the same bytes for a message; without one, they encode for themselves. */
  readonly outboundKey: string | undefined
  /** What is waiting to be written. The connection takes batches from here; `send` takes everything at once. */
  readonly output: FrameEncoder
  readonly #decoder: FrameDecoder
  readonly #reader: MessageReader
  #state: FramingState = ConnectionState.OPEN

  /** Whether a frame's header has been read and its payload not finished. */
  #inFrame = false
  /** Opcode of the message that is being sent in fragments, `CONTINUATION` when there is none. */
  #sending: number = Opcode.CONTINUATION
  /** What has arrived of a control frame's payload. */
  #control: Uint8Array = NO_BYTES
  /** The Close or the violation that the bytes have come to, until it is told. */
  #end: CloseConnection | ProtocolError | null = null
  #transportEnded = false

  /**
   * @throws {TypeError} for a role that is none
   * @throws {RangeError} for a limit that is neither a positive integer nor `Infinity`; a size may be 0
   */
  constructor(options: ProtocolOptions) {
    checkProtocolOptions(options)
    this.role = options.role
    const enabled = options.extensions?.filter((extension) => extension.enabled) ?? NO_EXTENSIONS
    this.extensions = enabled.length === 0 ? NO_EXTENSIONS : enabled
    const { maxMessageSize = 1_048_576, maxFragments = 131_072 } = options
    this.#decoder = new FrameDecoder(this.role, this.extensions)
    this.#reader = new MessageReader(this.#decoder, this.extensions, maxMessageSize, maxFragments)
    this.output = new FrameEncoder(this.role)
    for (const extension of this.extensions) extension.start(this.role, maxMessageSize)
    this.outboundKey = this.#commonKey()
    if (options.trailingData !== undefined) this.receiveData(options.trailingData)
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Whether `nextEvent` has bytes to look at. */
  get hasBytes(): boolean {
    return this.#decoder.hasBytes
  }

  /** Payload bytes of the frame under way that have been announced and have not arrived. */
  get frameRemaining(): number {
    return this.#inFrame ? this.#decoder.remaining : 0
  }

  /** Whether a message has begun to arrive and has not ended. */
  get receivingMessage(): boolean {
    return this.#reader.open
  }

  /** Bytes that are held of a message that `nextEvent` joins. */
  get joinedSize(): number {
    return this.#reader.joinedSize
  }

  /**
   * Takes out what has been joined of the message that is arriving: for text, the characters that are complete. What is
   * still to come of it comes in parts.
   */
  takeJoined(): Message {
    return this.#reader.takeJoined(false)
  }

  /**
   * Takes bytes from the transport, and their memory: payloads are unmasked in place. `null` says that the transport
   * has ended. Bytes that come after the end, a Close or a failure are dropped.
   *
   * @returns the events, parsed as they are asked for
   * @throws {TypeError} for anything else
   */
  receiveData(data: Uint8Array | null): this {
    if (data === null) {
      this.#transportEnded = true
      return this
    }
    assertReceived(data)
    if (this.#isReading() && this.#end === null && data.length > 0) this.#decoder.push(data)
    return this
  }

  /** Every event that the bytes so far give. */
  events(): Iterable<ProtocolEvent> {
    return this
  }

  *[Symbol.iterator](): Generator<ProtocolEvent, void, undefined> {
    for (let event = this.nextEvent(); event !== null; event = this.nextEvent()) yield event
  }

  /**
   * Parses on to the next event.
   *
   * @param deferEnd whether to stop in front of the end: a Close or a violation is then kept (`endPending`), and the
   *   state does not change, until the next call without it. A connection needs that to answer the messages in front
   * @param whole whether to join the parts of a message, so that an event carries a whole one; a message of which a
   *   part was given already goes on in parts
   * @returns `null` when more bytes are needed, or none are read any more
   * @throws {ProtocolError} once, when the peer broke the protocol
   */
  nextEvent(deferEnd: boolean = false, whole: boolean = false): ProtocolEvent | null {
    if (this.#isReading()) {
      if (this.#end === null) {
        const event = this.#parseToEnd(whole)
        if (event !== null) return event
      }
      if (this.#end !== null) return deferEnd ? null : this.#reachEnd(this.#end)
    }
    return this.#transportEnded ? this.#endOfTransport() : null
  }

  /** Whether the next event is the end, and was deferred. */
  get endPending(): boolean {
    return this.#end !== null
  }

  /**
   * Encodes an event.
   *
   * @returns the bytes to write, with everything else that was pending
   * @throws {LocalProtocolError} when the state forbids it
   * @throws {RangeError} for a close code, reason or control payload that may not be sent
   * @throws {TypeError} for text inside a binary message, or the other way round
   */
  send(event: OutgoingProtocolEvent): Uint8Array {
    switch (event.type) {
      case 'TextMessage':
        this.sendText(event.data, event.messageFinished, event.compress)
        break
      case 'BytesMessage':
        this.sendBytes(event.data, event.messageFinished, event.compress)
        break
      case 'Ping':
        this.sendPing(event.payload ?? NO_BYTES)
        break
      case 'Pong':
        this.sendPong(event.payload ?? NO_BYTES)
        break
      case 'CloseConnection':
        this.sendClose(event.code ?? CloseCode.NO_STATUS_RCVD, event.reason ?? '')
        break
      default:
        throw new LocalProtocolError(
          `Cannot send ${String((event as { type?: unknown }).type)} after the handshake`,
          'RFC 6455 §4',
        )
    }
    const pieces = this.output.take()
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces)
  }

  /** Queues text, or a fragment of it, in `output`. */
  sendText(text: string, messageFinished: boolean = true, compress?: boolean): void {
    if (typeof text !== 'string') throw new TypeError(`Cannot send ${typeof text} as text: not a string`)
    this.#stepMessage()
    const opcode = this.#fragmentOpcode(Opcode.TEXT, messageFinished)
    if (this.extensions.length === 0) this.output.text(opcode, text, messageFinished)
    else this.#transform(opcode, Buffer.from(text), messageFinished, compress)
  }

  /** Queues bytes, or a fragment of them, in `output`. */
  sendBytes(bytes: Uint8Array, messageFinished: boolean = true, compress?: boolean): void {
    assertBytes(bytes)
    this.#stepMessage()
    const opcode = this.#fragmentOpcode(Opcode.BINARY, messageFinished)
    if (this.extensions.length === 0) this.output.bytes(opcode, bytes, messageFinished, 0)
    else this.#transform(opcode, bytes, messageFinished, compress)
  }

  /** A whole message as connections with this `outboundKey` send it. Only where there is one. */
  encodeMessage(data: string | Uint8Array, compress?: boolean): EncodedFrame {
    this.#assertBetweenMessages()
    const isText = typeof data === 'string'
    const opcode = isText ? Opcode.TEXT : Opcode.BINARY
    const { payload, rsv } = this.#outbound(opcode, isText ? Buffer.from(data) : data, true, compress)
    return encodeFrame(opcode, payload, rsv)
  }

  /** Queues what `encodeMessage` made, here or on another connection; a server's, since a client masks each frame. */
  sendEncoded(frame: EncodedFrame): void {
    if (this.role === 'client') throw new LocalProtocolError('Cannot send a frame without a mask', 'RFC 6455 §5.1')
    this.#stepMessage()
    this.#assertBetweenMessages()
    this.output.encoded(frame)
  }

  #assertBetweenMessages(): void {
    if (this.#sending === Opcode.CONTINUATION) return
    throw new LocalProtocolError('Cannot send a message inside another one', 'RFC 6455 §5.4')
  }

  sendPing(payload: Uint8Array): void {
    assertControlPayload(payload)
    this.#step('sendPing')
    this.output.bytes(Opcode.PING, payload, true, 0)
  }

  /** Queues a Pong; while the connection closes there is nobody to read it, and nothing is sent. */
  sendPong(payload: Uint8Array): void {
    assertControlPayload(payload)
    if (this.#step('sendPong')) this.output.bytes(Opcode.PONG, payload, true, 0)
  }

  /**
   * Queues a Close (§5.5.1).
   *
   * @param code 1005 sends none
   */
  sendClose(code: number, reason: string = ''): void {
    const payload = closePayload(code, reason)
    this.#step('sendClose')
    this.output.bytes(Opcode.CLOSE, payload, true, 0)
  }

  /** Lifts or restores the limit on the size of messages, from the next frame on, in extensions as well. */
  set maxMessageSize(bytes: number) {
    this.#reader.maxMessageSize = bytes
    for (const extension of this.extensions) extension.start(this.role, bytes)
  }

  get maxMessageSize(): number {
    return this.#reader.maxMessageSize
  }

  /** §5.5.1: "If an endpoint receives a Close frame" nothing after it counts; after a failure nothing does. */
  #isReading(): boolean {
    return this.#state === ConnectionState.OPEN || this.#state === ConnectionState.LOCAL_CLOSING
  }

  /** Drops all input, that which is here and that which comes: the connection has ended for reasons of its own. */
  drop(): void {
    if (!this.#isReading()) return
    this.#end = null
    this.#decoder.drop()
    this.#step('transportEnd')
    this.#stopReading()
  }

  /** Lets go of what only messages to come would need. */
  #stopReading(): void {
    this.#reader.drop()
    for (const extension of this.extensions) extension.dispose()
  }

  /** Applies the transition table. Returns whether the trigger has an effect. */
  #step(trigger: Trigger): boolean {
    const next = TRANSITIONS[this.#state][trigger]
    if (next === 'ignore') return false
    if (next === 'forbid') {
      throw new LocalProtocolError(`Cannot ${trigger} in state ${this.#state}`, 'RFC 6455 §5.5.1')
    }
    this.#state = next as FramingState
    return true
  }

  /** As `step('sendMessage')`; of an open connection, which stays so, the table is not asked for each message. */
  #stepMessage(): void {
    if (this.#state !== ConnectionState.OPEN) this.#step('sendMessage')
  }

  /** The next event in front of the end; when the end is what comes next, keeps it and drops the bytes behind it. */
  #parseToEnd(whole: boolean): ProtocolEvent | null {
    try {
      const event = this.#parse(whole)
      if (event?.type !== 'CloseConnection') return event
      this.#end = event
    } catch (error) {
      this.#end = error as ProtocolError
    }
    this.#decoder.drop()
    return null
  }

  #reachEnd(end: CloseConnection | ProtocolError): CloseConnection {
    const failed = end instanceof Error
    this.#end = null
    this.#step(failed ? 'fail' : 'receiveClose')
    this.#stopReading()
    if (failed) throw end
    return end
  }

  #parse(whole: boolean): ProtocolEvent | null {
    const decoder = this.#decoder
    for (;;) {
      if (!this.#inFrame) {
        if (!decoder.readHeader()) return null
        if (!isControl(decoder.opcode)) this.#reader.begin()
        this.#inFrame = true
      }
      if (!decoder.readPiece()) return null
      const event = isControl(decoder.opcode) ? this.#controlPiece() : this.#reader.read(whole)
      if (decoder.remaining === 0) this.#inFrame = false
      decoder.advance()
      if (event !== null) return event
    }
  }

  #controlPiece(): ProtocolEvent | null {
    const decoder = this.#decoder
    const before = this.#control
    const piece = decoder.chunk.subarray(decoder.pieceStart, decoder.pieceEnd)
    const payload = new Uint8Array(before.length + piece.length)
    payload.set(before)
    payload.set(piece, before.length)
    const finished = decoder.remaining === 0
    this.#control = finished ? NO_BYTES : payload
    if (!finished) return null
    if (decoder.opcode === Opcode.PING) return { type: 'Ping', payload }
    if (decoder.opcode === Opcode.PONG) return { type: 'Pong', payload }
    return closeEvent(payload)
  }

  /** §7.1.5: when the transport ends without a Close, the code is 1006. Told once. */
  #endOfTransport(): CloseConnection | null {
    const open = this.#state !== ConnectionState.CLOSED && this.#state !== ConnectionState.FAILED
    const cut = open && this.#state !== ConnectionState.REMOTE_CLOSING
    this.#step('transportEnd')
    this.#stopReading()
    if (!cut) return null
    return { type: 'CloseConnection', code: CloseCode.ABNORMAL_CLOSURE, reason: '' }
  }

  /** §5.4: the first fragment names the type, the others continue it. */
  #fragmentOpcode(opcode: number, messageFinished: boolean): number {
    const open = this.#sending
    if (open === Opcode.CONTINUATION) {
      if (!messageFinished) this.#sending = opcode
      return opcode
    }
    if (open !== opcode) {
      throw new TypeError(
        `Cannot send ${opcode === Opcode.TEXT ? 'text' : 'bytes'} inside a ${open === Opcode.TEXT ? 'text' : 'binary'} message`,
      )
    }
    if (messageFinished) this.#sending = Opcode.CONTINUATION
    return Opcode.CONTINUATION
  }

  /** Runs a fragment through the extensions and encodes what comes out. */
  #transform(opcode: number, payload: Uint8Array, fin: boolean, compress: boolean | undefined): void {
    const fragment = this.#outbound(opcode, payload, fin, compress)
    this.output.bytes(opcode, fragment.payload, fin, fragment.rsv)
  }

  /** What the extensions make of a fragment, in reverse order. */
  #outbound(opcode: number, payload: Uint8Array, fin: boolean, compress: boolean | undefined): OutboundFragment {
    let rsv = 0
    for (let index = this.extensions.length - 1; index >= 0; index--) {
      const fragment = (this.extensions[index] as Extension).outbound(opcode, payload, fin, compress)
      payload = fragment.payload
      rsv |= fragment.rsv
    }
    return { payload, rsv }
  }

  /** §5.3: a client masks each frame with a key of its own. */
  #commonKey(): string | undefined {
    if (this.role === 'client') return undefined
    const keys = this.extensions.map((extension) => extension.outboundKey)
    return keys.includes(undefined) ? undefined : keys.join(', ')
  }
}

/** The encoder writes into memory that connections share, so a payload of any other type must not reach it. */
function assertBytes(payload: unknown): void {
  if (!(payload instanceof Uint8Array)) throw new TypeError(`Cannot send ${typeof payload} as bytes: not a Uint8Array`)
}

/** §5.5: control payloads have at most 125 bytes. */
function assertControlPayload(payload: Uint8Array): void {
  assertBytes(payload)
  if (payload.length > MAX_CONTROL_PAYLOAD) {
    throw new RangeError(`Cannot send a control frame of ${payload.length} bytes: the limit is ${MAX_CONTROL_PAYLOAD}`)
  }
}

/**
 * The payload of a Close (§5.5.1).
 *
 * @throws {TypeError} for a reason that is not a string
 * @throws {RangeError} for a code that may not stand on the wire, or a reason of more than 123 bytes
 */
function closePayload(code: number, reason: string): Uint8Array {
  assertCloseReason(reason)
  const text = Buffer.from(reason)
  if (code === CloseCode.NO_STATUS_RCVD) {
    if (text.length > 0) throw new RangeError('Cannot send a close reason without a code')
    return NO_BYTES
  }
  if (!isWireCloseCode(code))
    throw new RangeError(`Cannot send close code ${code}: not 1000–1003, 1007–1014 or 3000–4999`)
  const payload = new Uint8Array(2 + text.length)
  payload[0] = code >> 8
  payload[1] = code
  payload.set(text, 2)
  return payload
}

/** §7.1.5, §7.1.6, §7.4: code and reason of a received Close. */
function closeEvent(payload: Uint8Array): CloseConnection {
  if (payload.length === 0) return { type: 'CloseConnection', code: CloseCode.NO_STATUS_RCVD, reason: '' }
  if (payload.length === 1) throw violation('CLOSE_PAYLOAD_TOO_SHORT')
  const code = ((payload[0] as number) << 8) | (payload[1] as number)
  if (!isWireCloseCode(code)) throw violation('CLOSE_CODE_INVALID', ` ${code}`)
  const text = payload.subarray(2)
  if (!isUtf8(text)) throw violation('CLOSE_REASON_NOT_UTF8')
  return { type: 'CloseConnection', code, reason: decodeUtf8(text) as string }
}
