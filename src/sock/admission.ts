/**
 * May this request become a connection? Everything between the middleware in front and the upgrade, in this order: the
 * handshake, the origin, the caps, `beforeUpgrade`, the subprotocol.
 */
import type { Context } from 'hono'
import type { StatusCode } from 'hono/utils/http-status'
import { HandshakeError } from '../codec/errors.ts'
import type { HeaderList, HeaderSource } from '../codec/header.ts'
import { checkUpgradeRequest, type UpgradeRequest } from '../codec/upgrade-request.ts'
import { RETRY_AFTER, SHUTTING_DOWN } from '../connection/live-connections.ts'
import { quiet } from '../connection/rejection.ts'
import { isOriginAllowed } from './origin.ts'
import { type ResolvedRoute, ROUTE_OPTIONS } from './route-options.ts'

/** A request that may become a connection. */
export interface Admitted {
  readonly asked: UpgradeRequest
  readonly route: ResolvedRoute
  readonly subprotocol: string | undefined
}

type Decision = Admitted | Response

/** Places in caps that one request holds. Once released it takes no more. */
export class Places {
  #held: (() => void)[] | undefined
  #released = false

  get taken(): boolean {
    return this.#held !== undefined
  }

  /** @returns the refusal, or `undefined` when there was a place in every cap */
  take(route: ResolvedRoute, c: Context): Response | undefined {
    if (this.#released) return undefined
    for (const { cap, max, maxPerKey } of route.caps) {
      const key = maxPerKey === Number.POSITIVE_INFINITY ? undefined : keyOf(c, route)
      const place = cap.take({ max, maxPerKey, key })
      if (typeof place === 'function') {
        this.#held ??= []
        this.#held.push(place)
        continue
      }
      const status = place.option === 'maxConnections' ? 503 : 429
      return refuse(c, status, `Too many connections: ${place.option} is ${place.limit}`, RETRY_LATER)
    }
    return undefined
  }

  /** Gives all places back. Idempotent. */
  release(): void {
    this.#released = true
    const held = this.#held
    this.#held = undefined
    held?.forEach((giveBack) => void giveBack())
  }
}

/** What is no key would be another one for each request, and the cap would hold nobody. */
function keyOf(c: Context, { options }: ResolvedRoute): string | undefined {
  const key: unknown = options.connectionKey?.(c)
  if (key === undefined || typeof key === 'string') return key
  if (key instanceof Promise) void quiet(key)
  const got = key instanceof Promise ? 'a Promise' : key === null ? 'null' : typeof key
  throw new TypeError(`connectionKey must give a string or undefined, at once; got ${got}`)
}

const RETRY_LATER = [['Retry-After', String(RETRY_AFTER)]] as const

/** An answer of ours: one line that says what is wrong. Headers that middleware has set so far are kept. */
export function refuse(c: Context, status: number, message: string, headers: HeaderList = []): Response {
  const all: [string, string][] = [['Content-Type', 'text/plain; charset=UTF-8']]
  for (const [name, value] of headers) all.push([name, value])
  return c.newResponse(`${message}\n`, { status: status as StatusCode, headers: all })
}

/** The answer to every upgrade from the moment a drain begins. */
export function shuttingDown(c: Context): Response {
  return refuse(c, 503, SHUTTING_DOWN, RETRY_LATER)
}

/**
 * Decides within `handshakeTimeout`: at once, unless an option takes its time. Each wait costs as much as a check.
 *
 * @param places where the places that the request takes are kept; they are the caller's to release
 * @returns what to upgrade with, or the refusal
 * @throws what an option that is a function throws, but for a `Response`, which is the refusal
 */
export function admit(
  c: Context,
  headers: HeaderSource,
  resolve: (c: Context) => ResolvedRoute | Promise<ResolvedRoute>,
  places: Places,
): Decision | Promise<Decision> {
  let asked: UpgradeRequest
  try {
    asked = checkUpgradeRequest({ method: c.req.method, headers })
  } catch (error) {
    if (error instanceof HandshakeError) return refuse(c, error.status, error.message, error.headers)
    throw error
  }
  try {
    const route = resolve(c)
    const decision = route instanceof Promise ? decideLater(c, asked, route, places) : inTime(c, asked, route, places)
    return decision instanceof Promise ? decision.catch(thrownRefusal) : decision
  } catch (error) {
    return thrownRefusal(error)
  }
}

async function decideLater(
  c: Context,
  asked: UpgradeRequest,
  resolving: Promise<ResolvedRoute>,
  places: Places,
): Promise<Decision> {
  const started = performance.now()
  const route = await resolving
  return await inTime(c, asked, route, places, performance.now() - started)
}

/** @param spent milliseconds of `handshakeTimeout` that have passed */
function inTime(
  c: Context,
  asked: UpgradeRequest,
  route: ResolvedRoute,
  places: Places,
  spent: number = 0,
): Decision | Promise<Decision> {
  const decision = decide(c, asked, route, places)
  const limit = route.options.handshakeTimeout ?? ROUTE_OPTIONS.handshakeTimeout.default
  if (!(decision instanceof Promise) || limit === Number.POSITIVE_INFINITY) return decision
  return within(decision, limit - spent, () =>
    refuse(c, 503, `The handshake took longer than handshakeTimeout, ${limit} ms`, RETRY_LATER),
  )
}

function decide(c: Context, asked: UpgradeRequest, route: ResolvedRoute, places: Places): Decision | Promise<Decision> {
  const { origin, beforeUpgrade, subprotocols, requireSubprotocol } = route.options
  const choose = (): Decision | Promise<Decision> =>
    whenKnown(chooseSubprotocol(c, asked.subprotocols, subprotocols), (subprotocol) => {
      if (subprotocol !== undefined || requireSubprotocol !== true) return { asked, route, subprotocol }
      const known = Array.isArray(subprotocols) ? `; known are ${subprotocols.join(', ')}` : ''
      return refuse(c, 400, `Header 'Sec-WebSocket-Protocol' must offer a subprotocol of this route${known}`)
    })
  return whenKnown(isOriginAllowed(origin, asked.origin, c), (allowed) => {
    if (!allowed) {
      const who = asked.origin === undefined ? 'A request without Origin' : `Origin ${JSON.stringify(asked.origin)}`
      return refuse(c, 403, `${who} may not connect: it is not allowed by the option origin`)
    }
    const full = places.take(route, c)
    if (full !== undefined || beforeUpgrade === undefined) return full ?? choose()
    return whenKnown(beforeUpgrade(c) as unknown, (said) => {
      const refusal = asResponse(said)
      if (refusal !== undefined) return refusal
      // `false` may be meant for a refusal: what is not understood must not let anybody in.
      if (said !== undefined) throw new TypeError(`beforeUpgrade must give a Response or nothing, not ${typeof said}`)
      return choose()
    })
  })
}

/** Goes on with a value, when it is there. */
function whenKnown<T>(
  value: T | PromiseLike<T>,
  next: (value: T) => Decision | Promise<Decision>,
): Decision | Promise<Decision> {
  return isPromiseLike(value) ? Promise.resolve(value).then(next) : next(value)
}

function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && typeof (value as Partial<PromiseLike<T>>).then === 'function'
}

