/** A WebSocket in the form of the WHATWG standard, as Deno, Cloudflare and browsers have it. */
import { WebSocketError } from '../codec/errors.ts'
import type { HostedSocket, HostedSocketEvents } from '../connection/hosted-socket.ts'
import { hostClock } from './host-clock.ts'

/** The part of a standard `WebSocket` that is needed here. */
export interface StandardWebSocket {
  readonly readyState: number
  readonly bufferedAmount?: number | null
  binaryType?: string
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string; readonly wasClean: boolean }) => void,
  ): void
  addEventListener(type: 'open' | 'error', listener: () => void): void
}

/** Milliseconds between looks at `bufferedAmount`: the standard has no event for it. */
const DRAIN_POLL = 5

const OPEN = 1
const CLOSED = 3

export class EventSocket implements HostedSocket {
  readonly remoteAddress: string | undefined
  readonly #socket: StandardWebSocket
  readonly #closesLate: boolean
  #events: HostedSocketEvents | undefined

  /** @param closesLate whether messages that are here already must be read before a Close is sent */
  constructor(socket: StandardWebSocket, remoteAddress?: string, closesLate: boolean = false) {
    this.#socket = socket
    this.#closesLate = closesLate
    this.remoteAddress = remoteAddress
    // The default is a Blob, whose bytes come later than the next message.
    socket.binaryType = 'arraybuffer'
  }

  get readyState(): number {
    return this.#socket.readyState
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount ?? 0
  }

  attach(events: HostedSocketEvents): void {
    this.#events = events
    this.#socket.addEventListener('message', ({ data }) => {
      events.onMessage(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer))
    })
    this.#socket.addEventListener('close', ({ code, reason, wasClean }) => {
      // Some hosts leave the answer to the peer's Close to us.
      if (this.#socket.readyState !== CLOSED) this.#attempt(() => this.#socket.close(code, reason))
      events.onClose(code, reason, wasClean)
    })
    this.#socket.addEventListener('error', () => {
      // Where a broken protocol is an error without a close.
      if (this.#socket.readyState === CLOSED) hostClock.afterTurn(() => events.onClose(1006, '', false))
    })
  }

  send(data: string | Uint8Array): void {
    try {
      this.#socket.send(data as string | Uint8Array<ArrayBuffer>)
    } catch (cause) {
      // A socket that has just closed: its event is on the way.
      if (this.#socket.readyState !== OPEN) return
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new WebSocketError(`The host did not send the message: ${why}`, { cause })
    }
  }

  ping(): void {}

  close(code: number, reason: string): void {
    const close = (): void => this.#attempt(() => this.#socket.close(code, reason))
    if (this.#closesLate) hostClock.afterTurn(close)
    else close()
  }

  terminate(): void {
    this.#attempt(() => this.#socket.close())
  }

  onceDrained(callback: () => void): void {
    hostClock.setTimeout(callback, DRAIN_POLL)
  }

  /** What the host refuses, the connection has ended for. */
  #attempt(act: () => void): void {
    try {
      act()
    } catch {
      if (this.#socket.readyState === CLOSED) hostClock.afterTurn(() => this.#events?.onClose(1006, '', false))
    }
  }
}
