/** An upgrade request of `node:http` as a Fetch `Request`, or the reason why it cannot be one. */
import type { IncomingMessage } from 'node:http'
import { HandshakeError } from '../codec/errors.ts'
import { assertHeader, type HeaderList, headerValues, isHost } from '../codec/header.ts'
import { deferredRequest, type RequestFacts } from './deferred-request.ts'
import { isEncrypted } from './raw-mode.ts'

/** The headers as they were on the wire. `IncomingMessage.headers` joins some lines and drops others. */
export function rawHeaders(incoming: IncomingMessage): HeaderList {
  const list: [string, string][] = []
  const raw = incoming.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) {
    raw[i] = shared(raw[i] as string)
    raw[i + 1] = shared(raw[i + 1] as string)
    list.push([raw[i] as string, raw[i + 1] as string])
  }
  return list
}

/**
 * Names and values that most upgrades have, as one string for all requests: the parser makes new ones for each, and they
 * stay for as long as the connection.
 */
const COMMON: ReadonlyMap<string, string> = new Map(
  [
    ...['Host', 'Connection', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Key', 'Origin'],
    ...['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits', 'Sec-WebSocket-Protocol'],
    ...['User-Agent', 'Cookie', 'Authorization', 'Accept', 'Accept-Language', 'Cache-Control', 'Pragma', 'no-cache'],
    ...['Accept-Encoding', 'gzip, deflate, br', 'gzip, deflate, br, zstd', 'keep-alive, Upgrade'],
    ...['Sec-Fetch-Dest', 'Sec-Fetch-Mode', 'Sec-Fetch-Site', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Real-IP'],
  ].map((text) => [text, text]),
)

function shared(text: string): string {
  return COMMON.get(text) ?? text
}

/**
 * Refuses what the parser lets through for an upgrade and a Fetch handler can no longer see.
 *
 * @throws {HandshakeError} 400
 */
export function checkHead(incoming: IncomingMessage, headers: HeaderList): void {
  if (!/^1\.[1-9]$/.test(incoming.httpVersion)) refuse('HTTP version must be 1.1 (RFC 6455 §4.2.1)')
  const hosts = headerValues(headers, 'host')
  if (hosts.length === 0) refuse("Header 'Host' is missing (RFC 9112 §3.2)")
  if (hosts.length > 1) refuse("Header 'Host' must occur once (RFC 9112 §3.2)")
  if (!isHost(hosts[0] as string)) refuse("Header 'Host' must hold one host (RFC 9112 §3.2)")
  // Where a runtime leaves the body differs: in the request, in the head, or among the bytes that would be frames.
  if (headerValues(headers, 'transfer-encoding').length > 0) refuse("Header 'Transfer-Encoding' must be absent")
  if (headerValues(headers, 'content-length').some((length) => !/^0+$/.test(length))) {
    refuse("Header 'Content-Length' must be absent or 0")
  }
}

/**
 * The request for the application; it has no body.
 *
 * @throws {HandshakeError} 400 for a target or a header that Fetch does not take
 */
export function fetchRequest(
  incoming: IncomingMessage,
  headers: HeaderList,
  handshake: RequestFacts['handshake'],
): Request {
  try {
    for (const field of headers) assertHeader(field[0], field[1])
    const url = targetUrl(incoming, headers)
    const { method = 'GET', rawHeaders } = incoming
    if (method === 'GET') return deferredRequest({ url, headers: rawHeaders, handshake })
    // It will be refused, by us or by the application.
    const request = new Request(url, { method, headers: headers as [string, string][] })
    return Object.defineProperty(request, 'signal', { get: () => handshake.signal, configurable: true })
  } catch (cause) {
    throw new HandshakeError('Request target or a header is malformed (RFC 9112 §3.2)', { status: 400, cause })
  }
}

/** RFC 9112 §3.2: in origin form the host comes from `Host`; in absolute form the target says it all. */
function targetUrl(incoming: IncomingMessage, headers: HeaderList): string {
  const target = incoming.url ?? '/'
  if (/^https?:\/\//i.test(target)) return parsedUrl(target)
  if (!target.startsWith('/')) throw new TypeError('Neither origin form nor absolute form')
  const authority = `${isEncrypted(incoming.socket) ? 'https' : 'http'}://${headerValues(headers, 'host')[0]}`
  if (!PLAIN_TARGET.test(target) || DOTS.test(target)) return parsedUrl(`${authority}${target}`)
  if (authority !== lastAuthority) lastOrigin = new URL(authority).origin
  if (authority !== lastAuthority || target !== lastTarget) lastUrl = `${lastOrigin}${target}`
  lastAuthority = authority
  lastTarget = target
  return lastUrl
}

/** Targets that the URL parser leaves as they are, unless there are dot segments in them. */
const PLAIN_TARGET = /^\/[\w!$&()*+,\-./:;=@~?%]*$/
const DOTS = /\/(?:\.|%2e)/i

/** Most requests have the same `Host`, and many the same target: their connections share one text. */
let lastAuthority = ''
let lastOrigin = ''
let lastTarget = ''
let lastUrl = ''

function parsedUrl(text: string): string {
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') throw new TypeError('A URL with credentials')
  return url.href
}

function refuse(message: string): never {
  throw new HandshakeError(message, { status: 400 })
}
