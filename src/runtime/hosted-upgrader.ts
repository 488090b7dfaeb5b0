/**
 * Which host is this, and the last step of its applications.
 *
 * A host upgrades in a call, and after it no header can be added and no other answer given. So the call comes when the
 * whole application has answered: `hostedFetch` is the outermost function, the middleware of a route only says what it
 * wants. The two find each other by the request.
 */
import type { HeaderList } from '../codec/header.ts'
import { isWebSocketUpgrade } from '../codec/upgrade-request.ts'
import type { Capabilities, Connection } from '../connection/connection.ts'
import { RETRY_AFTER } from '../connection/live-connections.ts'
import { bunHost, bunServer } from './bun.ts'
import { cloudflareHost, isCloudflare } from './cloudflare.ts'
import { denoHost, isDeno } from './deno.ts'
import type { Host } from './host.ts'
import { reportUnsupported } from './host-limits.ts'
import { type Acceptance, UPGRADER, type Upgrade, type Upgrader } from './upgrader.ts'

/** What a Fetch server calls. */
export type Fetch = (request: Request, env?: unknown, context?: unknown) => Response | Promise<Response>

/** Where a request keeps its upgrade. A `WeakMap` of them keeps the collector of Deno busy (`bun run bench handshake`). */
const HANDSHAKE: unique symbol = Symbol('fetch-sock.handshake')

type Carrier = Request & { [HANDSHAKE]?: HostedHandshake }

/** The upgrader of a request that came through `hostedFetch`. */
export function hostedUpgrader(request: Request): Upgrader | undefined {
  return (request as Carrier)[HANDSHAKE]
}

/** The host of a server that is not ours, by what it gives beside a request. */
export function hostOf(env: unknown): Host | undefined {
  if (bunServer(env) !== undefined) return bunHost
  if (isDeno()) return denoHost
  return isCloudflare() ? cloudflareHost : undefined
}

/** The answer to a request that cannot be upgraded: why, and what to do. */
export function noAdapter(env: unknown): readonly [status: number, message: string, headers?: HeaderList] {
  const incoming = incomingOf(env)
  // What its parser reports as an upgrade comes with an upgrader.
  if (incoming !== undefined && listensForUpgrades(incoming)) return [400, NOT_REPORTED, [['Connection', 'close']]]
  const host = incoming === undefined ? hostOf(env) : undefined
  return host === undefined
    ? [
        501,
        'No adapter: this server cannot upgrade. Start the application with serve() from fetch-sock/server, or see docs/runtimes.md for Bun.serve, Deno.serve and Cloudflare Workers',
      ]
    : [
        501,
        `No adapter: the application that ${host.mode} runs has no Sock of its own, or middleware has replaced the request. Call sock.mount(app) with the outermost application, or start it with serve() from fetch-sock/server`,
      ]
}

const NOT_REPORTED =
  "The HTTP parser of this server did not take the request for an upgrade: send it again as the first of its connection, with 'Connection: Upgrade' and no whitespace behind"

/** As much of an `IncomingMessage` of `node:http` as says whose it is. */
interface Incoming {
  readonly socket?: { readonly server?: { listenerCount(event: string): number } | undefined } | undefined
}

/** What a server of `node:http` gives beside a request: ours, or that of `@hono/node-server`. */
function incomingOf(env: unknown): Incoming | undefined {
  return (env as { readonly incoming?: Incoming } | undefined)?.incoming
}

/** Whether somebody has the upgrades of this server, as `serve` and `attach` do. */
function listensForUpgrades({ socket }: Incoming): boolean {
  return (socket?.server?.listenerCount('upgrade') ?? 0) > 0
}

/**
 * Called once, with the first request, when there is a host.
 *
 * @returns milliseconds that a handshake may take
 */
export type OnHost = (host: Host) => number

/** Those of an application that have not been called yet. */
const waiting = new WeakMap<Fetch, OnHost[]>()

/**
 * The fetch function of an application with the upgrade as its last step. A raw server brings its own upgrader; for it,
 * and for requests that are no upgrade, nothing changes.
 */
export function hostedFetch(fetch: Fetch, onHost: OnHost): Fetch {
  const others = waiting.get(fetch)
  if (others !== undefined) {
    others.push(onHost)
    return fetch
  }
  const untold = [onHost]
  let limit = 0
  const hosted: Fetch = (request, env, context) => {
    // Plain requests of a raw server carry what its bridge from `node:http` gives them.
    const isRaw = typeof env === 'object' && env !== null && (UPGRADER in env || 'incoming' in env)
    if (isRaw) return fetch(request, env, context)
    const upgrades = isUpgrade(request)
    if (!upgrades && untold.length === 0) return fetch(request, env, context)
    const host = hostOf(env)
    if (host === undefined || hostedUpgrader(request) !== undefined || host.serves?.(request) === false) {
      return fetch(request, env, context)
    }
    if (untold.length > 0) for (const tell of untold.splice(0)) limit = Math.max(limit, tell(host))
    if (!upgrades) return fetch(request, env, context)
    const response = new HostedHandshake(host, request, env, context).run(fetch, limit)
    // A Worker stops where it is when the client leaves; what the handshake holds is to be given back.
    waitUntil(context, response)
    return response
  }
  waiting.set(hosted, untold)
  return hosted
}

