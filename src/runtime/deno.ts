/** `Deno.serve(app.fetch)`. */

import type { HostedConnection } from '../connection/hosted.ts'
import { deferredRequest } from './deferred-request.ts'
import { EventSocket, type StandardWebSocket } from './event-socket.ts'
import { type Host, type HostedUpgrade, openHosted } from './host.ts'
import { answerHeaders } from './hosted-headers.ts'
import { upgradeResponse } from './response-101.ts'
import { serverClock } from './server-clock.ts'

interface DenoHost {
  upgradeWebSocket(
    request: Request,
    options: { idleTimeout: number },
  ): { readonly socket: StandardWebSocket; readonly response: Response }
}

function deno(): DenoHost | undefined {
  return (globalThis as unknown as { Deno?: DenoHost }).Deno
}

/** Milliseconds from the 101 to the open socket. */
export const OPEN_LIMIT = 5000

/** Whether this is Deno. */
export function isDeno(): boolean {
  return typeof deno()?.upgradeWebSocket === 'function'
}

/** `Deno.serve` as a host. */
export const denoHost: Host = {
  mode: 'deno-serve',
  clock: serverClock,
  capabilities: {
    receiveBackpressure: false,
    sendBackpressure: true,
    ping: false,
    closeCodes: true,
    deflateOptions: false,
    fragments: false,
    messageSizeLimit: false,
    responseHeaders: true,
  },
  serves: isServed,
  unsupported: ['pongTimeout', 'onPing', 'onPong', 'permessageDeflate', 'maxFragments', 'inboxMessages'],
  /** With the upgrade Deno takes away the request and the address. */
  detach(request, env, handshake) {
    const { url, method, headers } = request
    // They are read from the connection when somebody looks; looked at, they stay.
    headers.has('host')
    const remoteAddr = (env as { readonly remoteAddr?: unknown } | undefined)?.remoteAddr
    return {
      request:
        method === 'GET'
          ? deferredRequest({ url, headers, handshake })
          : new Request(url, { method, headers, signal: handshake.signal }),
      env: remoteAddr === undefined ? env : { ...(env as object), remoteAddr },
    }
  },
  announce: upgradeResponse,
  /** After `upgradeWebSocket` nothing may throw and no other response may be given: either ends the process. */
  upgrade(upgrade: HostedUpgrade): Response {
    const { hostRequest, acceptance, env } = upgrade
    const { pingInterval } = acceptance.options
    // Deno pings a silent peer itself, and drops it when it does not answer. Seconds; 0 for never.
    const idleTimeout = pingInterval === Number.POSITIVE_INFINITY ? 0 : Math.ceil(pingInterval / 1000)
    const address = (env as { remoteAddr?: { hostname?: string } } | undefined)?.remoteAddr?.hostname
    // The application's response is the answer: what counts for Deno are its status and the headers of the handshake.
    // Hono gives back another than Deno's as well, whenever middleware has set a header.
    const headers = answerHeaders(upgrade)
    headers.set('Upgrade', 'websocket')
    headers.set('Connection', 'Upgrade')
    // Its option `protocol` finds nothing in an offer without spaces; a header of ours goes out as it is.
    const { socket, response } = (deno() as DenoHost).upgradeWebSocket(hostRequest, { idleTimeout })
    headers.set('Sec-WebSocket-Accept', response.headers.get('Sec-WebSocket-Accept') ?? '')
    // A message that comes while Deno closes makes it drop the connection, Close and all.
    awaitOpen(socket, openHosted(denoHost, new EventSocket(socket, address, true), upgrade), upgrade.opened)
    return upgrade.response
  },
}

/**
 * Whether the request is the one that `Deno.serve` gave. For any other `upgradeWebSocket` makes a 101 as well, and behind
 * it the stream goes on with HTTP. One that was made has a `redirect`, and headers that can be changed.
 */
function isServed(request: Request): boolean {
  if (request.redirect === undefined) return true
  try {
    request.headers.delete('fetch-sock')
    return false
  } catch {
    return true
  }
}

/** The listener is gone with the event: Deno keeps a socket for some time after its end, and what listens to it. */
function awaitOpen(socket: StandardWebSocket, connection: HostedConnection, opened: HostedUpgrade['opened']): void {
  // A client that left before its 101 is told by nothing.
  const deadline = serverClock.setTimeout(() => {
    connection.terminate()
    opened(null)
  }, OPEN_LIMIT)
  const onOpen = (): void => {
    serverClock.clearTimeout(deadline)
    opened(connection)
  }
  socket.addEventListener('open', onOpen, { once: true })
}