/** A `Response` that was thrown is the refusal; any other error goes its way. */
function thrownRefusal(error: unknown): Response {
  const refusal = asResponse(error)
  if (refusal === undefined) throw error
  return refusal
}

/**
 * A refusal, or `undefined` for what is none. `@hono/node-server` replaces the global `Response` on Node, and what
 * `fetch` gives is then no instance of it.
 */
function asResponse(value: unknown): Response | undefined {
  if (value instanceof Response) return value
  if (Object.prototype.toString.call(value) !== '[object Response]') return undefined
  const other = value as Response
  return new Response(other.body, other)
}

/** §4.2.2 point 5.4: one that the client offered, or none. */
function chooseSubprotocol(
  c: Context,
  offered: readonly string[],
  spoken: ResolvedRoute['options']['subprotocols'],
): string | undefined | Promise<string | undefined> {
  if (spoken === undefined || offered.length === 0) return undefined
  if (typeof spoken !== 'function') return offered.find((name) => spoken.includes(name))
  return askForSubprotocol(c, offered, spoken)
}

async function askForSubprotocol(
  c: Context,
  offered: readonly string[],
  ask: Exclude<ResolvedRoute['options']['subprotocols'], readonly string[] | undefined>,
): Promise<string | undefined> {
  const chosen = (await ask(offered, c)) ?? undefined
  if (chosen === undefined || offered.includes(chosen)) return chosen
  throw new TypeError(`subprotocols chose ${JSON.stringify(chosen)}, which the client did not offer`)
}

/** `work`, or what `late` gives when it takes longer than `limit` milliseconds; what comes of it then is left out. */
async function within<T>(work: Promise<T>, limit: number, late: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late()), Math.max(0, limit))
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}
