/**
 * `fetch-sock/client` on runtimes with sockets: dials, shakes hands, and gives the same `Connection` as a server.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ClientHandshake } from '../codec/client-handshake.ts'
import { HandshakeError, WebSocketError } from '../codec/errors.ts'
import type { AcceptConnection, RejectConnection } from '../codec/event.ts'
import { type HeaderList, headerValues } from '../codec/header.ts'
import { PerMessageDeflate } from '../codec/permessage-deflate.ts'
import { Protocol } from '../codec/protocol.ts'
import type { Connection } from '../connection/connection.ts'
import { FramedConnection } from '../connection/framed.ts'
import type { DeflateOptions } from '../connection/options.ts'
import { type ClientOptions, type Dial, MAX_REFUSAL_BODY, planDial, redirectDial } from './client-options.ts'
import { DuplexTransport } from './duplex-transport.ts'
import { nodeClock } from './node-clock.ts'
import { isPausable, RAW_MODE } from './raw-mode.ts'

export type { ClientOptions } from './client-options.ts'
export { type ReconnectOptions, reconnect } from './reconnect.ts'
export type { ReconnectDelays } from './reconnect-loop.ts'

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308]

/**
 * Opens a connection to a server.
 *
 * @param url `ws:`, `wss:`, `http:` or `https:`; credentials in it become Basic authentication
 * @returns the open connection
 * @throws {TypeError | RangeError} for a wrong URL or option, before a byte leaves
 * @throws {HandshakeError} when the server refused (`status`, `headers`, `body`), answered wrongly, or could not be
 *   reached in time (`status` 0, with the runtime's error as `cause`)
 */
export async function connect(url: string | URL, options: ClientOptions = {}): Promise<Connection> {
  let dial = planDial(url, options)
  for (;;) {
    try {
      return await new Dialling(dial).connection
    } catch (error) {
      const next = error instanceof HandshakeError ? redirected(dial, error.status, error.headers) : undefined
      if (next === undefined) throw error
      dial = next
    }
  }
}

/** Where a refusal sends us, if we follow it. */
function redirected(dial: Dial, status: number, headers: HeaderList): Dial | undefined {
  const location = REDIRECTS.includes(status) ? headerValues(headers, 'location')[0] : undefined
  return location === undefined || dial.maxRedirects === 0 ? undefined : redirectDial(dial, location)
}

/** One attempt: a socket and the handshake on it. */
class Dialling {
  readonly connection: Promise<Connection>
  readonly #dial: Dial
  readonly #handshake = new ClientHandshake()
  readonly #socket: Socket
  readonly #timer: unknown
  #resolve!: (connection: Connection) => void
  #reject!: (error: unknown) => void
  #refusal: RejectConnection | undefined
  #body: Uint8Array[] = []
  #bodySize = 0
  #settled = false

  constructor(dial: Dial) {
    this.#dial = dial
    dial.signal?.throwIfAborted()
    this.connection = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const request = this.#request()
    const socket = open(dial)
    this.#socket = socket
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.write(request)
    dial.signal?.addEventListener('abort', this.#onAbort)
    if (dial.connectTimeout !== Number.POSITIVE_INFINITY) {
      this.#timer = nodeClock.setTimeout(
        () => this.#unreachable(`No connection within connectTimeout (${dial.connectTimeout} ms)`),
        Math.max(0, dial.deadline - nodeClock.now()),
      )
    }
  }

