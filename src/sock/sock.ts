/** WebSocket routes on Hono applications, as flask-sock has them on Flask. */
import type { Context, Env, Hono, MiddlewareHandler, Schema } from 'hono'
import type { BlankEnv, BlankInput, Input, MergePath } from 'hono/types'
import { optionsFault } from '../connection/call-options.ts'
import type { Received, Sendable } from '../connection/connection.ts'
import { type DrainOptions, type DrainReport, LiveConnections } from '../connection/live-connections.ts'
import { type BunWebSocketHandler, bunHost, bunWebSocketHandler } from '../runtime/bun.ts'
import type { Host } from '../runtime/host.ts'
import { hostClock } from '../runtime/host-clock.ts'
import { reportUnsupported } from '../runtime/host-limits.ts'
import { type Fetch, hostedFetch } from '../runtime/hosted-upgrader.ts'
import { type Topic, Topics } from '../topic/topics.ts'
import type { PerConnection } from './callback.ts'
import { ConnectionCap } from './connection-cap.ts'
import type { UpgradeMiddleware } from './hono-overloads.ts'
import {
  checkRouteOptions,
  type Handler,
  type Incoming,
  type MaybeSchema,
  type OptionLayer,
  type Outgoing,
  ROUTE_OPTIONS,
  type RouteOptions,
  type SockOptions,
} from './route-options.ts'
import { upgradeRoute } from './upgrade.ts'

/** Where the routes of a Sock land. */
export interface MountOptions {
  /** Path before every route, as in Hono's `basePath`. @default none */
  basePath?: string | undefined
}

const MOUNT_OPTIONS: readonly string[] = ['basePath'] satisfies (keyof MountOptions)[]

/**
 * Routes, options and topics that belong together.
 *
 * ```ts
 * const sock = new Sock(app)
 * sock.route('/echo', async (ws) => {
 *   for await (const message of ws) await ws.send(message)
 * })
 * ```
 *
 * As everywhere in Hono, order counts: middleware that is to run before a route is registered before it, and a GET
 * handler that shares the path of a route after it.
 */
export class Sock<E extends Env = BlankEnv, BasePath extends string = '/'> {
  #layers: readonly OptionLayer[]
  readonly #topics: Topics
  /** One for a Sock and its groups. */
  #live: LiveConnections = new LiveConnections(hostClock)
  readonly #mounts: { readonly app: Hono; readonly basePath: string | undefined }[] = []
  readonly #routes: { readonly path: string; readonly middleware: MiddlewareHandler }[] = []
  /** Every layer of options that was given here, for what is said at the start. */
  readonly #given: OptionLayer[] = []
  readonly #groups = new Map<unknown, Sock>()

  /**
   * @param app where routes land; without one, `mount` says so later
   * @param options what holds for every route that does not say otherwise, or a function of the context that gives it
   * @param topics those of another Sock, or with a broker that reaches other processes
   * @throws {TypeError} for an unknown option or one of the wrong type, by name
   * @throws {RangeError} for an option out of range
   */
  constructor(
    app?: Hono<E, Schema, BasePath>,
    options: PerConnection<SockOptions<E>, Context<E>> = {},
    topics: Topics = new Topics(),
  ) {
    // Later it would be somebody else's error, of the first handler that asks for a topic.
    if (!(topics instanceof Topics)) throw new TypeError('topics must be a Topics, such as new Topics(broker)')
    this.#topics = topics
    this.#layers = [optionLayer(options as OptionLayer['options'], false)]
    this.#given.push(...this.#layers)
    if (app !== undefined) this.mount(app)
  }

