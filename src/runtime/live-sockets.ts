/** Every socket that has left one HTTP server with an 'upgrade' event, before, while and after it is a connection. */
import type { Connection } from '../connection/connection.ts'
import { LiveConnections } from '../connection/live-connections.ts'

/** What holds a socket. */
interface SocketHolder {
  destroy(): void
}

export class LiveSockets extends LiveConnections {
  /**
   * Upgrades that are not decided or whose refusal is being sent, connections, and connections that have ended while
   * their peer keeps its side of TCP open. A server that stops waits for them all.
   */
  readonly holders: Set<SocketHolder> = new Set()

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
    for (const holder of this.holders) holder.destroy()
  }
}
