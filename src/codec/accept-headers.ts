/** The headers that open a connection (RFC 6455 §4.2.2, RFC 8441 §5). */
import { acceptKey } from './accept-key.ts'
import { assertExtraHeaders, assertHeader, type HeaderList, isToken } from './header.ts'

/** What was agreed on, and what the application adds. */
export interface Agreement {
  readonly subprotocol?: string | null | undefined
  /** Value of `Sec-WebSocket-Extensions`, as `serverExtensionsHandshake` gives it. */
  readonly extensions?: string | undefined
  readonly extraHeaders?: HeaderList | undefined
}

/** What a 101 says. */
export interface Acceptance101 extends Agreement {
  /** The client's `Sec-WebSocket-Key`. */
  readonly key: string
}

/**
 * The headers of the 101 (RFC 6455 §4.2.2 point 5), in the order in which they are written.
 *
 * @throws {TypeError} as `agreementHeaders`
 */
export function acceptHeaders(acceptance: Acceptance101): HeaderList {
  return [...SWITCHING, ['Sec-WebSocket-Accept', acceptKey(acceptance.key)], ...agreementHeaders(acceptance)]
}

const SWITCHING: HeaderList = [
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
]

/**
 * The headers of an answer, over HTTP/1.1 or HTTP/2, that do not depend on which of them it is.
 *
 * @throws {TypeError} for a subprotocol that is not a token, and for an extra header that is malformed, belongs to the
 *   handshake (`Sec-WebSocket-*`) or to a single hop (`Connection`, `Transfer-Encoding`, ...)
 */
export function agreementHeaders(agreement: Agreement): HeaderList {
  const { subprotocol, extensions, extraHeaders = [] } = agreement
  const headers: HeaderList[number][] = []
  if (subprotocol != null) {
    if (!isToken(subprotocol)) throw new TypeError(`Subprotocol ${JSON.stringify(subprotocol)} is not a token`)
    headers.push(['Sec-WebSocket-Protocol', subprotocol])
  }
  if (extensions !== undefined) {
    assertHeader('Sec-WebSocket-Extensions', extensions)
    headers.push(['Sec-WebSocket-Extensions', extensions])
  }
  assertExtraHeaders(extraHeaders)
  return [...headers, ...extraHeaders]
}
