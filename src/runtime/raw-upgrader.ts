/** One 'upgrade' event of `node:http`, from the request to a framed connection or to another answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { HandshakeError } from '../codec/errors.ts'
import { type HeaderList, isReservedHeader } from '../codec/header.ts'
import { isWebSocketUpgrade } from '../codec/upgrade-request.ts'
import type { Clock, TimerHandle } from '../connection/clock.ts'
import type { Capabilities, Connection } from '../connection/connection.ts'
import { FRAMED_CAPABILITIES } from '../connection/framed.ts'
import { RETRY_AFTER, SHUTTING_DOWN, Stay } from '../connection/live-connections.ts'
import { ignoreError } from './duplex-transport.ts'
import { checkHead, fetchRequest, rawHeaders } from './fetch-request.ts'
import { headerList } from './header-list.ts'
import { LiveSocket, type LiveSockets, type SocketHolder } from './live-sockets.ts'
import { isPipelined, lastResponse, refusal, writeResponse } from './plain-response.ts'
import { openRaw } from './raw-connection.ts'
import { RAW_MODE } from './raw-mode.ts'
import { headersOf101, upgradeResponse } from './response-101.ts'
import { type Acceptance, type Prepare, UPGRADER, type Upgrade, type Upgrader } from './upgrader.ts'

/** What the application sees of the server, besides the request: the same as under `@hono/node-server`. */
export interface RawBindings {
  readonly incoming: IncomingMessage
  /** Absent while a request asks for an upgrade. */
  readonly outgoing?: ServerResponse | undefined
}

/** A Fetch server: a Hono app, or any object with a `fetch`. */
export interface App {
  fetch(request: Request, env?: RawBindings): Response | Promise<Response>
}

/** What all upgrades of one server share. */
export interface RawHost {
  readonly app: App
  readonly clock: Clock
  /** Milliseconds from the request to the answer. */
  readonly handshakeTimeout: number
  readonly onError: (error: unknown) => void
  readonly live: LiveSockets
  /** Whether other 'upgrade' listeners may want what this application does not. */
  isShared(): boolean
  /** Hands a request that asks for another protocol to the 'request' listeners. */
  onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void
}

/** Milliseconds that other 'upgrade' listeners have to take what our application did not; then its answer is sent. */
export const UNCLAIMED = 2000

/** The upgrader of one request. Nothing keeps it once the request is a connection. */
export class RawHandshake implements Upgrader, SocketHolder {
  readonly mode: string = RAW_MODE
  readonly capabilities: Capabilities = FRAMED_CAPABILITIES
  readonly #host: RawHost
  readonly #incoming: IncomingMessage
  readonly #socket: Duplex
  readonly #live: LiveSocket
  readonly #head: Uint8Array
  readonly headers: HeaderList
  /** Bytes written to the socket, by whomever, before this request's turn. */
  #writtenBefore: number
  #deadline: TimerHandle
  /** Whether it is known what becomes of the request; whatever comes later is too late. */
  #decided = false
  /** Whether our answer is being written. */
  #answering = false
  #upgraded = false
  #acceptance: Acceptance | undefined
  #request: Request | undefined
  #settle: ((connection: Connection | null) => void) | undefined
  #stay: Stay | undefined

