/** `Bun.serve`: `export default { fetch: app.fetch, websocket: sock.websocket }`. */
import { WebSocketError } from '../codec/errors.ts'
import type { HostedConnection } from '../connection/hosted.ts'
import type { HostedSocket, HostedSocketEvents } from '../connection/hosted-socket.ts'
import { type Host, type HostedUpgrade, openHosted } from './host.ts'
import { answerHeaders } from './hosted-headers.ts'
import { upgradeResponse } from './response-101.ts'
import { serverClock } from './server-clock.ts'

/** The part of Bun's `ServerWebSocket` that is needed here. */
export interface BunWebSocket {
  data: BunSocketData
  readonly readyState: number
  readonly remoteAddress: string
  binaryType?: string | undefined
  send(data: string | Uint8Array, compress?: boolean): number
  ping(payload?: Uint8Array): number
  close(code?: number, reason?: string): void
  terminate(): void
  getBufferedAmount(): number
}

/** What Bun carries from the request to the socket. */
export interface BunSocketData {
  /** @internal */
  readonly upgrade: HostedUpgrade
  /** @internal */
  socket: BunSocket | undefined
}

/** What `Bun.serve` takes as `websocket`. Spread it to set what is Bun's alone, such as `maxPayloadLength`. */
export interface BunWebSocketHandler {
  /** Bytes of the longest message that Bun lets through; `maxMessageSize` holds below it. */
  readonly maxPayloadLength: number
  /** Off: the keepalive options of each connection hold. */
  readonly idleTimeout: number
  readonly sendPings: boolean
  /** Out of the way: `maxBufferedAmount` of each connection holds. */
  readonly backpressureLimit: number
  open(ws: BunWebSocket): void
  message(ws: BunWebSocket, message: string | Uint8Array<ArrayBuffer>): void
  close(ws: BunWebSocket, code: number, reason: string): void
  drain(ws: BunWebSocket): void
  ping(ws: BunWebSocket, payload: Uint8Array): void
  pong(ws: BunWebSocket, payload: Uint8Array): void
}

interface BunServer {
  upgrade(request: Request, options: { headers: Headers; data: BunSocketData }): boolean
}

/** The server of this request: Hono knows it as `env` itself or as `env.server`. */
export function bunServer(env: unknown): BunServer | undefined {
  if (!('Bun' in globalThis)) return undefined
  return asServer(env) ?? asServer((env as { readonly server?: unknown } | null | undefined)?.server)
}

function asServer(found: unknown): BunServer | undefined {
  const server = found as { readonly upgrade?: unknown; readonly requestIP?: unknown } | null | undefined
  return typeof server?.upgrade === 'function' && typeof server.requestIP === 'function'
    ? (server as BunServer)
    : undefined
}

/** `Bun.serve` as a host. */
export const bunHost: Host = {
  mode: 'bun-serve',
  clock: serverClock,
  capabilities: {
    receiveBackpressure: false,
    sendBackpressure: true,
    ping: true,
    closeCodes: true,
    deflateOptions: false,
    fragments: false,
    messageSizeLimit: false,
    responseHeaders: true,
  },
  unsupported: ['permessageDeflate', 'maxFragments', 'inboxMessages'],
  announce: upgradeResponse,
  upgrade(upgrade: HostedUpgrade): Response {
    const { hostRequest, acceptance, env } = upgrade
    const headers = answerHeaders(upgrade)
    // Without this header Bun takes the first subprotocol offered; an empty one is not sent.
    if (acceptance.subprotocol === undefined && acceptance.asked.subprotocols.length > 0) {
      headers.set('Sec-WebSocket-Protocol', '')
    }
    const data: BunSocketData = { upgrade, socket: undefined }
    if (bunServer(env)?.upgrade(hostRequest, { headers, data }) !== true) {
      throw new TypeError('Bun.serve did not upgrade the request')
    }
    // Bun has sent its own and takes no notice.
    return upgrade.response
  },
}

class BunSocket implements HostedSocket {
  readonly #ws: BunWebSocket
  #events: HostedSocketEvents | undefined
  #drained: (() => void) | undefined

  constructor(ws: BunWebSocket) {
    this.#ws = ws
  }

  get readyState(): number {
    return this.#ws.readyState
  }

  get bufferedAmount(): number {
    return this.readyState === 1 ? this.#ws.getBufferedAmount() : 0
  }

  get remoteAddress(): string {
    return this.#ws.remoteAddress
  }

  get events(): HostedSocketEvents | undefined {
    return this.#events
  }

  attach(events: HostedSocketEvents): void {
    this.#events = events
  }

  send(data: string | Uint8Array, compress: boolean | undefined): void {
    const sent = compress === undefined ? this.#ws.send(data) : this.#ws.send(data, compress)
    // 0 for a message of some length: it was dropped, because a `websocket` with another backpressureLimit says so.
    if (sent === 0 && data.length > 0 && this.readyState === 1) {
      throw new WebSocketError('The host dropped the message: its peer reads too slowly for backpressureLimit')
    }
  }

  ping(payload: Uint8Array): void {
    this.#ws.ping(payload)
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason)
  }

  terminate(): void {
    this.#ws.terminate()
  }

  onceDrained(callback: () => void): void {
    this.#drained = callback
  }

  onDrain(): void {
    const callback = this.#drained
    this.#drained = undefined
    callback?.()
  }
}

/** What `sock.websocket` gives: one object for every server, because what is a connection's own is in `ws.data`. */
export const bunWebSocketHandler: BunWebSocketHandler = {
  maxPayloadLength: 16_777_216,
  idleTimeout: 0,
  sendPings: false,
  backpressureLimit: 2_147_483_647,
  open(ws) {
    const { upgrade } = ws.data
    ws.binaryType = 'uint8array'
    const socket = new BunSocket(ws)
    ws.data.socket = socket
    const connection: HostedConnection = openHosted(bunHost, socket, upgrade)
    upgrade.opened(connection)
  },
  message(ws, message) {
    ws.data.socket?.events?.onMessage(message)
  },
  close(ws, code, reason) {
    // Bun does not say whether the peer has answered our Close.
    ws.data.socket?.events?.onClose(code, reason, code !== 1006)
  },
  drain(ws) {
    ws.data.socket?.onDrain()
  },
  ping(ws, payload) {
    ws.data.socket?.events?.onPing(new Uint8Array(payload))
  },
  pong(ws, payload) {
    ws.data.socket?.events?.onPong(new Uint8Array(payload))
  },
}
