/** The Hono middleware that turns an upgrade request into a connection: admission, upgrader, handler. */
import type { Context, Env, MiddlewareHandler, Next } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { BlankInput, Input } from 'hono/types'
import { findTargetHandler, isMiddleware } from 'hono/utils/handler'
import { isWebSocketUpgrade } from '../codec/upgrade-request.ts'
import type { Received, Sendable } from '../connection/connection.ts'
import { LiveConnections } from '../connection/live-connections.ts'
import { hostClock } from '../runtime/host-clock.ts'
import { hostedUpgrader, noAdapter } from '../runtime/hosted-upgrader.ts'
import { type Acceptance, UPGRADER, type Upgrader } from '../runtime/upgrader.ts'
import { admit, Places, refuse, shuttingDown } from './admission.ts'
import type { PerConnection } from './callback.ts'
import { ConnectionCap } from './connection-cap.ts'
import type { UpgradeMiddleware } from './hono-overloads.ts'
import { runHandler } from './lifetime.ts'
import {
  type AnyEnv,
  type Handler,
  type Incoming,
  type MaybeSchema,
  type OptionLayer,
  type Outgoing,
  type RouteOptions,
  routeResolver,
} from './route-options.ts'

/**
 * A WebSocket route as Hono middleware: `app.get('/chat/:room', auth, upgrade(handler))`.
 *
 * The handler's context is typed by the path, the application and up to three middleware in front, in `get` and the
 * other methods; `on`, `use` and a call without a path take one. Elsewhere say the types:
 * `upgrade<AppEnv, '/chat/:room'>(handler)`.
 *
 * A request that is no upgrade goes on to the routes behind; when none answers, it gets 426.
 *
 * @throws {TypeError} at the call, for an unknown option or one of the wrong type, by name
 * @throws {RangeError} at the call, for an option out of range
 */
export function upgrade<E extends Env = AnyEnv, P extends string = string, I extends Input = BlankInput>(
  handler: Handler<E, P, Received, Sendable, string, I>,
): UpgradeMiddleware<E, P, I>
export function upgrade<
  E extends Env = AnyEnv,
  P extends string = string,
  Rx extends MaybeSchema = undefined,
  Tx extends MaybeSchema = undefined,
  const Sub extends string = string,
  I extends Input = BlankInput,
>(
  options: PerConnection<RouteOptions<E, P, Rx, Tx, Sub, I>, Context<E, P, I>>,
  handler: Handler<E, P, Incoming<Rx>, Outgoing<Tx>, Sub, I>,
): UpgradeMiddleware<E, P, I>
export function upgrade(
  ...args: [handler: Handler] | [options: OptionLayer['options'], handler: Handler]
): MiddlewareHandler {
  const [options, handler] = args.length === 1 ? [{}, args[0]] : args
  return upgradeRoute([{ options, cap: new ConnectionCap(), isRoute: true }], handler, new LiveConnections(hostClock))
}

/**
 * The same with options in layers, the outermost first.
 *
 * @param live where the connections of this route are kept; while it drains, upgrades are refused
 */
export function upgradeRoute(
  layers: readonly OptionLayer[],
  handler: Handler,
  live: LiveConnections,
): MiddlewareHandler {
  if (typeof handler !== 'function') throw new TypeError('A route needs a handler, which is a function')
  const resolve = routeResolver(layers)
  return async (c, next) => {
    // An upgrader is here only if the server has seen an upgrade request.
    const raw = rawUpgrader(c)
    const upgrader = raw ?? hostedUpgrader(c.req.raw)
    if (upgrader === undefined && c.req.header('upgrade') === undefined) return fallThrough(c, next)
    const headers = upgrader?.headers ?? c.req.raw.headers
    if (upgrader === undefined && !isWebSocketUpgrade(headers)) return fallThrough(c, next)
    const places = new Places()
    try {
      const decision = live.draining ? shuttingDown(c) : admit(c, headers, resolve, places)
      let admitted = decision instanceof Promise ? await decision : decision
      // A drain may have begun while the application decided.
      if (live.draining && !(admitted instanceof Response)) admitted = shuttingDown(c)
      if (admitted instanceof Response) {
        places.release()
        return admitted
      }
      const { asked, subprotocol, route } = admitted
      if (upgrader === undefined) {
        places.release()
        return refuse(c, ...noAdapter(c.env))
      }
      const acceptance: Acceptance = { asked, subprotocol, options: route.connection }
      const prepare = raw && ((status: 101) => c.newResponse(null, status))
      const taken = upgrader.upgrade(c.req.raw, acceptance, prepare)
      runHandler(taken, c, route.options, handler, { places, live })
      return raw === undefined ? withHeadersSoFar(c, taken.response) : taken.response
    } catch (error) {
      places.release()
      throw error
    }
  }
}

/**
 * A response with the headers that the application has set so far. Hono merges them into one that it is given;
 * `newResponse` would copy them first, which takes Deno long (`bun run bench handshake`).
 */
function withHeadersSoFar(c: Context, response: Response): Response {
  // Asked for, this is made of headers that were set when there was no response yet.
  void c.res
  c.res = response
  return c.res
}

function rawUpgrader(c: Context): Upgrader | undefined {
  return (c.env as { readonly [UPGRADER]?: Upgrader } | undefined)?.[UPGRADER]
}

/**
 * A request that is no upgrade: whatever comes behind may answer. When it was nobody, a GET learns that this is a
 * WebSocket: 426 with `Upgrade` (RFC 9110 §15.5.22).
 *
 * A 404 that an endpoint behind has chosen stands. Hono does not tell it from the 404 for nobody; the routes that match
 * do: middleware takes `next`, an endpoint does not.
 */
async function fallThrough(c: Context, next: Next): Promise<Response | undefined> {
  const behind = matchedRoutes(c).slice(c.req.routeIndex + 1)
  const isGet = c.req.method === 'GET' || c.req.method === 'HEAD'
  if (behind.length > 0 || !isGet) {
    await next()
    if (!isGet || c.res.status !== 404 || behind.some(({ handler }) => !isMiddleware(findTargetHandler(handler))))
      return undefined
  }
  const answer = refuse(c, 426, "This is a WebSocket: header 'Upgrade' must be websocket (RFC 6455 §4.2.1)", [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
  ])
  if (!c.finalized) return answer
  // Behind `next` a returned response is ignored.
  c.res = answer
  return undefined
}
