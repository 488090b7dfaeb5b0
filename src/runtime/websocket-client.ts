/**
 * `fetch-sock/client` in browsers and on edges: the same `connect` and the same `Connection` over the host's own
 * `WebSocket`, which sends no headers, no Ping and no close codes but 1000 and 3000–4999.
 */
import { HandshakeError } from '../codec/errors.ts'
import type { Capabilities, Connection } from '../connection/connection.ts'
import { HostedConnection } from '../connection/hosted.ts'
import { type ConnectionOptions, resolveConnectionOptions } from '../connection/options.ts'
import { EventSocket, type StandardWebSocket } from './event-socket.ts'
import { hostClock } from './host-clock.ts'
import { reportUnsupported } from './host-limits.ts'
import { type ReconnectDelays, reconnectWith } from './reconnect-loop.ts'
import { checkDuration, parseWebSocketUrl } from './websocket-url.ts'

/** What `connect` takes besides the URL, where the host dials. */
export interface ClientOptions extends ConnectionOptions {
  /** Subprotocols to offer, in order of preference. */
  subprotocols?: string | readonly string[]
  /** Milliseconds from the call to the open connection. @default 10_000 */
  connectTimeout?: number
  /** Gives up connecting. It has no effect on the open connection. */
  signal?: AbortSignal
}

/** What a standard `WebSocket` can do. */
export const WEBSOCKET_CAPABILITIES: Capabilities = {
  receiveBackpressure: false,
  sendBackpressure: true,
  ping: false,
  closeCodes: false,
  deflateOptions: false,
  fragments: false,
  messageSizeLimit: false,
  responseHeaders: false,
}

const HOST = {
  mode: 'websocket',
  unsupported: [
    'pingInterval',
    'pongTimeout',
    'onPing',
    'onPong',
    'permessageDeflate',
    'maxFragments',
    'inboxMessages',
  ],
} as const

/** Options of the client for runtimes with sockets that mean nothing to a host's `WebSocket`. */
const SOCKETS_ONLY = ['headers', 'tls', 'socketPath', 'maxRedirects'] as const

type HostWebSocket = StandardWebSocket & { readonly protocol: string; readonly extensions: string }

/**
 * Opens a connection to a server.
 *
 * @param url `ws:`, `wss:`, `http:` or `https:`, without credentials
 * @returns the open connection
 * @throws {TypeError | RangeError} for a wrong URL or option, before a byte leaves
 * @throws {HandshakeError} with `status` 0 when the host did not connect; it does not say why
 */
export function connect(url: string | URL, options: ClientOptions = {}): Promise<Connection> {
  return dial(url, options)
}

async function dial(target: string | URL, given: ClientOptions): Promise<Connection> {
  for (const name of SOCKETS_ONLY) {
    if (name in given) throw new TypeError(`${name}: the WebSocket of this host has no such thing`)
  }
  const { subprotocols = [], connectTimeout = 10_000, signal, ...connection } = given
  const url = parseWebSocketUrl(target)
  if (url.username !== '' || url.password !== '')
    throw new TypeError('url: a WebSocket of this host sends no credentials')
  const limit = checkDuration('connectTimeout', connectTimeout)
  const options = resolveConnectionOptions(connection)
  reportUnsupported(HOST, options)
  signal?.throwIfAborted()

  const Host = globalThis.WebSocket as unknown as new (url: string, protocols: readonly string[]) => HostWebSocket
  const socket = new Host(url.href, typeof subprotocols === 'string' ? [subprotocols] : subprotocols)
  // From the start, because messages may follow the handshake at once.
  const events = new EventSocket(socket)
  await opened(socket, limit, signal)
  return new HostedConnection({
    socket: events,
    clock: hostClock,
    options,
    subprotocol: socket.protocol,
    extensions: socket.extensions,
    url: url.href,
    request: undefined,
    mode: HOST.mode,
    capabilities: WEBSOCKET_CAPABILITIES,
  })
}

function opened(socket: HostWebSocket, limit: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      hostClock.clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      act()
    }
    const giveUp = (error: unknown): void =>
      settle(() => {
        reject(error)
        socket.close()
      })
    const onAbort = (): void => giveUp(signal?.reason)
    const timer =
      limit === Number.POSITIVE_INFINITY
        ? undefined
        : hostClock.setTimeout(
            () => giveUp(new HandshakeError(`No connection within ${limit} ms`, { status: 0 })),
            limit,
          )
    signal?.addEventListener('abort', onAbort)
    socket.addEventListener('open', () => settle(resolve))
    socket.addEventListener('close', () => {
      settle(() => reject(new HandshakeError('The host did not connect', { status: 0 })))
    })
  })
}

/** What `reconnect` takes besides what `connect` takes. `signal` ends it for good. */
export interface ReconnectOptions extends ClientOptions, ReconnectDelays {}

/**
 * Yields an open connection, and another one each time the loop's body has finished with the last. A body that catches
 * `ConnectionClosed` survives a connection that is lost. Nothing is sent again on a new one.
 *
 * @throws {HandshakeError} after `maxAttempts`
 */
export function reconnect(url: string | URL, options: ReconnectOptions = {}): AsyncGenerator<Connection, void, void> {
  return reconnectWith(connect, url, options)
}
