/** Cloudflare Workers: `export default app`. */
import { EventSocket, type StandardWebSocket, WITHOUT_EFFECT } from './event-socket.ts'
import { type Host, type HostedUpgrade, openHosted } from './host.ts'
import { hostClock } from './host-clock.ts'
import { answerHeaders } from './hosted-headers.ts'

interface WorkerWebSocket extends StandardWebSocket {
  accept(): void
}

type WebSocketPairClass = new () => { readonly 0: WorkerWebSocket; readonly 1: WorkerWebSocket }

function pairClass(): WebSocketPairClass | undefined {
  return (globalThis as { WebSocketPair?: WebSocketPairClass }).WebSocketPair
}

/** Whether this is a Worker. */
export function isCloudflare(): boolean {
  return typeof pairClass() === 'function'
}

/** A response with status 101 exists there only with a socket in it. */
function response101(webSocket: WorkerWebSocket, headers?: Headers): Response {
  const init: ResponseInit & { webSocket: WorkerWebSocket } = { status: 101, webSocket, ...(headers && { headers }) }
  return new Response(null, init)
}

/** Cloudflare Workers as a host; a Durable Object is the same. */
export const cloudflareHost: Host = {
  mode: 'cloudflare',
  clock: hostClock,
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
  unsupported: WITHOUT_EFFECT,
  announce: () => response101(newPair()[0]),
  upgrade(upgrade: HostedUpgrade): Response {
    // First, since it may throw: behind `opened` there is a handler.
    const headers = answerHeaders(upgrade)
    const { 0: client, 1: server } = newPair()
    const address = upgrade.hostRequest.headers.get('cf-connecting-ip') ?? undefined
    // Listeners come first: after `accept` messages are delivered.
    const connection = openHosted(cloudflareHost, new EventSocket(server, address), upgrade)
    server.accept()
    upgrade.opened(connection)
    return response101(client, headers)
  },
}

function newPair(): InstanceType<WebSocketPairClass> {
  return new (pairClass() as WebSocketPairClass)()
}
