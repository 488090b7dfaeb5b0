/** Where a client goes and how: the URL taken apart, the options checked, before a byte leaves. */
import { Buffer } from 'node:buffer'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { assertExtraHeaders, type HeaderList } from '../codec/header.ts'
import { optionsFault } from '../connection/call-options.ts'
import { checkOptions, type OptionTable } from '../connection/option-table.ts'
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  type ResolvedConnectionOptions,
  resolveConnectionOptions,
} from '../connection/options.ts'
import { nodeClock } from './node-clock.ts'
import { CONNECT_LIMITS, parseWebSocketUrl, subprotocolList } from './websocket-url.ts'

/** What `connect` takes besides the URL. */
export interface ClientOptions extends ConnectionOptions {
  /** Headers of the request, beside those of the handshake. Pairs may repeat a name. */
  headers?: Record<string, string> | Headers | HeaderList | undefined
  /** Subprotocols to offer, in order of preference. */
  subprotocols?: string | readonly string[] | undefined
  /** TLS: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized` and what else the runtime's `tls.connect` takes. */
  tls?: TlsOptions | undefined
  /** Path of a unix socket to dial in place of the URL's host. */
  socketPath?: string | undefined
  /** Milliseconds from the call to the open connection. @default 10_000 */
  connectTimeout?: number | undefined
  /** Gives up connecting. It has no effect on the open connection. */
  signal?: AbortSignal | undefined
  /**
   * Redirects (301, 302, 303, 307, 308) to follow. Credentials, the key of `tls` among them, are not sent on to another
   * origin, and from TLS to a URL without it no redirect is followed.
   *
   * @default 0
   */
  maxRedirects?: number | undefined
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
  /** When that is over, on the clock of the connection. */
  readonly deadline: number
  readonly signal: AbortSignal | undefined
  readonly maxRedirects: number
  readonly connection: ResolvedConnectionOptions
}

/**
 * Checks everything that can be known before dialling.
 *
 * @throws {TypeError | RangeError} naming the option
 */
export function planDial(target: string | URL, options: ClientOptions): Dial {
  assertKnown(options)
  const { headers, subprotocols, tls, socketPath, connectTimeout, signal, maxRedirects, ...connection } = options
  checkOptions(DIAL_LIMITS, { connectTimeout, maxRedirects })
  const url = parseWebSocketUrl(target)
  const list = headerList(headers)
  assertExtraHeaders(list)
  const timeout = connectTimeout ?? DIAL_LIMITS.connectTimeout.default
  if ((url.username !== '' || url.password !== '') && !list.some(([name]) => name.toLowerCase() === 'authorization')) {
    list.push(['Authorization', `Basic ${Buffer.from(credentialsOf(url)).toString('base64')}`])
  }
  // They have been taken; `Connection.url` is for logs.
  url.username = ''
  url.password = ''
  return {
    url,
    secure: url.protocol === 'wss:',
    headers: list,
    subprotocols: subprotocolList(subprotocols),
    tls: tlsOptions(tls),
    socketPath: path(socketPath),
    connectTimeout: timeout,
    deadline: nodeClock.now() + timeout,
    signal: abortSignal(signal),
    maxRedirects: maxRedirects ?? DIAL_LIMITS.maxRedirects.default,
    connection: resolveConnectionOptions(connection),
  }
}

/** Bytes of a refusal's body that are kept for the error. */
export const MAX_REFUSAL_BODY = 65_536

/** Unit, range and default of the limits of `connect`. */
export const DIAL_LIMITS: OptionTable<Pick<ClientOptions, 'connectTimeout' | 'maxRedirects'>> = {
  ...CONNECT_LIMITS,
  maxRedirects: {
    kind: 'number',
    unit: 'redirects',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    integer: true,
    unlimited: false,
    default: 0,
    doc: 'Redirects to follow.',
  },
}

