/**
 * Connections of servers that are not ours: on `(req, socket, head)`, on a Duplex and headers, or on a `Request` and any
 * transport of bytes.
 */
import type { Duplex } from 'node:stream'
import { HandshakeError } from '../codec/errors.ts'
import { assertExtraHeaders, type HeaderList, isToken } from '../codec/header.ts'
import { formatHead, formatStatusLine, latin1Bytes } from '../codec/http-head.ts'
import { checkUpgradeRequest, type UpgradeRequest } from '../codec/upgrade-request.ts'
import type { Connection } from '../connection/connection.ts'
import { type ConnectionOptions, resolveConnectionOptions } from '../connection/options.ts'
import type { ByteTransport } from '../connection/transport.ts'
import { ignoreError } from './duplex-transport.ts'
import { nodeClock } from './node-clock.ts'
import { endSocket } from './plain-response.ts'
import { openOver, openRaw, type RawOpening } from './raw-connection.ts'
import { isEncrypted } from './raw-mode.ts'

/**
 * An upgrade request as somebody has parsed it: an `IncomingMessage` of `node:http`, or as much of one as there is. A
 * `Request` of Fetch is one too; it is the connection's `request` then, and need not name its host in a header.
 */
export interface ParsedUpgrade {
  /** @default 'GET' */
  readonly method?: string | undefined
  /** @default '1.1' */
  readonly httpVersion?: string | undefined
  /** Request target. @default '/' */
  readonly url?: string | undefined
  /** Names and values in turn, as they were on the wire. */
  readonly rawHeaders?: readonly string[] | undefined
  /** Used when there are no `rawHeaders`. */
  readonly headers?: Headers | Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Options of `accept`: those of a connection, and what the 101 says. */
export interface AcceptOptions extends ConnectionOptions {
  /** Subprotocols in order of preference of the client; the first that it offers is agreed on. @default none */
  subprotocols?: readonly string[] | undefined
  /** Further headers of the 101. */
  responseHeaders?: HeaderList | undefined
}

/**
 * Answers an upgrade request and opens the connection. Origin and authorization are the caller's to check first.
 *
 * @param socket a socket or another Duplex, or a transport of your own
 * @param head bytes that were read behind the request; their memory is taken over
 * @throws {HandshakeError} for a request that cannot be upgraded; the refusal has been sent and the socket ended
 * @throws {TypeError | RangeError} for an option that is wrong; nothing was sent
 */
export function accept(
  incoming: ParsedUpgrade,
  socket: Duplex | ByteTransport,
  head: Uint8Array = new Uint8Array(0),
  options: AcceptOptions = {},
): Connection {
  if (!isTransport(socket)) socket.on('error', ignoreError)
  const { subprotocols = [], responseHeaders = [], ...connectionOptions } = options
  const resolved = resolveConnectionOptions(connectionOptions)
  if (!Array.isArray(subprotocols) || !subprotocols.every((name) => typeof name === 'string' && isToken(name))) {
    throw new TypeError('subprotocols must be a list of tokens (RFC 9110 §5.6.2)')
  }
  assertExtraHeaders(responseHeaders)
  const headers = headerList(incoming)
  const asked = check(incoming, headers, socket)
  const opening: RawOpening = {
    head,
    acceptance: {
      asked,
      subprotocol: asked.subprotocols.find((name) => subprotocols.includes(name)),
      options: resolved,
    },
    extraHeaders: responseHeaders,
    url: urlOf(incoming, asked, socket),
    request: incoming instanceof Request ? incoming : undefined,
    clock: nodeClock,
  }
  return isTransport(socket) ? openOver(socket, opening) : openRaw(socket, opening)
}

function isTransport(socket: Duplex | ByteTransport): socket is ByteTransport {
  return 'attach' in socket
}

function check(incoming: ParsedUpgrade, headers: HeaderList, socket: Duplex | ByteTransport): UpgradeRequest {
  const { method = 'GET', url: target = '/' } = incoming
  // Fetch keeps the host in the URL, and says nothing of a version.
  const { httpVersion = incoming instanceof Request ? undefined : '1.1' } = incoming
  try {
    return checkUpgradeRequest({ method, target, httpVersion, headers })
  } catch (error) {
    if (error instanceof HandshakeError) refuse(socket, error)
    throw error
  }
}

/** The message is ASCII but for the section sign, which Latin-1 has too. */
function refuse(socket: Duplex | ByteTransport, { status, headers, message }: HandshakeError): void {
  const body = latin1Bytes(`${message}\n`)
  const head = formatHead(formatStatusLine(status), [
    ...headers,
    ['Content-Type', 'text/plain; charset=ISO-8859-1'],
    ['Content-Length', String(body.length)],
    ['Connection', 'close'],
  ])
  socket.write(head)
  socket.write(body)
  if (isTransport(socket)) socket.end()
  else endSocket(socket)
}

function headerList({ rawHeaders, headers = {} }: ParsedUpgrade): HeaderList {
  if (rawHeaders !== undefined) {
    return rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ''] as const] : []))
  }
  if (headers instanceof Headers) return [...headers]
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => [name, one] as const),
  )
}

function urlOf({ url = '/' }: ParsedUpgrade, { host }: UpgradeRequest, socket: Duplex | ByteTransport): string {
  if (/^https?:\/\//i.test(url)) return url
  return `${!isTransport(socket) && isEncrypted(socket) ? 'https' : 'http'}://${host}${url}`
}
