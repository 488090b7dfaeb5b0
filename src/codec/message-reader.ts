/**
 * Receiving messages: fragments, limits, UTF-8 and extensions (RFC 6455 §5.4, §8.1, §9.2).
 *
 * Takes the pieces of data frames from the decoder and makes events of them, in parts as they come or joined.
 */
import { Buffer } from 'node:buffer'
import { type Violation, violation } from './errors.ts'
import type { BytesMessage, Message, TextMessage } from './event.ts'
import type { Extension } from './extension.ts'
import type { FrameDecoder } from './frame-decoder.ts'
import { Opcode } from './opcode.ts'
import { PartJoiner } from './part-joiner.ts'
import { type StringBuffer, stringBuffer, Utf8Decoder } from './utf8.ts'

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** One message at a time. */
export class MessageReader {
  /** As `ProtocolOptions` has it; for frames that begin from now on. */
  maxMessageSize: number
  readonly #maxFragments: number
  readonly #decoder: FrameDecoder
  readonly #extensions: readonly Extension[]
  /** Opcode of the message that is being received, `CONTINUATION` when there is none (§5.4). */
  #opcode: number = Opcode.CONTINUATION
  /** Whether an extension transforms that message: its frame lengths then say nothing about its size. */
  #transformed = false
  #received = 0
  #fragments = 0
  /** The parts of that message, when they are joined here. */
  #parts: PartJoiner | undefined
  #decoding: Utf8Decoder | undefined
  /** Whether a part of that message was given already: the rest comes in parts as well. */
  #inParts = false

  constructor(decoder: FrameDecoder, extensions: readonly Extension[], maxMessageSize: number, maxFragments: number) {
    this.#decoder = decoder
    this.#extensions = extensions
    this.maxMessageSize = maxMessageSize
    this.#maxFragments = maxFragments
  }

  // Made when the first message asks for them: many connections get nothing but short ASCII in one piece.