/** What `ClientOptions` adds to the options of a connection. */
const DIAL_OPTIONS = [
  'headers',
  'subprotocols',
  'tls',
  'socketPath',
  'connectTimeout',
  'signal',
  'maxRedirects',
] as const satisfies (keyof ClientOptions)[]

function assertKnown(options: ClientOptions): void {
  const wrong = optionsFault('connect', options, [...DIAL_OPTIONS, ...Object.keys(CONNECTION_OPTIONS)])
  if (wrong !== undefined) throw wrong
}

/** User and password as Basic authentication joins them (RFC 7617 §2). */
function credentialsOf({ username, password }: URL): string {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  } catch {
    throw new TypeError('url: user and password must be percent-encoded UTF-8')
  }
}

/** The same dial after a redirect to `location`; `undefined` when that may not be followed. */
export function redirectDial(dial: Dial, location: string): Dial | undefined {
  const from = dial.url.href.replace(/^ws/, 'http')
  if (!URL.canParse(location, from)) return undefined
  const target = new URL(location, from)
  // RFC 9110 §10.2.2 allows a fragment here, and a WebSocket has none.
  target.hash = ''
  // Who redirects has no say in who we are.
  target.username = ''
  target.password = ''
  if (!/^(https?|wss?):$/.test(target.protocol)) return undefined
  const url = parseWebSocketUrl(target)
  const secure = url.protocol === 'wss:'
  if (dial.secure && !secure) return undefined
  const sameOrigin = url.host === dial.url.host && url.protocol === dial.url.protocol
  const headers = sameOrigin ? dial.headers : dial.headers.filter(([name]) => !/^(authorization|cookie)$/i.test(name))
  const tls = sameOrigin ? dial.tls : withoutIdentity(dial.tls)
  return { ...dial, url, secure, headers, tls, maxRedirects: dial.maxRedirects - 1 }
}

/** What of `tls` says who we are, and the name of the server that was to be reached. */
const IDENTITY: readonly string[] = [
  ...['cert', 'key', 'pfx', 'passphrase', 'clientCertEngine', 'privateKeyEngine', 'privateKeyIdentifier'],
  ...['secureContext', 'pskCallback', 'session', 'servername'],
]

/** For another origin: credentials are not sent on, and a certificate is asked for in its own name. */
function withoutIdentity(tls: TlsOptions): TlsOptions {
  return Object.fromEntries(Object.entries(tls).filter(([name]) => !IDENTITY.includes(name)))
}

function headerList(headers: ClientOptions['headers']): [string, string][] {
  if (headers === undefined) return []
  if (typeof headers !== 'object' || headers === null) {
    throw new TypeError(`headers: expected an object, Headers or a list of pairs, got ${nameOf(headers)}`)
  }
  const pairs =
    Symbol.iterator in headers ? [...(headers as Iterable<readonly [string, string]>)] : Object.entries(headers)
  return pairs.map((pair) => {
    if (!Array.isArray(pair)) throw new TypeError(`headers: expected pairs of a name and a value, got ${nameOf(pair)}`)
    const [name, value] = pair as readonly unknown[]
    if (typeof name !== 'string' || typeof value !== 'string') {
      throw new TypeError(`headers: ${JSON.stringify(name)} must be a string, got ${nameOf(value)}`)
    }
    return [name, value]
  })
}

function tlsOptions(tls: ClientOptions['tls']): TlsOptions {
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) {
    throw new TypeError(`tls: expected an object, got ${nameOf(tls)}`)
  }
  return tls ?? {}
}

function path(socketPath: string | undefined): string | undefined {
  if (socketPath === undefined || (typeof socketPath === 'string' && socketPath !== '')) return socketPath
  throw new TypeError(`socketPath: expected the path of a unix socket, got ${nameOf(socketPath)}`)
}

function abortSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw new TypeError(`signal: expected an AbortSignal, got ${nameOf(signal)}`)
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : value === '' ? "''" : typeof value
}
