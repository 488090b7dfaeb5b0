/** Options of `serve` and `attach`, and their check. */
import type { ServerOptions } from 'node:http'
import type { ServerOptions as TlsOptions } from 'node:https'
import { checkDrainOptions, type DrainOptions } from '../connection/live-connections.ts'
import { checkOptions, type OptionTable } from '../connection/option-table.ts'

/** Options of `attach`. */
export interface AttachOptions {
  /**
   * Milliseconds from an upgrade request to its answer, middleware included; then the answer is 503. No route has more,
   * whatever its own `handshakeTimeout` says. `Infinity`: no limit.
   *
   * @default 10_000
   */
  handshakeTimeout?: number | undefined
  /** Told what the application throws instead of answering; the client gets 500. @default console.error */
  onError?: ((error: unknown) => void) | undefined
}

/** Options of `serve`. */
export interface ServeOptions extends AttachOptions {
  /** 0 takes any free port. @default 3000 */
  port?: number | undefined
  /** @default all interfaces */
  hostname?: string | undefined
  /** Listens on a unix socket instead. */
  path?: string | undefined
  /** Serves `https:` and `wss:`: key, certificate and whatever else `node:https` takes. */
  tls?: TlsOptions | undefined
  /** Further options of `node:http`, such as `maxHeaderSize` (bytes, 16 KiB by default). */
  http?: ServerOptions | undefined
  /** Closes the server, as `close()`, when it aborts. */
  signal?: AbortSignal | undefined
  /** Drains on SIGTERM and SIGINT, with these options, and then lets the signal end the process. @default false */
  drainOnSignals?: boolean | DrainOptions | undefined
  /**
   * Whether `@hono/node-server` replaces the global `Request` and `Response` by lighter ones. Plain HTTP is then about
   * twice as fast, but `Bun.serve` and `Deno.serve` in the same process refuse such a response.
   *
   * @default true on Node, false on Bun and Deno
   */
  overrideGlobalObjects?: boolean | undefined
}

/** Milliseconds that an upgrade may take when nothing else is said. */
export const HANDSHAKE_TIMEOUT = 10_000

/** Unit, range and default of what `attach` takes. */
export const ATTACH_OPTIONS: OptionTable<AttachOptions> = {
  handshakeTimeout: {
    kind: 'number',
    unit: 'milliseconds',
    min: 1,
    max: 2_147_483_647,
    integer: false,
    unlimited: true,
    default: HANDSHAKE_TIMEOUT,
    doc: 'Time from an upgrade request to its answer; then the answer is 503. No route has more.',
  },
  onError: { kind: 'function', default: undefined, doc: 'Told what the application throws instead of answering.' },
}

/** What `serve` takes besides, with the types that a value may have. */
const SERVE_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  port: ['number'],
  hostname: ['string'],
  path: ['string'],
  tls: ['object'],
  http: ['object'],
  signal: ['object'],
  drainOnSignals: ['boolean', 'object'],
  overrideGlobalObjects: ['boolean'],
}

/** @throws {TypeError | RangeError} naming the option */
export function checkAttachOptions(options: AttachOptions): void {
  checkOptions(ATTACH_OPTIONS, options)
}

/** @throws {TypeError | RangeError} naming the option */
export function checkServeOptions(options: ServeOptions): void {
  // A port in place of the options would be overlooked, and the default one taken.
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`Options of serve must be an object such as { port: 3000 }, not ${String(options)}`)
  }
  const shared: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const types = Object.hasOwn(SERVE_OPTIONS, name) ? SERVE_OPTIONS[name] : undefined
    if (types === undefined) shared[name] = value
    else if (value !== undefined && (value === null || !types.includes(typeof value))) {
      const got = value === null ? 'null' : typeof value
      throw new TypeError(`${name} must be of type ${types.join(' or ')}; got ${got}`)
    }
  }
  const unknown = Object.keys(shared).find((name) => !Object.hasOwn(ATTACH_OPTIONS, name))
  if (unknown !== undefined) {
    const known = [...Object.keys(ATTACH_OPTIONS), ...Object.keys(SERVE_OPTIONS)]
    throw new TypeError(`Unknown option ${unknown}; known are ${known.join(', ')}`)
  }
  checkAttachOptions(shared)
  const { path, signal } = options
  if (path === '') throw new TypeError('path must be the path of a unix socket; got an empty string')
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal must be an AbortSignal')
  if (typeof options.drainOnSignals === 'object') checkDrainOptions(options.drainOnSignals)
}
