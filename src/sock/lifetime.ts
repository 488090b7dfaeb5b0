/** The life of one handler: start it, wait, turn its outcome into a Close, tell who wants to know. */
import type { Context } from 'hono'
import { CloseCode, isWireCloseCode } from '../codec/close-code.ts'
import { fitReason } from '../codec/close-reason.ts'
import { ConnectionClosed } from '../codec/errors.ts'
import type { Connection } from '../connection/connection.ts'
import { type LiveConnections, Stay } from '../connection/live-connections.ts'
import type { Upgrade } from '../runtime/upgrader.ts'
import type { Places } from './admission.ts'
import type { CloseReason, Handler, RouteOptions } from './route-options.ts'
import { typedConnection } from './typed.ts'

/** Where a connection counts for as long as it is open. */
export interface Presence {
  readonly places: Places
  /** Of the Sock; the connection enters here. */
  readonly live: LiveConnections
}

/**
 * Waits for the connection and runs its handler, to the end of both.
 *
 * Returning closes with 1000, and so does the `ConnectionClosed` of this very connection. Whatever else is thrown goes
 * to `onError` once and closes with 1011, or with what `errorToClose` says. The places are free again when the connection
 * has ended or never was, however long the handler goes on.
 */
export function runHandler(
  upgrade: Upgrade,
  c: Context,
  options: RouteOptions,
  handler: Handler,
  { places, live }: Presence,
): void {
  const onOpened = (raw: Connection | null): void => {
    if (raw === null) {
      places.release()
      return
    }
    if (places.taken) releaseAtEnd(places, raw)
    const ws = typedConnection(raw, options, c)
    const ended = options.onClose && whenEnded(raw, ws, c, options)
    const life = new Life(ws, options, c, ended, upgrade.stay)
    live.enter(raw, life)
    const handled = life.follow(start(handler, ws, c))
    upgrade.keep?.(handled)
  }
  // Nothing is returned that waits for the handler: it would stay as long, with all that the request was made of.
  void upgrade.opened.then(onOpened, (error: unknown) => {
    report(error, c.req.url)
    places.release()
  })
}

/** From the moment when the connection opens until it has ended, and its handler: all that is kept meanwhile. */
class Life extends Stay {
  /** What the handler holds: the connection, or something around it. */
  readonly #ws: Connection
  readonly #options: RouteOptions
  /** For `onError`, if there is one: with what hangs on it, a context takes as much memory as a connection. */
  readonly #c: Context | undefined
  /** Resolves when `onClose`, if there is one, has been told. */
  readonly #ended: Promise<void> | undefined
  /** Of the server. */
  readonly #stay: Stay | undefined

  constructor(
    ws: Connection,
    options: RouteOptions,
    c: Context,
    ended: Promise<void> | undefined,
    stay: Stay | undefined,
  ) {
    super()
    this.#ws = ws
    this.#options = options
    this.#c = options.onError && c
    this.#ended = ended
    this.#stay = stay
  }

  /** @returns resolves, and never rejects, when the handler and the closing handshake are over */
  follow(handler: Promise<unknown>): Promise<void> {
    // Bound: closures and their scope take more memory, for as long as the handler runs (`bun run bench memory`).
    return handler.then(this.#returned.bind(this), this.#threw.bind(this))
  }

  #returned(said: unknown): void | Promise<void> {
    const wrong = notAHandler(said)
    return wrong === undefined ? this.#close() : this.#threw(wrong)
  }

  /** Without a promise where there is nothing to wait for: mostly it was the connection that ended first. */
  #close(): void | Promise<void> {
    const { connection } = this
    return connection.code === undefined
      ? connection.close(CloseCode.NORMAL_CLOSURE).then(() => this.#over())
      : this.#over()
  }

  async #threw(error: unknown): Promise<void> {
    const raw = this.connection
    if (error instanceof ConnectionClosed && (error.connection === raw || error.connection === this.#ws)) {
      return this.#close()
    }
    // What onError sends at once still goes before the Close; it is not waited for, so that it cannot hold the peer.
    const told = this.#tell(error)
    const { code, reason } = closeFor(error, raw, this.#options)
    await raw.close(code, reason)
    await told
    await this.#over()
  }

  async #tell(error: unknown): Promise<void> {
    const raw = this.connection
    const c = this.#c
    if (c === undefined) report(error, raw.url)
    else await attempt(raw, () => this.#options.onError?.(error, c, this.#ws))
  }

  /** The handler has ended, and its connection. */
  #over(): void | Promise<void> {
    return this.#ended === undefined ? this.#leave() : this.#ended.then(() => this.#leave())
  }

  #leave(): void {
    this.leave()
    this.#stay?.leave()
  }
}

function releaseAtEnd(places: Places, raw: Connection): void {
  void raw.closed.then(() => places.release())
}

/**
 * What is wrong with a function that did nothing but give something back, which says what it is, or `undefined`: taken
 * for a handler it would say nothing and end at once. What a handler returns is its own affair otherwise.
 */
function notAHandler(said: unknown): TypeError | undefined {
  if (isGenerator(said)) {
    return new TypeError(
      'A handler is an async function that sends with ws.send, and no generator: that would never run',
    )
  }
  if (!isListeners(said)) return undefined
  return new TypeError(
    'A handler receives in its own lines (for await, or ws.receive) and gives no listeners; those are for upgradeWebSocket of Hono',
  )
}

/** By its prototype, since properties may be computed, and asking for them must not throw here. */
function isGenerator(said: unknown): boolean {
  return GENERATORS.some((prototype) => Object.prototype.isPrototypeOf.call(prototype, said as object))
}

const GENERATORS: readonly object[] = [function* () {}, async function* () {}].map(
  (kind) => Object.getPrototypeOf(kind).prototype,
)

/** What a handler of `hono/ws` gives. A property that is computed is not asked for, as above. */
function isListeners(said: unknown): boolean {
  if (typeof said !== 'object' || said === null) return false
  return LISTENERS.some((name) => typeof Object.getOwnPropertyDescriptor(said, name)?.value === 'function')
}

const LISTENERS = ['onOpen', 'onMessage', 'onClose'] as const

/** Calls a handler, which need not be an async function: what it throws at once is a rejection as well. */
function start(handler: Handler, ws: Connection, c: Context): Promise<unknown> {
  try {
    return Promise.resolve(handler(ws, c))
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Tells the application about the end, once it has come. */
async function whenEnded(raw: Connection, ws: Connection, c: Context, options: RouteOptions): Promise<void> {
  const info = await raw.closed
  await attempt(raw, () => options.onClose?.(info, c, ws))
}

/** Reports an error that has nowhere else to go: one line and the stack. */
function report(error: unknown, url: string): void {
  console.error(`fetch-sock: error in the handler of ${new URL(url).pathname}:`, error)
}

/** Runs a callback of the application; an error in it is reported and goes no further. */
async function attempt(raw: Connection, callback: () => unknown): Promise<void> {
  try {
    await callback()
  } catch (error) {
    report(error, raw.url)
  }
}

function closeFor(error: unknown, raw: Connection, options: RouteOptions): Required<CloseReason> {
  try {
    const chosen = options.errorToClose?.(error)
    if (chosen !== undefined) {
      if (!isWireCloseCode(chosen.code)) throw new RangeError(`errorToClose gave ${chosen.code}, which may not be sent`)
      return { code: chosen.code, reason: fitReason(chosen.reason ?? '') }
    }
  } catch (failure) {
    report(failure, raw.url)
  }
  return { code: CloseCode.INTERNAL_ERROR, reason: '' }
}
