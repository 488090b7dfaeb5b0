/** The same `Connection` over a standard `WebSocket`, which sends no Ping and no close codes but 1000 and 3000–4999. */
import { optionsFault } from '../connection/call-options.ts'
import type { Capabilities, Connection } from '../connection/connection.ts'
import { HostedConnection } from '../connection/hosted.ts'
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  type ResolvedConnectionOptions,
  resolveConnectionOptions,
} from '../connection/options.ts'
import { EventSocket, type StandardWebSocket, WITHOUT_EFFECT } from './event-socket.ts'
import { hostClock } from './host-clock.ts'
import { reportUnsupported } from './host-limits.ts'

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

const HOST = { mode: 'websocket', unsupported: WITHOUT_EFFECT } as const

/** A `WebSocket` as browsers, Node, Bun, Deno and Cloudflare have it. Their types agree on no more than this. */
export interface HostWebSocket {
  readonly readyState: number
  readonly protocol?: string | null
  readonly extensions?: string | null
  readonly url?: string | null
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: 'close', listener: () => void): void
}

const OPEN = 1

/**
 * Gives a `WebSocket` that is open already, of whichever side, the interface of a route's connection. Call it when the
 * socket opens: messages that come before are lost. Nothing else should listen to the socket or send on it.
 *
 * @throws {TypeError} for a socket that is not open, and for an option that is wrong or unknown
 * @throws {RangeError} for an option out of range
 */
export function acceptWebSocket(socket: HostWebSocket, options: ConnectionOptions = {}): Connection {
  const wrong = optionsFault('acceptWebSocket', options, Object.keys(CONNECTION_OPTIONS))
  if (wrong !== undefined) throw wrong
  const resolved = resolveConnectionOptions(options)
  if (socket?.readyState !== OPEN) throw new TypeError('acceptWebSocket: the WebSocket must be open (readyState 1)')
  reportIneffective(resolved)
  return connectionOver(socket, new EventSocket(socket as HostWebSocket & StandardWebSocket), resolved)
}

/** @param url as the application gave it; without it, as the socket has it */
export function connectionOver(
  socket: HostWebSocket,
  events: EventSocket,
  options: ResolvedConnectionOptions,
  url: string = socket.url ?? '',
): Connection {
  return new HostedConnection({
    socket: events,
    clock: hostClock,
    options,
    subprotocol: socket.protocol ?? '',
    extensions: socket.extensions ?? '',
    url,
    request: undefined,
    mode: HOST.mode,
    capabilities: WEBSOCKET_CAPABILITIES,
  })
}

/** Says once which of the options have no effect here. */
export function reportIneffective(options: ConnectionOptions): void {
  reportUnsupported(HOST, options)
}
