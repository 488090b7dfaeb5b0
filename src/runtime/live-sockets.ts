/** Every socket that has left one HTTP server with an 'upgrade' event, before, while and after it is a connection. */
import type { Duplex } from 'node:stream'
import type { Connection } from '../connection/connection.ts'
import { LiveConnections } from '../connection/live-connections.ts'

/** What holds a socket that is not an open connection. */
interface SocketHolder {
  destroy(): void
}

export class LiveSockets extends LiveConnections {
  /**
   * Upgrades that are not decided or whose refusal is being sent, and connections that have ended while their peer keeps
   * its side of TCP open. A server that stops waits for them too.
   */
  readonly others: Set<SocketHolder> = new Set()

  /**
   * A connection has opened on a socket.
   *
   * @param handled as in `Acceptance`
   */
  add(connection: Connection, socket: Duplex, handled: Promise<void> | undefined): void {
    this.enter(connection)
    void connection.closed.then(() => this.#outlive(connection, socket))
    void (handled ?? connection.closed).then(() => this.leave(connection))
  }

  /** Drops every socket now. */
  override terminate(): void {
    for (const other of this.others) other.destroy()
    super.terminate()
  }

  #outlive(connection: Connection, socket: Duplex): void {
    if (socket.destroyed) return
    const rest = { destroy: () => connection.terminate() }
    this.others.add(rest)
    socket.once('close', () => this.others.delete(rest))
  }
}
