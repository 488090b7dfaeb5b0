/** `fetch-sock/server`: a Fetch application with WebSockets, on `node:http` of Node, Bun and Deno. */
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Http2SecureServer, Http2Server } from 'node:http2'
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { hasToken } from '../codec/header.ts'
import { checkDrainOptions, DRAIN_TIMES, type DrainOptions, type DrainReport } from '../connection/live-connections.ts'
import { LiveSockets } from './live-sockets.ts'
import { nodeClock } from './node-clock.ts'
import { isPipelined, refuseConnect } from './plain-response.ts'
import { assertSupported, RAW_MODE } from './raw-mode.ts'
import { type App, type RawBindings, RawHandshake, type RawHost } from './raw-upgrader.ts'
import {
  type AttachOptions,
  checkAttachOptions,
  checkServeOptions,
  HANDSHAKE_TIMEOUT,
  type ServeOptions,
} from './server-options.ts'
import { markUsed, UnusedSockets } from './unused-sockets.ts'

export type { DrainOptions, DrainReport } from '../connection/live-connections.ts'
export type { ByteTransport, TransportEnd, TransportListener } from '../connection/transport.ts'
export { type AcceptOptions, accept, type ParsedUpgrade } from './accept.ts'
export type { App, RawBindings } from './raw-upgrader.ts'
export type { AttachOptions, ServeOptions } from './server-options.ts'

/** A server to attach to: what `serve` of `@hono/node-server` may return. Of HTTP/2, only one that has `allowHTTP1`. */
export type AttachableServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer

/** The WebSocket side of a server. */
export interface Attachment {
  /** How many connections are open. */
  readonly connections: number
  /**
   * Ends every connection in order: refuses upgrades with 503, sends a Close to each connection, waits for the closing
   * handshakes and the handlers until the deadline, and terminates what is left.
   *
   * @throws {RangeError} for a code or reason that may not be sent, or a time that is negative
   */
  drain(options?: DrainOptions): Promise<DrainReport>
  /** Ends every connection now; peers see 1006. */
  close(): Promise<void>
}

/** A server that listens. */
export interface Server extends Attachment, AsyncDisposable {
  /** Such as `http://localhost:3000`, or `unix:/run/app.sock`. */
  readonly url: string
  /** As `server.address()` of `node:net` gives it; a unix socket's path is a string. */
  readonly address: AddressInfo | string
  /** The server of `node:http` or `node:https`, for what only it can do. */
  readonly server: HttpServer | HttpsServer
  /** As for an attachment; also stops listening, and waits for HTTP requests under way. */
  drain(options?: DrainOptions): Promise<DrainReport>
  /** Stops listening and ends every connection and request now. */
  close(): Promise<void>
}

/**
 * Serves an application: HTTP and WebSocket on one port.
 *
 * @throws {TypeError} for an unknown option or a value of the wrong type
 * @throws {RangeError} for a value out of range
 * @returns rejects with the runtime's error when it cannot listen, such as `EADDRINUSE`
 */
export async function serve(app: App, options: ServeOptions = {}): Promise<Server> {
  checkServeOptions(options)
  options.signal?.throwIfAborted()
  const listener = getRequestListener((request, env) => app.fetch(request, env as RawBindings), {
    overrideGlobalObjects: options.overrideGlobalObjects ?? RAW_MODE === 'node',
  })
  const settings = { shouldUpgradeCallback, ...options.http, ...options.tls }
  const server = options.tls === undefined ? createServer(settings, listener) : createTlsServer(settings, listener)
  // h2c, which nobody here speaks, keeps its parser and its keep-alive this way. Node 20 does not ask.
  function shouldUpgradeCallback({ headers }: IncomingMessage): boolean {
    return hasToken([['upgrade', headers.upgrade ?? '']], 'upgrade', 'websocket') || server.listenerCount('upgrade') > 1
  }
  const unused = new UnusedSockets(server)
  server.on('connect', (incoming, socket) => {
    markUsed(socket)
    if (server.listenerCount('connect') === 1) refuseConnect(incoming, socket)
  })
  const { handshakeTimeout, onError, port = 3000, hostname: host, path } = options
  const attachment = attach(server, app, { handshakeTimeout, onError })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path === undefined ? { port, host } : { path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return new RunningServer(server, attachment, unused, options)
}

/**
 * Takes the WebSockets of an existing server of `node:http` or `node:https`, such as `@hono/node-server` makes. Plain
 * requests stay where they are.
 *
 * Other 'upgrade' listeners may stand beside it: a request that the application does not accept as a WebSocket is left
 * to them, and answered with what the application said when none of them has taken it within 2 s.
 *
 * @throws {TypeError | RangeError} as `serve`
 */
export function attach(server: AttachableServer, app: App, options: AttachOptions = {}): Attachment {
  if (typeof app?.fetch !== 'function') throw new TypeError('The application must have a fetch method, as Hono has')
  if (typeof server?.on !== 'function') throw new TypeError('The server must be one of node:http or node:https')
  // Servers of HTTP/2 have the one, those that can speak HTTP/1.1 the other.
  if ('updateSettings' in server && !('headersTimeout' in server)) {
    throw new TypeError("A server of HTTP/2 without allowHTTP1 never raises 'upgrade': use node:http or node:https")
  }
  checkAttachOptions(options)
  assertSupported()
  const live = new LiveSockets(nodeClock)
  const host: RawHost = {
    app,
    live,
    clock: nodeClock,
    handshakeTimeout: options.handshakeTimeout ?? HANDSHAKE_TIMEOUT,
    onError: options.onError ?? console.error,
    isShared: () => server.listenerCount('upgrade') > 1,
    onRequest: (incoming, outgoing) => void server.emit('request', incoming, outgoing),
  }
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    markUsed(socket)
    void new RawHandshake(host, incoming, socket, head).run()
  })
  return {
    get connections(): number {
      return live.count
    },
    drain: async (drainOptions) => await live.drain(drainOptions),
    async close(): Promise<void> {
      live.terminate()
      const drained = live.drain({ deadline: 0 })
      live.hurry()
      await drained
    },
  }
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** Milliseconds in which a signal sent to this process has arrived. */
const SIGNAL_TIME = 1000