/** Keeps a Worker for some work; no other host has or needs this. */
function waitUntil(context: unknown, work: Promise<unknown>): void {
  const worker = context as { waitUntil?(work: Promise<unknown>): void } | undefined
  worker?.waitUntil?.(
    work.then(
      () => undefined,
      () => undefined,
    ),
  )
}

function isUpgrade(request: Request): boolean {
  const upgrade = request.headers.get('upgrade')
  return upgrade !== null && (upgrade === 'websocket' || isWebSocketUpgrade([['upgrade', upgrade]]))
}

class HostedHandshake implements Upgrader {
  readonly mode: string
  readonly capabilities: Capabilities
  readonly #host: Host
  readonly #hostRequest: Request
  readonly #request: Request
  readonly #env: unknown
  readonly #context: unknown
  #acceptance: Acceptance | undefined
  #settle: ((connection: Connection | null) => void) | undefined
  #decided = false
  #connection: Connection | null = null
  #abort: AbortController | undefined

  constructor(host: Host, request: Request, env: unknown, context: unknown) {
    this.mode = host.mode
    this.capabilities = host.capabilities
    this.#host = host
    this.#hostRequest = request
    const detached = host.detach?.(request, env, this)
    this.#request = detached?.request ?? request
    this.#env = detached === undefined ? env : detached.env
    this.#context = context
    const carrier: Carrier = this.#request
    carrier[HANDSHAKE] = this
  }

  upgrade(_request: Request, acceptance: Acceptance): Upgrade {
    if (this.#acceptance !== undefined) throw new TypeError('This request has been upgraded already')
    this.#acceptance = acceptance
    const opened = new Promise<Connection | null>((resolve) => {
      this.#settle = resolve
    })
    if (this.#decided) this.#settle?.(null)
    return { response: this.#host.announce(), opened, keep: (handled) => waitUntil(this.#context, handled) }
  }

  /** Of a request that we made: aborts when there will be no connection, or it has ended. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#decided) this.#abortAtEnd()
    }
    return this.#abort.signal
  }

  #abortAtEnd(): void {
    if (this.#connection === null) this.#abort?.abort()
    else if (this.#abort !== undefined) void this.#connection.closed.then(() => this.#abort?.abort())
  }

  /** Runs the request through the application, and upgrades when a 101 for it comes out in time. */
  run(fetch: Fetch, limit: number): Promise<Response> {
    const { clock } = this.#host
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#decide(null)
        resolve(tooLate(limit))
      }
      const timer = limit === Number.POSITIVE_INFINITY ? undefined : clock.setTimeout(late, limit)
      const answered = (response: Response): void => {
        clock.clearTimeout(timer)
        resolve(this.#answer(response))
      }
      const failed = (error: unknown): void => {
        clock.clearTimeout(timer)
        this.#decide(null)
        reject(error)
      }
      try {
        Promise.resolve(fetch(this.#request, this.#env, this.#context))
          .then(answered)
          .catch(failed)
      } catch (error) {
        failed(error)
      }
    })
  }

  /** What becomes of the application's answer. */
  #answer(response: Response): Response {
    if (this.#decided) {
      response.body?.cancel().catch(() => undefined)
      return response
    }
    if (response.status === 101 && this.#acceptance !== undefined) return this.#finish(response, this.#acceptance)
    this.#decide(null)
    return response.status === 101 && !isUpgraded(response) ? notUpgraded(this.#hostRequest) : response
  }

  #finish(response: Response, acceptance: Acceptance): Response {
    reportUnsupported(this.#host, acceptance.options)
    try {
      return this.#host.upgrade({
        hostRequest: this.#hostRequest,
        request: this.#request,
        response,
        acceptance,
        env: this.#env,
        opened: (connection) => this.#decide(connection),
      })
    } catch (error) {
      this.#decide(null)
      const why = error instanceof Error ? error.message : String(error)
      return new Response(`No adapter: ${this.#host.mode} cannot upgrade this request: ${why}\n`, { status: 501 })
    }
  }

  #decide(connection: Connection | null): void {
    if (this.#decided) return
    this.#decided = true
    this.#connection = connection
    this.#abortAtEnd()
    this.#settle?.(connection)
  }
}

/** Whether the application has upgraded by itself, in the way of Cloudflare. */
function isUpgraded(response: Response): boolean {
  return (response as { readonly webSocket?: unknown }).webSocket != null
}

/** A 101 with nobody behind it would leave the client in a protocol that no one speaks. */
function notUpgraded(request: Request): Response {
  const { pathname } = new URL(request.url)
  console.error(`fetch-sock: the application answered 101 to ${pathname}, which it did not upgrade`)
  return new Response('Internal Server Error\n', { status: 500 })
}

function tooLate(limit: number): Response {
  const headers = { 'Content-Type': 'text/plain; charset=UTF-8', 'Retry-After': String(RETRY_AFTER) }
  return new Response(`The handshake took longer than handshakeTimeout, ${limit} ms\n`, { status: 503, headers })
}