  /** The request's bytes; throws TypeError for what may not be sent. */
  #request(): Uint8Array {
    const { url, headers, subprotocols, connection } = this.#dial
    const deflate = connection.permessageDeflate
    return this.#handshake.send({
      type: 'Request',
      host: url.host,
      target: url.pathname + url.search,
      subprotocols,
      extensions: deflate === false ? [] : [new PerMessageDeflate(deflate === true ? {} : (deflate as DeflateOptions))],
      extraHeaders: headers,
    })
  }

  readonly #onData = (chunk: Uint8Array): void => {
    try {
      this.#handshake.receiveData(chunk)
      this.#read()
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #onEnd = (): void => {
    try {
      this.#handshake.receiveData(null)
      this.#read()
    } catch (error) {
      this.#fail(error)
    }
  }

  readonly #onError = (error: unknown): void => this.#unreachable('Cannot connect', error)

  readonly #onClose = (): void => this.#unreachable('The server closed the connection during the handshake')

  readonly #onAbort = (): void => this.#fail(this.#dial.signal?.reason)

  #read(): void {
    for (const event of this.#handshake.events()) {
      if (event.type === 'AcceptConnection') {
        this.#accept(event)
        return
      }
      if (event.type === 'RejectConnection') this.#refusal = event
      if (event.type !== 'RejectData') continue
      if (this.#bodySize < MAX_REFUSAL_BODY) {
        this.#body.push(event.data)
        this.#bodySize += event.data.length
      }
      if (event.bodyFinished || this.#bodySize >= MAX_REFUSAL_BODY) this.#refuse()
    }
    if (this.#isRedirected()) this.#refuse()
  }

  /** Whether another address will be asked: nobody wants the body then. */
  #isRedirected(): boolean {
    const { statusCode, headers } = this.#refusal ?? { statusCode: 0, headers: [] }
    return redirected(this.#dial, statusCode, headers as HeaderList) !== undefined
  }

  #accept(answer: AcceptConnection): void {
    if (!this.#settle()) return
    const { extensions, extensionsHeader, trailingData } = this.#handshake
    const { url, connection: options } = this.#dial
    const socket = this.#socket
    // Until the connection listens: a socket that flows drops what nobody listens to.
    socket.pause()
    const transport = new DuplexTransport(socket, trailingData, { pausable: isPausable(socket) })
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    this.#resolve(
      new FramedConnection({
        transport,
        protocol: new Protocol({
          role: 'client',
          extensions,
          maxMessageSize: options.maxMessageSize,
          maxFragments: options.maxFragments,
        }),
        clock: nodeClock,
        options,
        subprotocol: answer.subprotocol ?? '',
        extensions: extensionsHeader,
        url: url.href,
        request: undefined,
        mode: RAW_MODE,
      }),
    )
  }

  #refuse(): void {
    const refusal = this.#refusal as RejectConnection
    const body = new Uint8Array(Math.min(this.#bodySize, MAX_REFUSAL_BODY))
    let at = 0
    for (const piece of this.#body) {
      body.set(piece.subarray(0, body.length - at), at)
      at = Math.min(at + piece.length, body.length)
    }
    const init = { status: refusal.statusCode, headers: refusal.headers as HeaderList, body }
    this.#fail(new HandshakeError(`The server refused with status ${refusal.statusCode}`, init))
  }

  #unreachable(message: string, cause?: unknown): void {
    // A refusal whose body stalls or breaks off is one all the same, and its status says whether to come back.
    if (this.#refusal !== undefined && !this.#settled) {
      this.#refuse()
      return
    }
    const detail = cause instanceof Error ? `: ${cause.message}` : ''
    this.#fail(new HandshakeError(message + detail, { status: 0, cause }))
  }

  #fail(error: unknown): void {
    if (!this.#settle()) return
    this.#socket.destroy()
    this.#reject(
      error instanceof WebSocketError || error === this.#dial.signal?.reason ? error : asHandshakeError(error),
    )
  }

  /** Whether this is the first outcome; releases what waited for one. */
  #settle(): boolean {
    if (this.#settled) return false
    this.#settled = true
    nodeClock.clearTimeout(this.#timer)
    this.#dial.signal?.removeEventListener('abort', this.#onAbort)
    return true
  }
}

function asHandshakeError(error: unknown): HandshakeError {
  return new HandshakeError(error instanceof Error ? error.message : String(error), { status: 0, cause: error })
}

function open(dial: Dial): Socket {
  const host = dial.url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(dial.url.port || (dial.secure ? 443 : 80))
  const target = dial.socketPath === undefined ? { host, port } : { path: dial.socketPath }
  if (!dial.secure) return connectTcp({ ...target, noDelay: true })
  // RFC 6066 §3: an address is not a server name.
  const servername = /^[\d.]+$|:/.test(host) ? '' : host
  return connectTls({ servername, ALPNProtocols: ['http/1.1'], ...target, ...dial.tls })
}