  /** Call it in the 'upgrade' event itself: there the socket has lost its 'error' listener. */
  constructor(host: RawHost, incoming: IncomingMessage, socket: Duplex, head: Uint8Array) {
    socket.on('error', ignoreError)
    this.#host = host
    this.#incoming = incoming
    this.#socket = socket
    this.#head = head
    this.headers = rawHeaders(incoming)
    this.#writtenBefore = bytesWritten(socket)
    this.#live = new LiveSocket(host.live, socket, this)
    // Most are decided in this turn, and a timer costs more than the decision.
    host.clock.afterTurn(() => {
      if (!this.#decided) this.#within(host.handshakeTimeout, () => this.#onDeadline())
    })
  }

  /** From the request to the answer. Never rejects. */
  async run(): Promise<void> {
    try {
      if (isPipelined(this.#socket)) await this.#earlierResponses()
      if (this.#decided) return
      checkHead(this.#incoming, this.headers)
      if (!isWebSocketUpgrade(this.headers)) {
        this.#answer(() => this.#host.onRequest(this.#incoming, lastResponse(this.#incoming, this.#socket)))
        return
      }
      if (this.#host.live.draining) return this.#decline(shuttingDown())
      const response = await this.#ask()
      if (this.#decided) await response.body?.cancel()
      else if (response.status !== 101) this.#decline(response)
      else if (this.#host.live.draining) this.#decline(shuttingDown())
      else this.#open(response)
    } catch (error) {
      if (error instanceof HandshakeError) return this.#decline(refusal(error.status, error.message))
      this.#decline(refusal(500, 'Internal Server Error'))
      void report(error, this.#host.onError)
    }
  }

  upgrade(request: Request, acceptance: Acceptance, prepare?: Prepare): Upgrade {
    if (this.#upgraded) throw new TypeError('This request has been upgraded already')
    this.#upgraded = true
    this.#acceptance = acceptance
    this.#request = request
    const opened = new Promise<Connection | null>((resolve) => {
      this.#settle = resolve
    })
    if (this.#decided) this.#settle?.(null)
    this.#stay = new Stay()
    return { response: upgradeResponse(prepare), opened, stay: this.#stay }
  }

  /** Drops the socket, unless another listener has it. */
  terminate(): void {
    if (!this.#host.isShared() || !this.#isTaken()) this.#socket.destroy()
  }

  onGone(): void {
    this.#decide()
  }

  /** Runs the request through the application. */
  #ask(): Response | Promise<Response> {
    const request = fetchRequest(this.#incoming, this.headers, this.#live)
    const env = { incoming: this.#incoming, outgoing: undefined, [UPGRADER]: this }
    return this.#host.app.fetch(request, env)
  }

  /** A pipelined request may still wait for its response, which this answer must not overtake. */
  async #earlierResponses(): Promise<void> {
    const socket: Duplex & { _httpMessage?: ServerResponse | null } = this.#socket
    for (let earlier = socket._httpMessage; earlier && !this.#decided; earlier = socket._httpMessage) {
      const response = earlier
      // The server stopped to pass this on when it gave the socket away.
      const onDrain = (): unknown => response.emit('drain')
      socket.on('drain', onDrain)
      await new Promise((resolve) => {
        response.once('close', resolve)
        socket.once('close', resolve)
      })
      socket.off('drain', onDrain)
      this.#writtenBefore = bytesWritten(socket)
    }
  }

  #open(response: Response): void {
    const socket = this.#socket
    const acceptance = this.#acceptance
    const request = this.#request
    const stay = this.#stay
    if (acceptance === undefined || request === undefined || stay === undefined) {
      throw new TypeError('The application answered 101 to a request that it did not upgrade')
    }
    if (this.#host.isShared() && this.#isTaken()) {
      this.#release()
      return
    }
    if (socket.readableEnded) {
      socket.destroy()
      return
    }
    const connection = openRaw(socket, {
      head: this.#head,
      acceptance,
      extraHeaders: headerList(headersOf101(response)).filter(([name]) => !isReservedHeader(name)),
      url: request.url,
      request,
      clock: this.#host.clock,
    })
    this.#live.holder = connection
    this.#host.live.enter(connection, stay)
    this.#decide(connection)
  }

  #decline(response: Response): void {
    if (this.#decided) return
    this.#answer(() => writeResponse(this.#incoming, this.#socket, response))
  }

  /** Sends an answer that is no upgrade, once it is sure that nobody else sends one. */
  #answer(send: () => void): void {
    this.#decide()
    const answer = (): void => {
      this.#answering = true
      send()
    }
    if (!this.#host.isShared()) answer()
    else this.#within(UNCLAIMED, () => (this.#isTaken() ? this.#release() : answer()))
  }

  #within(delay: number, callback: () => void): void {
    this.#host.clock.clearTimeout(this.#deadline)
    this.#deadline =
      delay === Number.POSITIVE_INFINITY ? undefined : this.#host.clock.setTimeout(() => callback(), delay)
  }

  #onDeadline(): void {
    this.#live.abort()
    if (isPipelined(this.#socket)) this.terminate()
    else this.#decline(refusal(503, `Handshake took longer than ${this.#host.handshakeTimeout} ms`, RETRY_LATER))
  }

  /** The socket is someone else's. */
  #release(): void {
    this.#live.leave()
    this.#decide()
  }

  /** It is known what becomes of the request. */
  #decide(connection: Connection | null = null): void {
    this.#decided = true
    this.#host.clock.clearTimeout(this.#deadline)
    this.#settle?.(connection)
  }

  /** Whether another 'upgrade' listener reads from the socket, or has answered. */
  #isTaken(): boolean {
    const socket = this.#socket
    if (this.#answering) return false
    // Two attachments to one server find at the same moment that nobody has answered: the first has written nothing yet.
    if (isPipelined(socket)) return true
    if (socket.destroyed || socket.writableEnded || bytesWritten(socket) !== this.#writtenBefore) return true
    return socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0
  }
}

const RETRY_LATER = { 'Retry-After': String(RETRY_AFTER) } as const

/** Tells `onError`, which may be asynchronous, and fail. */
async function report(error: unknown, onError: (error: unknown) => unknown): Promise<void> {
  try {
    await onError(error)
  } catch (another) {
    console.error(another)
  }
}

function shuttingDown(): Response {
  return refusal(503, SHUTTING_DOWN, RETRY_LATER)
}

function bytesWritten(socket: Duplex): number {
  return 'bytesWritten' in socket ? Number(socket.bytesWritten) : 0
}
