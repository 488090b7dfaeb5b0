/**
 * `fetch-sock/client` in browsers and on edges: the same `connect` and the same `Connection` over the host's own
 * `WebSocket`, which sends no headers, no Ping and no close codes but 1000 and 3000–4999.
 */
import { HandshakeError } from '../codec/errors.ts'
import { optionsFault } from '../connection/call-options.ts'
import type { Connection } from '../connection/connection.ts'
import { checkOptions } from '../connection/option-table.ts'
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  type ResolvedConnectionOptions,
  resolveConnectionOptions,
} from '../connection/options.ts'
import { connectionOver, type HostWebSocket, reportIneffective } from './accept-websocket.ts'
import { EventSocket, type StandardWebSocket } from './event-socket.ts'
import { hostClock } from './host-clock.ts'
import { type ReconnectDelays, reconnectWith } from './reconnect-loop.ts'
import { CONNECT_LIMITS, parseWebSocketUrl, subprotocolList } from './websocket-url.ts'

/** What `connect` takes besides the URL, where the host dials. */
export interface ClientOptions extends ConnectionOptions {
  /** Subprotocols to offer, in order of preference. */
  subprotocols?: string | readonly string[] | undefined
  /** Milliseconds from the call to the open connection. @default 10_000 */
  connectTimeout?: number | undefined
  /** Gives up connecting. It has no effect on the open connection. */
  signal?: AbortSignal | undefined
}

/** What `ClientOptions` adds to the options of a connection. */
const DIAL_OPTIONS = ['subprotocols', 'connectTimeout', 'signal'] as const satisfies (keyof ClientOptions)[]

/** Options of the client for runtimes with sockets that mean nothing to a host's `WebSocket`. */
const SOCKETS_ONLY = ['headers', 'tls', 'socketPath', 'maxRedirects'] as const

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

type Dialled = HostWebSocket & StandardWebSocket

/** Options checked and filled in. */
interface Dial {
  readonly url: URL
  readonly subprotocols: readonly string[]
  /** Milliseconds. */
  readonly connectTimeout: number
  readonly signal: AbortSignal | undefined
  readonly connection: ResolvedConnectionOptions
}

/**
 * Checks everything that can be known before dialling.
 *
 * @throws {TypeError | RangeError} naming the option
 */
function planDial(target: string | URL, given: ClientOptions): Dial {
  const elsewhere = SOCKETS_ONLY.find((name) => Object.hasOwn(Object(given), name))
  if (elsewhere !== undefined) throw new TypeError(`${elsewhere}: the WebSocket of this host has no such thing`)
  const wrong = optionsFault('connect', given, [...DIAL_OPTIONS, ...Object.keys(CONNECTION_OPTIONS)])
  if (wrong !== undefined) throw wrong
  const { subprotocols, connectTimeout = CONNECT_LIMITS.connectTimeout.default, signal, ...connection } = given
  checkOptions(CONNECT_LIMITS, { connectTimeout })
  const url = parseWebSocketUrl(target)
  if (url.username !== '' || url.password !== '')
    throw new TypeError('url: a WebSocket of this host sends no credentials')
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal: expected an AbortSignal')
  return {
    url,
    subprotocols: subprotocolList(subprotocols),
    connectTimeout,
    signal,
    connection: resolveConnectionOptions(connection),
  }
}

async function dial(target: string | URL, given: ClientOptions): Promise<Connection> {
  const { url, subprotocols, connectTimeout, signal, connection } = planDial(target, given)
  reportIneffective(connection)
  signal?.throwIfAborted()

  const Host = globalThis.WebSocket as unknown as new (url: string, protocols: readonly string[]) => Dialled
  const socket = new Host(url.href, subprotocols)
  // From the start, because messages may follow the handshake at once.
  const events = new EventSocket(socket)
  await opened(socket, connectTimeout, signal)
  return connectionOver(socket, events, connection, url.href)
}

function opened(socket: Dialled, limit: number, signal: AbortSignal | undefined): Promise<void> {
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
 * @throws {TypeError | RangeError} at the call, for a wrong URL or option
 * @throws {HandshakeError} after `maxAttempts`
 */
export function reconnect(url: string | URL, options: ReconnectOptions = {}): AsyncGenerator<Connection, void, void> {
  return reconnectWith({ check: planDial, connect }, url, options)
}