  #joiner(): PartJoiner {
    this.#parts ??= new PartJoiner()
    return this.#parts
  }

  #utf8(): Utf8Decoder {
    this.#decoding ??= new Utf8Decoder()
    return this.#decoding
  }

  /** Whether a message has begun and has not ended. */
  get open(): boolean {
    return this.#opcode !== Opcode.CONTINUATION
  }

  /** §5.4 for the data frame whose header was just read. */
  begin(): void {
    const { opcode, length, ownedRsv } = this.#decoder
    if (opcode === Opcode.CONTINUATION) {
      if (this.#opcode === Opcode.CONTINUATION) throw violation('UNEXPECTED_CONTINUATION')
    } else {
      if (this.#opcode !== Opcode.CONTINUATION) throw violation('EXPECTED_CONTINUATION')
      this.#opcode = opcode
      this.#transformed = ownedRsv !== 0
      this.#received = 0
      this.#fragments = 0
      this.#inParts = false
    }
    // §10.4: an implementation protects itself from messages of many small frames as it does from large ones.
    if (++this.#fragments > this.#maxFragments) throw violation('TOO_MANY_FRAGMENTS')
    if (!this.#transformed && this.#received + length > this.maxMessageSize) throw violation('MESSAGE_TOO_BIG')
  }

  /**
   * Makes the event for the piece that was just read, or keeps the piece until its message is whole.
   *
   * @param whole whether to join the parts of a message, unless one was given already
   */
  read(whole: boolean): Message | null {
    const decoder = this.#decoder
    const frameFinished = decoder.remaining === 0
    const messageFinished = frameFinished && decoder.fin
    const { pieceStart, pieceEnd } = decoder
    // A message in one piece needs no joining; one of which parts are held already is joined to its end.
    const lone = messageFinished && this.#received === 0
    const join = !this.#inParts && !lone && (whole || this.joinedSize > 0)
    const message =
      this.#extensions.length === 0
        ? this.#part(decoder.chunk, pieceStart, pieceEnd, decoder.pieceAscii, frameFinished, messageFinished, join)
        : this.#inverse(decoder.chunk.subarray(pieceStart, pieceEnd), frameFinished, messageFinished, join)
    if (messageFinished) this.#opcode = Opcode.CONTINUATION
    return message
  }

  /** Bytes that are held of the message that is being joined. */
  get joinedSize(): number {
    return this.#parts?.size ?? 0
  }

  /** Takes out what has been joined so far; for text, the characters that are complete. */
  takeJoined(messageFinished: boolean): Message {
    const frameFinished = messageFinished
    this.#inParts = true
    if (this.#opcode === Opcode.BINARY) {
      return { type: 'BytesMessage', data: this.#joiner().takeBytes(), frameFinished, messageFinished }
    }
    const data = this.#joiner().takeText(this.#joiner().size - this.#utf8().carried)
    return { type: 'TextMessage', data, frameFinished, messageFinished }
  }

  /** Lets go of what is held. */
  drop(): void {
    this.#parts?.drop()
  }

  /** Makes the event for a range of plain payload. */
  #part(
    bytes: StringBuffer,
    start: number,
    end: number,
    ascii: boolean,
    frameFinished: boolean,
    messageFinished: boolean,
    join: boolean,
  ): Message | null {
    const first = this.#received === 0
    this.#received += end - start
    // §7.4.1, again on what an extension made of the payload.
    if (this.#received > this.maxMessageSize) throw violation('MESSAGE_TOO_BIG')
    if (join) return this.#join(bytes, start, end, ascii, messageFinished)
    this.#inParts = true
    if (this.#opcode === Opcode.TEXT) {
      const plain = ascii && first && messageFinished
      const data = plain
        ? bytes.latin1Slice(start, end)
        : this.#utf8().decode(bytes, start, end, ascii, messageFinished)
      // §8.1: "the endpoint MUST _Fail the WebSocket Connection_"
      if (data === undefined) throw violation('TEXT_NOT_UTF8')
      return { type: 'TextMessage', data, frameFinished, messageFinished }
    }
    // A part is a view of its chunk; a whole message is not, and neither is what an extension will overwrite.
    const shared = !(first && messageFinished) && this.#extensions.length === 0
    const data = shared ? bytes.subarray(start, end) : ownCopy(bytes, start, end)
    return { type: 'BytesMessage', data, frameFinished, messageFinished }
  }

  /** Keeps a range of payload. Returns the message when it is the last. */
  #join(bytes: StringBuffer, start: number, end: number, ascii: boolean, messageFinished: boolean): Message | null {
    const text = this.#opcode === Opcode.TEXT
    if (text) {
      const checked = this.#utf8().check(bytes, start, end, ascii, messageFinished)
      // §8.1: "the endpoint MUST _Fail the WebSocket Connection_", and at once, not when the message is whole.
      if (checked === undefined) throw violation('TEXT_NOT_UTF8')
      this.#joiner().ascii &&= checked
    }
    // What a frame of transformed payload will give is not known.
    this.#joiner().append(bytes, start, end, text, this.#transformed ? 0 : this.#decoder.remaining)
    return messageFinished ? this.takeJoined(true) : null
  }

  /** Runs a piece through the extensions, in order, and makes the event of what comes out. */
  #inverse(piece: Uint8Array, frameFinished: boolean, messageFinished: boolean, join: boolean): Message | null {
    let bytes: Uint8Array | Violation = piece
    for (const extension of this.#extensions) {
      bytes = extension.inboundPayload(bytes)
      if (typeof bytes === 'string') throw violation(bytes)
    }
    if (!frameFinished) return this.#plain(bytes, false, false, join)
    // The end of a frame may bring more; what came before must be consumed first, since an extension reuses its memory.
    const before = bytes.length > 0 ? this.#plain(bytes, false, false, join) : null
    let rest: Uint8Array | Violation = NO_BYTES
    for (const extension of this.#extensions) {
      if (rest.length > 0) rest = extension.inboundPayload(rest)
      if (typeof rest === 'string') throw violation(rest)
      const more = extension.inboundComplete(this.#decoder.fin)
      if (typeof more === 'string') throw violation(more)
      rest = rest.length === 0 ? more : Buffer.concat([rest, more])
    }
    const after = this.#plain(rest, true, messageFinished, join)
    return before === null || after === null ? after : joined(before, after)
  }

  /** Makes the event for what an extension gave. */
  #plain(bytes: Uint8Array, frameFinished: boolean, messageFinished: boolean, join: boolean): Message | null {
    return this.#part(stringBuffer(bytes), 0, bytes.length, false, frameFinished, messageFinished, join)
  }
}

/** Bytes in a buffer of their own, so that a receiver never sees a neighbour's through `buffer`. */
function ownCopy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

/** One event for two parts that follow each other. */
function joined(before: Message, after: Message): Message {
  if (after.data.length === 0) return { ...after, data: before.data } as Message
  if (before.type === 'TextMessage') return { ...after, data: before.data + after.data } as TextMessage
  const data = new Uint8Array(before.data.length + after.data.length)
  data.set(before.data)
  data.set((after as BytesMessage).data, before.data.length)
  return { ...after, data } as BytesMessage
}
