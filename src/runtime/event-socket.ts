/** A WebSocket in the form of the WHATWG standard, as Deno, Cloudflare and browsers have it. */
import { CloseCode } from '../codec/close-code.ts'
import { WebSocketError } from '../codec/errors.ts'
import type { Received } from '../connection/connection.ts'
import type { HostedSocket, HostedSocketEvents } from '../connection/hosted-socket.ts'
import type { ConnectionOptions } from '../connection/options.ts'
import { hostClock } from './host-clock.ts'

/** The part of a standard `WebSocket` that is needed here. */
export interface StandardWebSocket {
  readonly readyState: number
  readonly bufferedAmount?: number | null
  binaryType?: string
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: SocketEvent['type'], listener: { handleEvent(event: SocketEvent): void }): void
  addEventListener(type: 'open' | 'close' | 'error', listener: () => void, options?: { once: boolean }): void
}

type SocketEvent =
  | { readonly type: 'message'; readonly data: unknown }
  | { readonly type: 'close'; readonly code: number; readonly reason: string; readonly wasClean: boolean }
  | { readonly type: 'error' }

/** Options of a connection that have no effect over such a socket. */
export const WITHOUT_EFFECT: readonly (keyof ConnectionOptions)[] = [
  'pingInterval',
  'pongTimeout',
  'onPing',
  'onPong',
  'permessageDeflate',
  'maxFragments',
  'inboxMessages',
]

/** Most milliseconds between looks at `bufferedAmount`, for which the standard has no event; the first come sooner. */
const DRAIN_POLL = 5

const OPEN = 1
const CLOSED = 3

export class EventSocket implements HostedSocket {
  readonly remoteAddress: string | undefined
  readonly #socket: StandardWebSocket
  readonly #closesLate: boolean
  #events: HostedSocketEvents | undefined
  /** What came before somebody attached; `undefined` once the end was told. */
  #early: ((events: HostedSocketEvents) => void)[] | undefined = []

  /** @param closesLate whether messages that are here already must be read before a Close is sent */
  constructor(socket: StandardWebSocket, remoteAddress?: string, closesLate: boolean = false) {
    this.#socket = socket
    this.#closesLate = closesLate
    this.remoteAddress = remoteAddress
    // The default is a Blob, whose bytes come later than the next message.
    socket.binaryType = 'arraybuffer'
    // As one object: a closure for each would stay with the socket, which Deno keeps for some time after its end.
    for (const type of ['message', 'close', 'error'] as const) socket.addEventListener(type, this)
  }

  get readyState(): number {
    return this.#socket.readyState
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount ?? 0
  }

  attach(events: HostedSocketEvents): void {
    this.#events = events
    for (const tell of this.#early?.splice(0) ?? []) tell(events)
  }

  /** @internal */
  handleEvent(event: SocketEvent): void {
    const socket = this.#socket
    switch (event.type) {
      case 'message':
        this.#onMessage(typeof event.data === 'string' ? event.data : new Uint8Array(event.data as ArrayBuffer))
        break
      case 'close': {
        const { code, reason, wasClean } = event
        // Some hosts leave the answer to the peer's Close to us.
        if (socket.readyState !== CLOSED) {
          // 1005 says that there was no code, and may not be sent.
          this.#attempt(() => (code === CloseCode.NO_STATUS_RCVD ? socket.close() : socket.close(code, reason)))
        }
        this.#tellEnd(code, reason, wasClean)
        break
      }
      case 'error':
        // Where a broken protocol is an error without a close.
        if (socket.readyState === CLOSED) this.#tellBroken()
    }
  }

  #onMessage(message: Received): void {
    if (this.#events !== undefined) this.#events.onMessage(message)
    else this.#early?.push((events) => events.onMessage(message))
  }

  /** The end, told once. What holds on to this after it holds nothing of the connection. */
  #tellEnd(code: number, reason: string, wasClean: boolean): void {
    const events = this.#events
    if (events === undefined) {
      this.#early?.push(() => this.#tellEnd(code, reason, wasClean))
      return
    }
    this.#events = undefined
    this.#early = undefined
    events.onClose(code, reason, wasClean)
  }

  #tellBroken(): void {
    // A close that is on its way comes first, and knows more.
    hostClock.afterTurn(() => this.#tellEnd(1006, '', false))
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

  onceDrained(callback: () => void, looks: number): void {
    hostClock.setTimeout(callback, Math.min(looks, DRAIN_POLL))
  }

  /** Where the host refuses and the socket is closed, the end is told. */
  #attempt(act: () => void): void {
    try {
      act()
    } catch {
      if (this.#socket.readyState === CLOSED) this.#tellBroken()
    }
  }
}
