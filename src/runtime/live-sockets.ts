/** Every socket that has left one HTTP server with an 'upgrade' event, before, while and after it is a connection. */
import type { Duplex } from 'node:stream'
import type { Connection } from '../connection/connection.ts'
import { LiveConnections } from '../connection/live-connections.ts'

/** Who has a socket: the handshake, then the connection. */
export interface SocketHolder {
  terminate(): void
  /** The socket has closed. */
  onGone?(): void
}

/** One such socket, until it closes or is someone else's. It is all that stays of its handshake. */
export class LiveSocket {
  holder: SocketHolder
  readonly #live: LiveSockets
  #abort: AbortController | undefined
  #aborted = false

  constructor(live: LiveSockets, socket: Duplex, holder: SocketHolder) {
    this.#live = live
    this.holder = holder
    live.sockets.add(this)
    socket.on('close', () => this.#onClose())
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

  /** Nobody waits for it any more. */
  release(): void {
    this.#live.sockets.delete(this)
  }

  #onClose(): void {
    this.release()
    this.holder.onGone?.()
    this.abort()
  }
}

export class LiveSockets extends LiveConnections {
  /**
   * Upgrades that are not decided or whose refusal is being sent, connections, and connections that have ended while
   * their peer keeps its side of TCP open. A server that stops waits for them all.
   */
  readonly sockets: Set<LiveSocket> = new Set()

  /**
   * A connection has opened on a socket.
   *
   * @param handled as in `Acceptance`
   */
  add(connection: Connection, handled: Promise<void> | undefined): void {
    this.enter(connection)
    void (handled ?? connection.closed).then(() => this.leave(connection))
  }

  /** Drops every socket now. */
  override terminate(): void {
    for (const socket of this.sockets) socket.holder.terminate()
  }
}
