/** Where a client goes and how: the URL taken apart, the options checked, before a byte leaves. */
import { Buffer } from 'node:buffer'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { HeaderList } from '../codec/header.ts'
import {
  type ConnectionOptions,
  type ResolvedConnectionOptions,
  resolveConnectionOptions,
} from '../connection/options.ts'

/** What `connect` takes besides the URL. */
export interface ClientOptions extends ConnectionOptions {
  /** Headers of the request, beside those of the handshake. Pairs may repeat a name. */
  headers?: Record<string, string> | Headers | HeaderList
  /** Subprotocols to offer, in order of preference. */
  subprotocols?: string | readonly string[]
  /** TLS: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized` and what else the runtime's `tls.connect` takes. */
  tls?: TlsOptions
  /** Path of a unix socket to dial in place of the URL's host. */
  socketPath?: string
  /** Milliseconds from the call to the open connection. @default 10_000 */
  connectTimeout?: number
  /** Gives up connecting. It has no effect on the open connection. */
  signal?: AbortSignal
  /** Redirects (301, 302, 303, 307, 308) to follow; credentials are not sent on to another origin. @default 0 */
  maxRedirects?: number
}

/** Options checked and filled in. */
export interface Dial {
  readonly url: URL
  readonly secure: boolean
  readonly headers: HeaderList
  readonly subprotocols: readonly string[]
  readonly tls: TlsOptions
  readonly socketPath: string | undefined
  readonly connectTimeout: number
  readonly signal: AbortSignal | undefined
  readonly maxRedirects: number
  readonly connection: ResolvedConnectionOptions
}

const SCHEMES: Readonly<Record<string, string>> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' }

/**
 * The URL as RFC 6455 §3 wants it.
 *
 * @throws {TypeError} when it is none, has a scheme that we do not speak, or a fragment
 */
export function parseWebSocketUrl(url: string | URL): URL {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new TypeError(`url: not an absolute URL: ${JSON.stringify(String(url))}`)
  }
  const scheme = SCHEMES[parsed.protocol]
  if (scheme === undefined) throw new TypeError(`url: scheme must be ws, wss, http or https, got ${parsed.protocol}`)
  if (parsed.hash !== '' || parsed.href.endsWith('#')) throw new TypeError('url: must have no fragment (RFC 6455 §3)')
  // The setter of `protocol` refuses to change between special schemes on some runtimes.
  return new URL(parsed.href.replace(parsed.protocol, scheme))
}

/**
 * Checks everything that can be known before dialling.
 *
 * @throws {TypeError | RangeError} naming the option
 */
export function planDial(target: string | URL, options: ClientOptions): Dial {
  const { headers, subprotocols, tls, socketPath, connectTimeout, signal, maxRedirects, ...connection } = options
  const url = parseWebSocketUrl(target)
  const list = headerList(headers)
  if ((url.username !== '' || url.password !== '') && !list.some(([name]) => name.toLowerCase() === 'authorization')) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    list.push(['Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`])
  }
  return {
    url,
    secure: url.protocol === 'wss:',
    headers: list,
    subprotocols: typeof subprotocols === 'string' ? [subprotocols] : (subprotocols ?? []),
    tls: tls ?? {},
    socketPath,
    connectTimeout: duration('connectTimeout', connectTimeout ?? 10_000),
    signal,
    maxRedirects: count('maxRedirects', maxRedirects ?? 0),
    connection: resolveConnectionOptions(connection),
  }
}

/** The same dial after a redirect to `location`. */
export function redirectDial(dial: Dial, location: string): Dial {
  const url = parseWebSocketUrl(new URL(location, dial.url.href.replace(/^ws/, 'http')))
  const sameOrigin = url.host === dial.url.host && url.protocol === dial.url.protocol
  const headers = sameOrigin ? dial.headers : dial.headers.filter(([name]) => !/^(authorization|cookie)$/i.test(name))
  return { ...dial, url, secure: url.protocol === 'wss:', headers, maxRedirects: dial.maxRedirects - 1 }
}

function headerList(headers: ClientOptions['headers']): [string, string][] {
  if (headers === undefined) return []
  const pairs =
    Symbol.iterator in headers ? [...(headers as Iterable<readonly [string, string]>)] : Object.entries(headers)
  return pairs.map(([name, value]) => [name, value])
}

function duration(name: string, value: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name}: expected milliseconds, got ${typeof value}`)
  if (!(value > 0)) throw new RangeError(`${name}: expected more than 0 milliseconds, got ${value}`)
  return value
}

function count(name: string, value: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name}: expected a number, got ${typeof value}`)
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`${name}: expected 0 or more, got ${value}`)
  return value
}
