/**
 * The connections of an HTTP server on which no request has come yet.
 *
 * Browsers open some in advance. A server that stops waits for them like for any other, and `closeIdleConnections` knows
 * only those that have had a request.
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http'
import { Server as TlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { Ring, RingMember } from '../connection/ring.ts'

/** Where a socket keeps its place, for the listeners. */
const PLACE: unique symbol = Symbol('fetch-sock.unused')

type Carrier = Duplex & { [PLACE]: UnusedSocket | undefined }

class UnusedSocket extends RingMember {
  readonly socket: Duplex

  constructor(socket: Duplex) {
    super()
    this.socket = socket
  }
}

/** One listener for all sockets, as in a transport. */
function onClose(this: Carrier): void {
  markUsed(this)
}

/** A request has come on a socket, or its end; one of another server is let be. */
export function markUsed(socket: Duplex): void {
  const carrier = socket as Carrier
  if (carrier[PLACE] === undefined) return
  carrier[PLACE].leave()
  carrier[PLACE] = undefined
  carrier.off('close', onClose)
}

export class UnusedSockets {
  readonly #sockets: Ring<UnusedSocket> = new Ring()

  /** @param server one that does not listen yet */
  constructor(server: HttpServer | TlsServer) {
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Carrier) => {
      socket[PLACE] = new UnusedSocket(socket)
      this.#sockets.add(socket[PLACE])
      socket.on('close', onClose)
    })
    // Whoever listens for 'upgrade' marks for itself: one listener more would look like somebody who wants the socket.
    server.on('request', ({ socket }: IncomingMessage) => markUsed(socket))
  }

  /** Drops them. A request that was on its way gets what it gets from a server that has stopped: no answer. */
  destroy(): void {
    for (const { socket } of this.#sockets.all()) socket.destroy()
  }
}