class RunningServer implements Server {
  readonly url: string
  readonly address: AddressInfo | string
  readonly server: HttpServer | HttpsServer
  readonly #attachment: Attachment
  readonly #unused: UnusedSockets
  readonly #abort: AbortSignal | undefined
  readonly #drainOptions: DrainOptions
  #stopped: Promise<void> | undefined
  #drained: Promise<DrainReport> | undefined

  constructor(server: HttpServer | HttpsServer, attachment: Attachment, unused: UnusedSockets, options: ServeOptions) {
    const { path, hostname, tls, signal, drainOnSignals = false } = options
    this.server = server
    this.#attachment = attachment
    this.#unused = unused
    // Bun has no address for a unix socket.
    this.address = path ?? (server.address() as AddressInfo)
    this.url =
      typeof this.address === 'string' ? `unix:${this.address}` : urlOf(this.address, hostname, tls !== undefined)
    this.#drainOptions = typeof drainOnSignals === 'object' ? drainOnSignals : {}
    server.on('request', (incoming, outgoing) => {
      outgoing.once('close', () => this.#onAnswered(incoming, outgoing))
    })
    if (drainOnSignals !== false) for (const name of SIGNALS) process.on(name, this.#onSignal)
    this.#abort = signal
    signal?.addEventListener('abort', this.#onAbort)
    if (signal?.aborted) this.#onAbort()
  }

  get connections(): number {
    return this.#attachment.connections
  }

  async drain(options: DrainOptions = {}): Promise<DrainReport> {
    checkDrainOptions(options)
    this.#drained ??= this.#drain(options)
    return await this.#drained
  }

  async #drain(options: DrainOptions): Promise<DrainReport> {
    const drained = this.#attachment.drain(options)
    const stopped = this.#stop()
    const { deadline = DRAIN_TIMES.deadline.default } = options
    const end = (): void => void this.#end()
    // Not the clock's: this one keeps the process, which may wait for a handler and for nothing else. An interval, so
    // that it does so until the report is there.
    const timer = deadline === Number.POSITIVE_INFINITY ? undefined : setInterval(end, deadline)
    const report = await drained
    await stopped
    clearInterval(timer)
    return report
  }

  async close(): Promise<void> {
    const stopped = this.#stop()
    await this.#end()
    await stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Stops listening. Resolves when every socket is gone. */
  #stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => {
      for (const name of SIGNALS) process.off(name, this.#onSignal)
      this.#abort?.removeEventListener('abort', this.#onAbort)
      // Called back with an error when someone else has stopped it: then it has stopped.
      this.server.close(() => resolve())
      this.#unused.destroy()
    })
    return this.#stopped
  }

  /** Drops the connections, and the requests under way. */
  async #end(): Promise<void> {
    await this.#attachment.close()
    this.server.closeAllConnections()
  }

  /** A server that stops drops the connections that are idle at that moment; others become idle later. */
  #onAnswered({ socket }: IncomingMessage, { shouldKeepAlive }: ServerResponse): void {
    if (this.#stopped !== undefined && shouldKeepAlive && !isPipelined(socket)) socket.destroySoon()
  }

  readonly #onAbort = (): void => void this.close()

  readonly #onSignal = (name: NodeJS.Signals): void => {
    void this.drain(this.#drainOptions).then(() => {
      // Without listeners a signal ends the process, and its parent sees why. If others listen, it is their affair.
      if (process.listenerCount(name) > 0) return
      process.kill(process.pid, name)
      // Deno takes it in another thread: without something to wait for the process may be over before, with code 0.
      setTimeout(() => undefined, SIGNAL_TIME)
    })
  }
}

function urlOf(address: AddressInfo, hostname: string | undefined, isTls: boolean): string {
  const isWildcard = hostname === undefined || hostname === '::' || hostname === '0.0.0.0' || hostname === ''
  const host = isWildcard ? 'localhost' : hostname.includes(':') ? `[${hostname}]` : hostname
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`
}
