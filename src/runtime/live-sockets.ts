/** Every socket that has left one HTTP server with an 'upgrade' event, before, while and after it is a connection. */
import type { Duplex } from 'node:stream'
import { LiveConnections } from '../connection/live-connections.ts'
import { Ring, RingMember } from '../connection/ring.ts'

/** Who has a socket: the handshake, then the connection. */
export interface SocketHolder {
  terminate(): void
  /** The socket has closed. */
  onGone?(): void
}

/** Where a socket keeps its `LiveSocket`, for the listener. */
const LIVE: unique symbol = Symbol('fetch-sock.live')

type Carrier = Duplex & { [LIVE]: LiveSocket | undefined }

/** One such socket, until it closes or is someone else's. It is all that stays of its handshake. */
export class LiveSocket extends RingMember {
  holder: SocketHolder
  /** That of another attachment to the same server. */
  readonly #other: LiveSocket | undefined
  #abort: AbortController | undefined
  #aborted = false

  constructor(live: LiveSockets, socket: Duplex, holder: SocketHolder) {
    super()
    this.holder = holder
    live.sockets.add(this)
    const carrier = socket as Carrier
    this.#other = carrier[LIVE]
    carrier[LIVE] = this
    if (this.#other === undefined) socket.on('close', LiveSocket.#listeners.close)
  }

  /** One for all sockets, as in a transport. */
  static readonly #listeners = {
    close(this: Carrier): void {
      for (let at = this[LIVE]; at !== undefined; at = at.#other) at.#onClose()
    },
  }

  /** `Request.signal`: aborted when the peer has gone, or waited too long. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#aborted) this.#abort.abort()
    return this.#abort.signal
  }

  abort(): void {
    this.#aborted = true
    this.#abort?.abort()
  }

  #onClose(): void {
    this.leave()
    this.holder.onGone?.()
    this.abort()
  }
}

export class LiveSockets extends LiveConnections {
  /**
   * Upgrades that are not decided or whose refusal is being sent, connections, and connections that have ended while
   * their peer keeps its side of TCP open. A server that stops waits for them all.
   */
  readonly sockets: Ring<LiveSocket> = new Ring()

  /** Drops every socket now. */
  override terminate(): void {
    for (const { holder } of this.sockets.all()) holder.terminate()
  }
}
