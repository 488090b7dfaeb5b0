/** Every socket that has left one HTTP server with an 'upgrade' event, before, while and after it is a connection. */
import type { Duplex } from 'node:stream'
import { LiveConnections } from '../connection/live-connections.ts'
import { Ring, RingMember } from '../connection/ring.ts'
import { type CloseWatcher, watchClose } from './close-watcher.ts'

/** Who has a socket: the handshake, then the connection. */
export interface SocketHolder {
  terminate(): void
  /** The socket has closed. */
  onGone?(): void
}

/** One such socket, until it closes or is someone else's. It is all that stays of its handshake. */
export class LiveSocket extends RingMember implements CloseWatcher {
  earlier: CloseWatcher | undefined
  holder: SocketHolder
  /** Made when somebody asks for its signal. */
  #abort: AbortController | 'aborted' | undefined

  constructor(live: LiveSockets, socket: Duplex, holder: SocketHolder) {
    super()
    this.holder = holder
    live.sockets.add(this)
    watchClose(socket, this)
  }

  /** `Request.signal`: aborted when the peer has gone, or waited too long. */
  get signal(): AbortSignal {
    const made = this.#abort
    if (made instanceof AbortController) return made.signal
    const abort = new AbortController()
    this.#abort = abort
    if (made === 'aborted') abort.abort()
    return abort.signal
  }

  abort(): void {
    if (this.#abort instanceof AbortController) this.#abort.abort()
    else this.#abort = 'aborted'
  }

  onSocketClose(): void {
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
