/**
 * The options of a route, of a group and of a Sock: types, checks, and how layers of them become one.
 *
 * They are those of a connection and, besides, who may connect and what happens at the end.
 */
import type { Context, Env } from 'hono'
import type { BlankInput, Input } from 'hono/types'
import type { CloseInfo } from '../codec/errors.ts'
import { isToken } from '../codec/header.ts'
import type { Connection, Received, Sendable } from '../connection/connection.ts'
import { checkOptions, type OptionTable } from '../connection/option-table.ts'
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  type ResolvedConnectionOptions,
  resolveConnectionOptions,
} from '../connection/options.ts'
import type { Callback, PerConnection, SubprotocolChooser } from './callback.ts'
import type { CapLimits, ConnectionCap } from './connection-cap.ts'
import type { MessageCodec } from './message-codec.ts'
import { checkOriginPolicy, type OriginPolicy } from './origin.ts'
import type { InferInput, InferOutput, StandardIssue, StandardSchema } from './standard-schema.ts'

/** A schema, or none. */
export type MaybeSchema = StandardSchema | undefined

/** What a handler receives: what the `receive` schema gives, or any message. */
export type Incoming<Rx extends MaybeSchema> = Rx extends StandardSchema ? InferOutput<Rx> : Received

/** What a handler sends: what the `send` schema takes, or any message. */
export type Outgoing<Tx extends MaybeSchema> = Tx extends StandardSchema ? InferInput<Tx> : Sendable

/** A connection whose messages are typed by schemas. */
type WithSchemas<Rx extends MaybeSchema, Tx extends MaybeSchema> = Connection<Incoming<Rx>, Outgoing<Tx>>

/** The connection of a route: its messages typed by schemas, its `protocol` by the list of subprotocols. */
export type RouteConnection<In = Received, Out = Sendable, Sub extends string = string> = string extends Sub
  ? Connection<In, Out>
  : Connection<In, Out> & { readonly protocol: Sub | '' }

/** Hono's own default: every variable and binding goes, unchecked. */
export type AnyEnv = Context extends Context<infer E> ? E : never

/** Straight-line code over one connection. What it returns is ignored; returning closes with 1000. */
export type Handler<
  E extends Env = AnyEnv,
  P extends string = string,
  In = Received,
  Out = Sendable,
  Sub extends string = string,
  I extends Input = BlankInput,
> = (ws: RouteConnection<In, Out, Sub>, c: Context<E, P, I>) => unknown

/** What the Close says. */
export interface CloseReason {
  /** 1000–1003, 1007–1014 or 3000–4999. */
  readonly code: number
  /** At most 123 bytes of UTF-8; a longer one is cut. @default '' */
  readonly reason?: string | undefined
}

/** Everything that can be said about a route, beside its path and its handler. */
export interface RouteOptions<
  E extends Env = Env,
  P extends string = string,
  Rx extends MaybeSchema = MaybeSchema,
  Tx extends MaybeSchema = MaybeSchema,
  Sub extends string = string,
  I extends Input = BlankInput,
> extends ConnectionOptions {
  /**
   * Who may connect, by `Origin` header; 403 for others (RFC 6455 §10.2). `'*'`, an origin, a list, or a function.
   *
   * @default the same host and port, for requests that carry `Origin`
   */
  origin?: OriginPolicy<Context<E, P, I>> | undefined
  /**
   * Subprotocols that the route speaks (RFC 6455 §1.9). Of a list, the first that the client offers is taken, in the
   * client's order; a function picks one. None is forced on a client that offers none. A browser that offered some
   * gives up when none was picked.
   *
   * @default none
   */
  subprotocols?: readonly Sub[] | SubprotocolChooser<Sub, Context<E, P, I>> | undefined
  /** Answers 400 to a client with whom no subprotocol is agreed on. @default false */
  requireSubprotocol?: boolean | undefined
  /** Milliseconds that everything before the 101 may take on the route; then 503. @default 10_000 */
  handshakeTimeout?: number | undefined
  /**
   * Most connections at a time of what sets it: all routes of the Sock, of the group, or this route alone; each of
   * these limits holds. One more gets 503 with Retry-After. @default Infinity
   */
  maxConnections?: number | undefined
  /** As `maxConnections`, per `connectionKey`, which it needs. One more gets 429 with Retry-After. @default Infinity */
  maxConnectionsPerKey?: number | undefined
  /** Whose connection this is, at once: a user, or an address (`getConnInfo` of Hono). `undefined` counts for nobody. */
  connectionKey?: Callback<[c: Context<E, P, I>], string | undefined> | undefined
  /**
   * The last word before the upgrade. A `Response`, returned or thrown, or an `HTTPException` refuses. Any other value
   * that it returns is a TypeError, and lets nobody in.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that never refuses returns nothing
  beforeUpgrade?: Callback<[c: Context<E, P, I>], Response | void | Promise<Response | void>> | undefined
  /**
   * Called once when the handler throws anything but the `ConnectionClosed` of its own connection. It starts before the
   * Close is sent and is not waited for. @default reports with `console.error`
   */
  onError?: Callback<[error: unknown, c: Context<E, P, I>, ws: WithSchemas<Rx, Tx>]> | undefined
  /** The Close for an error of the handler; `undefined` for the default. @default 1011 without a reason */
  errorToClose?: Callback<[error: unknown], CloseReason | undefined> | undefined
  /** Called once when the connection has ended, however it ended. */
  onClose?: Callback<[info: CloseInfo, c: Context<E, P, I>, ws: WithSchemas<Rx, Tx>]> | undefined
  /** Schema of what the peer sends: the handler gets what it gives. Any Standard Schema. */
  receive?: Rx
  /** As `receive`, of what the handler sends. What does not fit is a TypeError, at the call unless it is asynchronous. */
  send?: Tx
  /** How values with a schema become messages. @default JSON text */
  codec?: MessageCodec | undefined
  /**
   * Called instead of closing with 1007 when a message does not fit `receive`. The message is left out and the
   * connection goes on, unless this closes it.
   */
  onInvalid?: Callback<[issues: readonly StandardIssue[], ws: WithSchemas<Rx, Tx>, c: Context<E, P, I>]> | undefined
}

