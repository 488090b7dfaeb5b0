/** `Deno.serve(app.fetch)`. */
import { EventSocket, type StandardWebSocket } from './event-socket.ts'
import { type Host, type HostedUpgrade, openHosted } from './host.ts'
import { upgradeResponse } from './response-101.ts'

interface DenoHost {
  upgradeWebSocket(
    request: Request,
    options: { idleTimeout: number },
  ): { readonly socket: StandardWebSocket; readonly response: Response }
}

function deno(): DenoHost | undefined {
  return (globalThis as { Deno?: DenoHost }).Deno
}

/** Whether this is Deno. */
export function isDeno(): boolean {
  return typeof deno()?.upgradeWebSocket === 'function'
}

export const denoHost: Host = {
  mode: 'deno-serve',
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
  unsupported: ['pongTimeout', 'onPing', 'onPong', 'permessageDeflate', 'maxFragments', 'inboxMessages'],
  /** Deno takes headers and URL away with the upgrade. */
  detach(request, signal) {
    return new Request(request.url, { method: request.method, headers: request.headers, signal })
  },
  announce: upgradeResponse,
  /** After `upgradeWebSocket` nothing may throw and no other response may be given: either ends the process. */
  upgrade(upgrade: HostedUpgrade): Response {
    const { hostRequest, headers, acceptance, env } = upgrade
    const { pingInterval } = acceptance.options
    // Deno pings a silent peer itself, and drops it when it does not answer. Seconds; 0 for never.
    const idleTimeout = pingInterval === Number.POSITIVE_INFINITY ? 0 : Math.ceil(pingInterval / 1000)
    // Its option `protocol` finds nothing in an offer without spaces; a header of ours goes out as it is.
    const { socket, response } = (deno() as DenoHost).upgradeWebSocket(hostRequest, { idleTimeout })
    for (const [name, value] of headers) response.headers.append(name, value)
    const remote = (env as { remoteAddr?: { hostname?: string } } | undefined)?.remoteAddr
    const connection = openHosted(denoHost, new EventSocket(socket, remote?.hostname), upgrade)
    socket.addEventListener('open', () => upgrade.opened(connection))
    void connection.closed.then(() => upgrade.opened(null))
    return response
  },
}
