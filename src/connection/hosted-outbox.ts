/** What leaves through a hosted socket: whole messages, and the callers that wait for room. */
import { byteLength } from './byte-length.ts'
import type { HostedSocket } from './hosted-socket.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { type PromiseWithResolver, promiseWithResolver } from './promise-with-resolver.ts'
import { quietRejection, rejectQuietly } from './rejection.ts'
import type { MessageSink, SendRoom } from './sender.ts'

const SENT: Promise<boolean> = Promise.resolve(true)

/** Shared by outboxes without a message in parts. */
const NO_PARTS: (string | Uint8Array)[] = []

export class HostedOutbox implements MessageSink, SendRoom {
  readonly #socket: HostedSocket
  readonly #options: ResolvedConnectionOptions
  /** Parts of a message whose last part has not come. */
  #parts: (string | Uint8Array)[] = NO_PARTS
  /** Bytes of them. */
  #partsSize = 0
  /** The wait for room, one for all who wait. */
  #room: PromiseWithResolver<boolean> | undefined
  /** How often those who wait have looked for room. */
  #looks = 0
  /** Why the host did not take the last message, if so. */
  refusal: unknown

  constructor(socket: HostedSocket, options: ResolvedConnectionOptions) {
    this.#socket = socket
    this.#options = options
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount + this.#partsSize
  }

  get congested(): boolean {
    return this.#socket.bufferedAmount > this.#options.highWaterMark
  }

  sendText(text: string, messageFinished: boolean = true, compress?: boolean): void {
    this.#take(text, messageFinished, compress)
  }

  sendBytes(payload: Uint8Array, messageFinished: boolean = true, compress?: boolean): void {
    this.#take(payload, messageFinished, compress)
  }

  /** A whole message. */
  sendMessage(data: string | Uint8Array, compress: boolean | undefined): void {
    this.refusal = undefined
    try {
      this.#socket.send(typeof data === 'string' ? wellFormed(data) : data, compress)
    } catch (error) {
      this.refusal = error
    }
  }

  commit(waits: boolean = true): Promise<boolean> {
    if (this.refusal !== undefined) return quietRejection(this.refusal)
    if (!waits || !this.congested) return SENT
    if (this.#room === undefined) {
      this.#room = promiseWithResolver()
      this.#looks = 0
      this.#look()
    }
    return this.#room.promise
  }

  /** The connection has ended: nobody gets room any more. */
  end(error: () => Error): void {
    this.#forgetParts()
    const room = this.#room
    this.#room = undefined
    if (room !== undefined) rejectQuietly(room.promise, room.reject, error())
  }

  readonly #onDrained = (): void => {
    const room = this.#room
    if (room === undefined) return
    if (this.congested) {
      this.#look()
      return
    }
    this.#room = undefined
    room.resolve(true)
  }

  #look(): void {
    this.#socket.onceDrained(this.#onDrained, this.#looks++)
  }

  #take(part: string | Uint8Array, messageFinished: boolean, compress: boolean | undefined): void {
    this.refusal = undefined
    if (messageFinished && this.#parts.length === 0) {
      this.sendMessage(part, compress)
      return
    }
    if (this.#parts === NO_PARTS) this.#parts = []
    if (this.#parts.length > 0 && typeof this.#parts[0] !== typeof part) {
      throw new TypeError('All parts of a message must be text, or all binary')
    }
    this.#partsSize += byteLength(part)
    if (this.#partsSize > this.#options.maxBufferedAmount) {
      this.#forgetParts()
      throw new RangeError(
        `sendStream: this host has no fragments, and the message is longer than maxBufferedAmount (${this.#options.maxBufferedAmount} bytes)`,
      )
    }
    this.#parts.push(part)
    if (!messageFinished) return
    const message = join(this.#parts)
    this.#forgetParts()
    this.sendMessage(message, compress)
  }

  #forgetParts(): void {
    this.#parts = NO_PARTS
    this.#partsSize = 0
  }
}

function join(parts: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (typeof parts[0] === 'string') return parts.join('')
  const pieces = parts as readonly Uint8Array[]
  const message = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    message.set(piece, at)
    at += piece.length
  }
  return message
}

/** Not every host replaces lone surrogates, and what it sends then is no UTF-8. */
function wellFormed(text: string): string {
  const newer = text as string & { toWellFormed?(): string }
  return newer.toWellFormed?.() ?? text
}