/** Options of a Sock or a group. Schemas belong to routes: they type a handler. */
export type SockOptions<E extends Env = Env> = Omit<RouteOptions<E>, 'receive' | 'send'>

type PlainOptions = Pick<
  RouteOptions,
  | 'requireSubprotocol'
  | 'handshakeTimeout'
  | 'maxConnections'
  | 'maxConnectionsPerKey'
  | 'connectionKey'
  | 'beforeUpgrade'
  | 'onError'
  | 'errorToClose'
  | 'onClose'
  | 'onInvalid'
>

const connections = {
  kind: 'number',
  unit: 'connections',
  min: 0,
  max: Number.MAX_SAFE_INTEGER,
  integer: true,
  unlimited: true,
} as const

/** Every plain option of a route beside those of a connection: unit, range, default. */
export const ROUTE_OPTIONS: OptionTable<PlainOptions> = {
  requireSubprotocol: {
    kind: 'flag',
    default: false,
    doc: 'Answer 400 to a client with whom no subprotocol is agreed on.',
  },
  handshakeTimeout: {
    kind: 'number',
    unit: 'milliseconds',
    min: 1,
    max: 2_147_483_647,
    integer: false,
    unlimited: true,
    default: 10_000,
    doc: 'Time that everything before the 101 may take on the route; then 503.',
  },
  maxConnections: {
    ...connections,
    default: Number.POSITIVE_INFINITY,
    doc: 'Most connections of the Sock, the group or the route that sets it; one more gets 503.',
  },
  maxConnectionsPerKey: {
    ...connections,
    default: Number.POSITIVE_INFINITY,
    doc: 'Most connections with the same `connectionKey`; one more gets 429.',
  },
  connectionKey: { kind: 'function', default: undefined, doc: 'Whose connection this is.' },
  beforeUpgrade: { kind: 'function', default: undefined, doc: 'The last word before the upgrade.' },
  onError: { kind: 'function', default: undefined, doc: 'Called when the handler throws.' },
  errorToClose: { kind: 'function', default: undefined, doc: 'The Close for an error of the handler.' },
  onClose: { kind: 'function', default: undefined, doc: 'Called when the connection has ended.' },
  onInvalid: { kind: 'function', default: undefined, doc: 'Called for a message that does not fit `receive`.' },
}

/** Options that no table can describe, each with its own check. */
const STRUCTURED: Readonly<Record<'origin' | 'subprotocols' | 'receive' | 'send' | 'codec', (value: unknown) => void>> =
  {
    origin: checkOriginPolicy,
    subprotocols: checkSubprotocols,
    receive: (value) => checkSchema('receive', value),
    send: (value) => checkSchema('send', value),
    codec(value) {
      const codec = value as Partial<MessageCodec> | null
      if (typeof codec?.encode === 'function' && typeof codec.decode === 'function') return
      throw new TypeError('codec must be an object with the functions encode and decode')
    },
  }

const TABLE: OptionTable<PlainOptions & ConnectionOptions> = { ...ROUTE_OPTIONS, ...CONNECTION_OPTIONS }
const SCHEMAS: ReadonlySet<string> = new Set(['receive', 'send'])