  /**
   * Puts every route of this Sock on an application, those that exist and those to come. Any number of applications
   * may be mounted, before or after the routes.
   */
  mount<E2 extends E, S extends Schema, B extends string>(app: Hono<E2, S, B>, options: MountOptions = {}): this {
    const wrong = optionsFault('mount', options, MOUNT_OPTIONS)
    if (wrong !== undefined) throw wrong
    const { basePath } = options
    if (basePath !== undefined && typeof basePath !== 'string') {
      throw new TypeError(`basePath must be a path, which is a string; got ${typeof basePath}`)
    }
    const host = app as unknown as Hono
    if (typeof host?.fetch !== 'function' || typeof host.all !== 'function') {
      throw new TypeError('Routes land on a Hono application; got none')
    }
    if (this.#mounts.some((mount) => mount.app === host && mount.basePath === basePath)) return this
    if (!this.#mounts.some((mount) => mount.app === host)) {
      // Behind all middleware: on a host that frames for us, upgrading is the last step of an application.
      host.fetch = hostedFetch(host.fetch as Fetch, (found) => this.#meet(found)) as typeof host.fetch
    }
    this.#mounts.push({ app: host, basePath })
    for (const route of this.#routes) register(host, basePath, route)
    return this
  }

  /**
   * Adds a route, on every application that is or will be mounted, or on `app` of the options alone.
   *
   * @param path as in Hono: `/chat/:room`, `/files/*`
   * @returns the handler, so that it can serve another path as well
   * @throws {TypeError} for an unknown option or one of the wrong type, by name
   * @throws {RangeError} for an option out of range
   */
  route<P extends string, H extends Handler<E, MergePath<BasePath, P>>>(path: P, handler: H): H
  route<
    P extends string,
    E2 extends Env,
    S2 extends Schema,
    B2 extends string,
    Rx extends MaybeSchema = undefined,
    Tx extends MaybeSchema = undefined,
    const Sub extends string = string,
  >(
    path: P,
    options: RouteOptions<E2, MergePath<B2, P>, Rx, Tx, Sub> & { app: Hono<E2, S2, B2> },
    handler: Handler<E2, MergePath<B2, P>, Incoming<Rx>, Outgoing<Tx>, Sub>,
  ): typeof handler
  route<
    P extends string,
    Rx extends MaybeSchema = undefined,
    Tx extends MaybeSchema = undefined,
    const Sub extends string = string,
  >(
    path: P,
    options: PerConnection<RouteOptions<E, MergePath<BasePath, P>, Rx, Tx, Sub>, Context<E, MergePath<BasePath, P>>>,
    handler: Handler<E, MergePath<BasePath, P>, Incoming<Rx>, Outgoing<Tx>, Sub>,
  ): typeof handler
  route(path: string, ...args: readonly unknown[]): unknown {
    if (typeof path !== 'string') throw new TypeError(`A route needs a path, which is a string; got ${typeof path}`)
    const [given = {}, handler] = args.length < 2 ? [{}, args[0]] : args
    // `null` and what else is no object is refused by name where options are checked.
    const { app, ...rest } = (given ?? {}) as { app?: Hono }
    if (app !== undefined) return this.group(app).route(path, rest, handler as Handler)
    const route = { path, middleware: this.#middleware(given, handler) }
    this.#routes.push(route)
    for (const mount of this.#mounts) register(mount.app, mount.basePath, route)
    return handler
  }

  /**
   * A route in the form of Hono, with the options of this Sock: `app.get('/chat/:room', auth, sock.upgrade(handler))`.
   *
   * @throws as `route`
   */
  upgrade<P extends string = string, E2 extends E = E, I extends Input = BlankInput>(
    handler: Handler<E2, P, Received, Sendable, string, I>,
  ): UpgradeMiddleware<E2, P, I>
  upgrade<
    P extends string = string,
    Rx extends MaybeSchema = undefined,
    Tx extends MaybeSchema = undefined,
    const Sub extends string = string,
    E2 extends E = E,
    I extends Input = BlankInput,
  >(
    options: PerConnection<RouteOptions<E2, P, Rx, Tx, Sub, I>, Context<E2, P, I>>,
    handler: Handler<E2, P, Incoming<Rx>, Outgoing<Tx>, Sub, I>,
  ): UpgradeMiddleware<E2, P, I>
  upgrade(...args: readonly unknown[]): MiddlewareHandler {
    const [options = {}, handler] = args.length < 2 ? [{}, args[0]] : args
    return this.#middleware(options, handler)
  }

  #middleware(options: unknown, handler: unknown): MiddlewareHandler {
    const layer = optionLayer(options as OptionLayer['options'], true)
    this.#given.push(layer)
    return upgradeRoute([...this.#layers, layer], handler as Handler, this.#live)
  }

  /**
   * The options and topics of this Sock with more options on top, for routes that land on a sub-application. As all of
   * Hono's, the routes of a sub-application must be there before `app.route(path, sub)`.
   *
   * @returns the same group when called again for the same application
   * @throws {TypeError} for options when the group exists already
   */
  group<E2 extends Env, S2 extends Schema, B2 extends string>(
    app: Hono<E2, S2, B2>,
    options?: PerConnection<SockOptions<E2>, Context<E2>>,
  ): Sock<E2, B2> {
    const existing = this.#groups.get(app)
    if (existing !== undefined) {
      if (options !== undefined)
        throw new TypeError('The group of this application exists already; its options are set')
      return existing as unknown as Sock<E2, B2>
    }
    const group = new Sock<E2, B2>(undefined, options, this.#topics)
    group.#live = this.#live
    group.#layers = [...this.#layers, ...group.#layers]
    group.mount(app)
    this.#groups.set(app, group as unknown as Sock)
    return group
  }

  /**
   * For `Bun.serve`: `export default { fetch: app.fetch, websocket: sock.websocket }`. No other server needs it.
   */
  get websocket(): BunWebSocketHandler {
    this.#meet(bunHost)
    return bunWebSocketHandler
  }

  /**
   * Says, once each, which options of this Sock and its routes have no effect on a host.
   *
   * @param inherited milliseconds that a handshake may take when nothing is said here
   * @returns the longest that one of its handshakes may take; which route a request goes to, only middleware finds out
   */
  #meet(host: Host, inherited: number = ROUTE_OPTIONS.handshakeTimeout.default): number {
    let [own, longest] = [inherited, inherited]
    for (const [index, { options }] of this.#given.entries()) {
      if (typeof options === 'function') continue
      reportUnsupported(host, options)
      const { handshakeTimeout = own } = options
      if (index === 0) [own, longest] = [handshakeTimeout, handshakeTimeout]
      longest = Math.max(longest, handshakeTimeout)
    }
    for (const group of this.#groups.values()) longest = Math.max(longest, group.#meet(host, own))
    return longest
  }

  /**
   * Ends every connection of the routes of this Sock and of its groups in order: refuses upgrades with 503, sends a
   * Close to each connection, waits for the closing handshakes and the handlers until the deadline, and terminates what
   * is left. On every server; HTTP goes on. The server of `serve` has a drain of its own, which also stops it.
   *
   * @returns how the connections ended; later calls get the report of the first. Rejects with a RangeError for a code or
   *   reason that may not be sent, or a time that is negative
   */
  async drain(options: DrainOptions = {}): Promise<DrainReport> {
    return this.#live.drain(options)
  }

  /** The topic of this name; the same for every route and group of this Sock. */
  topic(name: string): Topic {
    return this.#topics.topic(name)
  }
}

function optionLayer(options: OptionLayer['options'], isRoute: boolean): OptionLayer {
  if (typeof options !== 'function') checkRouteOptions(options, isRoute)
  return { options, cap: new ConnectionCap(), isRoute }
}

/** All methods, because a POST that asks for a WebSocket gets 405 and not 404. */
function register(
  app: Hono,
  basePath: string | undefined,
  { path, middleware }: { readonly path: string; readonly middleware: MiddlewareHandler },
): void {
  const target = basePath === undefined ? app : app.basePath(basePath)
  target.all(path, middleware)
}
