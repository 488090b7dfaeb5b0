/**
 * The opening handshake over HTTP/2: an extended CONNECT (RFC 8441 §5), which has neither key nor `Upgrade`.
 *
 * An HTTP/2 library parses and writes the heads; after the 200, the stream is the transport of a `Protocol`.
 */
import { type Agreement, agreementHeaders } from './accept-headers.ts'
import { HandshakeError } from './errors.ts'
import { type HeaderList, headerValues, isHost, isOriginForm, parseExtensions } from './header.ts'
import { checkVersion, readOrigin, readSubprotocols, type UpgradeRequest } from './upgrade-request.ts'

/** What a valid extended CONNECT asks for. */
export interface ExtendedConnect extends Omit<UpgradeRequest, 'key'> {
  /** Path and query, from `:path`. */
  readonly target: string
}

/** Headers of HTTP/1.1 that make an HTTP/2 request malformed (RFC 9113 §8.2.2). */
const FORBIDDEN = ['connection', 'upgrade', 'transfer-encoding', 'keep-alive', 'proxy-connection'] as const

/**
 * Checks an extended CONNECT and reads what it asks for.
 *
 * @param headers every header, pseudo-headers such as `:method` among them
 * @throws {HandshakeError} 405 for another method, 501 for another `:protocol` (RFC 9220 §3), 426 for another version,
 *   400 for everything else
 */
export function checkExtendedConnect(headers: HeaderList): ExtendedConnect {
  if (pseudoHeader(headers, ':method') !== 'CONNECT') {
    refuse('Method must be CONNECT (RFC 8441 §5)', 405, [['Allow', 'CONNECT']])
  }
  if (pseudoHeader(headers, ':protocol') !== 'websocket')
    refuse("Header ':protocol' must be 'websocket' (RFC 8441 §5)", 501)
  const scheme = pseudoHeader(headers, ':scheme')
  if (scheme !== 'https' && scheme !== 'http') refuse("Header ':scheme' must be 'https' or 'http' (RFC 8441 §5)")
  const target = pseudoHeader(headers, ':path')
  if (!isOriginForm(target)) refuse("Header ':path' must be a path (RFC 8441 §4)")
  const host = pseudoHeader(headers, ':authority')
  if (!isHost(host)) refuse("Header ':authority' must hold one host (RFC 8441 §4)")
  for (const name of FORBIDDEN) {
    if (headerValues(headers, name).length > 0) refuse(`Header '${name}' must be absent (RFC 9113 §8.2.2)`)
  }
  // RFC 9113 §8.3.1: `:authority` stands for it, and a gateway may have kept it.
  if (headerValues(headers, 'host').some((value) => value.toLowerCase() !== host.toLowerCase())) {
    refuse("Header 'host' must be as ':authority' (RFC 9113 §8.3.1)")
  }
  checkVersion(headers)
  return {
    host,
    target,
    origin: readOrigin(headers),
    subprotocols: readSubprotocols(headers),
    extensions: parseExtensions(headerValues(headers, 'sec-websocket-extensions')),
  }
}

/**
 * The headers of the 200 that opens the stream, names in lower case (RFC 9113 §8.2).
 *
 * @throws {TypeError} as `agreementHeaders`
 */
export function connectHeaders(agreement: Agreement): HeaderList {
  const headers = agreementHeaders(agreement).map(([name, value]) => [name.toLowerCase(), value] as const)
  return [[':status', '200'], ...headers]
}

/** The only value of a pseudo-header; empty when there is none, or more than one (RFC 9113 §8.3). */
function pseudoHeader(headers: HeaderList, name: string): string {
  const values = headerValues(headers, name)
  return values.length === 1 ? (values[0] as string) : ''
}

function refuse(message: string, status = 400, headers: HeaderList = []): never {
  throw new HandshakeError(message, { status, headers })
}