/** What may set options: a Sock, a group or a route. */
export interface OptionLayer {
  readonly options: PerConnection<RouteOptions, Context>
  readonly cap: ConnectionCap
  /** Whether `receive` and `send` may stand here. */
  readonly isRoute: boolean
}

/** All layers of a route as one. */
export interface ResolvedRoute {
  readonly connection: ResolvedConnectionOptions
  /** Later layers win, option by option. */
  readonly options: RouteOptions
  /** The caps that hold, each with its own limits, outermost first. */
  readonly caps: readonly (Omit<CapLimits, 'key'> & { readonly cap: ConnectionCap })[]
}

/**
 * @throws {TypeError} for an unknown option or a value of the wrong type, by name
 * @throws {RangeError} for a value out of range
 */
export function checkRouteOptions(options: unknown, isRoute: boolean): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError('Options must be an object, or a function of the context that gives one')
  }
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (!isRoute && SCHEMAS.has(name)) throw new TypeError(`${name} is an option of a route; set it there`)
    if (Object.hasOwn(STRUCTURED, name)) {
      if (value !== undefined) STRUCTURED[name as keyof typeof STRUCTURED](value)
    } else if (Object.hasOwn(TABLE, name)) {
      plain[name] = value
    } else {
      throw new TypeError(
        `Unknown option ${name}; known are ${[...Object.keys(STRUCTURED), ...Object.keys(TABLE)].join(', ')}`,
      )
    }
  }
  checkOptions(TABLE, plain as PlainOptions & ConnectionOptions)
}

/** How a route's options are found: at once when they are all plain, else anew for each connection. */
export function routeResolver(layers: readonly OptionLayer[]): (c: Context) => ResolvedRoute | Promise<ResolvedRoute> {
  if (layers.every((layer) => typeof layer.options !== 'function')) {
    const resolved = mergeLayers(layers, layers.map((layer) => layer.options) as RouteOptions[])
    return () => resolved
  }
  return async (c) => {
    const given: RouteOptions[] = []
    for (const { options } of layers) given.push(typeof options === 'function' ? await options(c) : options)
    return mergeLayers(layers, given)
  }
}

function mergeLayers(layers: readonly OptionLayer[], given: readonly RouteOptions[]): ResolvedRoute {
  const merged: Record<string, unknown> = {}
  const caps: ResolvedRoute['caps'][number][] = []
  layers.forEach((layer, i) => {
    const options = given[i] as RouteOptions
    checkRouteOptions(options, layer.isRoute)
    for (const [name, value] of Object.entries(options)) if (value !== undefined) merged[name] = value
    const { maxConnections = Number.POSITIVE_INFINITY, maxConnectionsPerKey = Number.POSITIVE_INFINITY } = options
    if (maxConnections !== Number.POSITIVE_INFINITY || maxConnectionsPerKey !== Number.POSITIVE_INFINITY) {
      caps.push({ cap: layer.cap, max: maxConnections, maxPerKey: maxConnectionsPerKey })
    }
  })
  const options = merged as RouteOptions
  if (Number.isFinite(options.maxConnectionsPerKey) && options.connectionKey === undefined) {
    throw new TypeError('maxConnectionsPerKey needs connectionKey, which says whose connection it is')
  }
  const { requireSubprotocol, subprotocols = [] } = options
  if (requireSubprotocol === true && typeof subprotocols !== 'function' && subprotocols.length === 0) {
    throw new TypeError('requireSubprotocol needs subprotocols: without them every client would be refused')
  }
  const connection = Object.fromEntries(
    Object.entries(merged).filter(([name]) => Object.hasOwn(CONNECTION_OPTIONS, name)),
  )
  return { connection: resolveConnectionOptions(connection), options, caps }
}

/** RFC 6455 §4.1: a subprotocol is a token of RFC 9110 §5.6.2, and no two are the same. */
function checkSubprotocols(value: unknown): void {
  if (typeof value === 'function') return
  if (!Array.isArray(value)) throw new TypeError('subprotocols must be a list of names, or a function that picks one')
  for (const name of value) {
    if (typeof name === 'string' && isToken(name)) continue
    throw new TypeError(`subprotocols must be tokens (RFC 9110 §5.6.2); got ${JSON.stringify(name)}`)
  }
  if (new Set(value).size !== value.length) throw new TypeError('subprotocols must not hold a name twice')
}

function checkSchema(name: string, value: unknown): void {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  const standard = isObject ? (value as Partial<StandardSchema>)['~standard'] : undefined
  if (standard?.version === 1 && typeof standard.validate === 'function') return
  throw new TypeError(`${name} must be a Standard Schema (version 1), such as one of zod, valibot or arktype`)
}
