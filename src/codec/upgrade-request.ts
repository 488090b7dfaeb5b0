/** May this request become a connection? The checks of RFC 6455 §4.2.1, for a request that anyone has parsed. */
import { HandshakeError } from './errors.ts'
import {
  type ExtensionOffer,
  type HeaderList,
  type HeaderSource,
  hasToken,
  headerValues,
  isAbsoluteForm,
  isHost,
  isOriginForm,
  isToken,
  parseExtensions,
  parseTokenList,
  trimWhitespace,
} from './header.ts'

/** What a valid upgrade request asks for. */
export interface UpgradeRequest {
  /** `Sec-WebSocket-Key`, base64 of 16 bytes. */
  readonly key: string
  /** In the client's order of preference, without duplicates. */
  readonly subprotocols: readonly string[]
  /** In the client's order of preference. */
  readonly extensions: readonly ExtensionOffer[]
  /** Host and port as in the `Host` header; empty when a Fetch host has withheld it. */
  readonly host: string
  /** `undefined` when the client sent none, as clients that are not browsers do. */
  readonly origin: string | undefined
}

/** A request as it was parsed. */
export interface ParsedRequest {
  readonly method: string
  /** Request target as it was on the wire. `undefined`: somebody else has checked it. */
  readonly target?: string | undefined
  /** Such as `1.1`. `undefined`: a Fetch host has checked the version and `Host`. */
  readonly httpVersion?: string | undefined
  readonly headers: HeaderSource
}

/** §4.1 point 7: 16 bytes in base64. The last digit carries two bits; what its other bits hold is not looked at. */
const KEY = /^[0-9A-Za-z+/]{22}==$/

/** Whether the request asks for a WebSocket at all; `Upgrade` is a list of tokens without case (RFC 9110 §7.8). */
export function isWebSocketUpgrade(headers: HeaderSource): boolean {
  return hasToken(headers, 'upgrade', 'websocket')
}

/**
 * Checks an upgrade request and reads what it asks for.
 *
 * @throws {HandshakeError} whose message says what is wrong: 405 with `Allow`, 426 or 400 with `Sec-WebSocket-Version`,
 *   400 for everything else
 */
export function checkUpgradeRequest(request: ParsedRequest): UpgradeRequest {
  const { method, target, httpVersion, headers } = request
  // §4.2.1 point 1
  if (method !== 'GET') {
    refuse('Method must be GET (RFC 6455 §4.2.1)', 405, [['Allow', 'GET']])
  }
  if (target !== undefined && !isOriginForm(target) && !isAbsoluteForm(target)) {
    refuse('Request target must be a path or an http URL (RFC 6455 §4.2.1)')
  }
  if (httpVersion !== undefined && !/^1\.[1-9]$/.test(httpVersion)) {
    refuse('HTTP version must be 1.1 (RFC 6455 §4.2.1)')
  }
  // Point 4
  if (!hasToken(headers, 'connection', 'upgrade'))
    refuse("Header 'Connection' must contain 'Upgrade' (RFC 6455 §4.2.1)")
  checkVersion(headers, UPGRADE_REQUIRED)
  const key = readKey(headers)
  // Point 3
  if (!isWebSocketUpgrade(headers)) refuse("Header 'Upgrade' must contain 'websocket' (RFC 6455 §4.2.1)")
  const host = readHost(headers, httpVersion !== undefined)
  checkNoBody(headers)
  return {
    key,
    host,
    origin: readOrigin(headers),
    subprotocols: readSubprotocols(headers),
    extensions: parseExtensions(headerValues(headers, 'sec-websocket-extensions')),
  }
}

/** What a 426 must say over HTTP/1.1: the protocol, which is this hop's affair (RFC 9110 §15.5.22, §7.8). */
const UPGRADE_REQUIRED: HeaderList = [
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
]

/**
 * §4.2.1 point 6, and §4.2.2 for the answer.
 *
 * @param required what a 426 says besides
 * @throws {HandshakeError} 426, or 400 when there is none, with the version that is spoken here
 */
export function checkVersion(headers: HeaderSource, required: HeaderList = []): void {
  const versions = headerValues(headers, 'sec-websocket-version')
  if (versions.length === 1 && trimWhitespace(versions[0] as string) === '13') return
  const answer: HeaderList = [['Sec-WebSocket-Version', '13']]
  if (versions.length === 0) refuse("Header 'Sec-WebSocket-Version' is missing (RFC 6455 §4.2.1)", 400, answer)
  refuse("Header 'Sec-WebSocket-Version' must be 13 (RFC 6455 §4.2.1)", 426, [...answer, ...required])
}

/** Point 5; §11.3.1 allows it once. Lines that a host has joined with a comma fail the grammar. */
function readKey(headers: HeaderSource): string {
  const keys = headerValues(headers, 'sec-websocket-key')
  if (keys.length === 0) refuse("Header 'Sec-WebSocket-Key' is missing (RFC 6455 §4.2.1)")
  if (keys.length > 1) refuse("Header 'Sec-WebSocket-Key' must occur once (RFC 6455 §11.3.1)")
  const key = trimWhitespace(keys[0] as string)
  if (!KEY.test(key)) refuse("Header 'Sec-WebSocket-Key' must be base64 of 16 bytes (RFC 6455 §4.2.1)")
  return key
}

/** Point 2, and RFC 9112 §3.2: exactly once. */
function readHost(headers: HeaderSource, required: boolean): string {
  const hosts = headerValues(headers, 'host')
  if (hosts.length === 0) {
    if (required) refuse("Header 'Host' is missing (RFC 6455 §4.2.1)")
    return ''
  }
  const host = trimWhitespace(hosts[0] as string)
  if (hosts.length > 1 || !isHost(host)) refuse("Header 'Host' must hold one host (RFC 9112 §3.2)")
  return host
}

/** A body would be taken for frames, or frames for a body: a GET that upgrades has none (RFC 9112 §6.3). */
function checkNoBody(headers: HeaderSource): void {
  if (headerValues(headers, 'transfer-encoding').length > 0) refuse("Header 'Transfer-Encoding' must be absent")
  for (const length of headerValues(headers, 'content-length')) {
    if (!/^0+$/.test(trimWhitespace(length))) refuse("Header 'Content-Length' must be absent or 0")
  }
}

/**
 * §4.2.1 point 7. A second line could hide the first from an origin check.
 *
 * @throws {HandshakeError} 400
 */
export function readOrigin(headers: HeaderSource): string | undefined {
  const origins = headerValues(headers, 'origin')
  if (origins.length > 1) refuse("Header 'Origin' must occur once (RFC 6454 §7.3)")
  return origins[0] === undefined ? undefined : trimWhitespace(origins[0])
}

/**
 * §4.2.1 point 8; what a name may be is in §4.1 point 10.
 *
 * @throws {HandshakeError} 400
 */
export function readSubprotocols(headers: HeaderSource): string[] {
  const subprotocols = parseTokenList(headerValues(headers, 'sec-websocket-protocol'))
  if (!subprotocols.every(isToken)) refuse("Header 'Sec-WebSocket-Protocol' must be a list of tokens (RFC 6455 §4.1)")
  if (subprotocols.length > 1 && new Set(subprotocols).size !== subprotocols.length) {
    refuse("Header 'Sec-WebSocket-Protocol' must not name a subprotocol twice (RFC 6455 §4.1)")
  }
  return subprotocols
}

function refuse(message: string, status = 400, headers: HeaderList = []): never {
  throw new HandshakeError(message, { status, headers })
}
