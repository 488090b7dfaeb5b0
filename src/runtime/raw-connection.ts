/** The last step of a raw handshake: the 101 is written and the socket becomes a connection, in one go. */
import type { Duplex } from 'node:stream'
import { acceptHeaders } from '../codec/accept-headers.ts'
import type { Extension } from '../codec/extension.ts'
import { serverExtensionsHandshake } from '../codec/extension-negotiation.ts'
import type { HeaderList } from '../codec/header.ts'
import { formatStatusLine, headText } from '../codec/http-head.ts'
import { PerMessageDeflate } from '../codec/permessage-deflate.ts'
import { Protocol } from '../codec/protocol.ts'
import type { Clock } from '../connection/clock.ts'
import { FramedConnection } from '../connection/framed.ts'
import { DuplexTransport } from './duplex-transport.ts'
import { isPausable, RAW_MODE } from './raw-mode.ts'
import type { Acceptance } from './upgrader.ts'

/** A handshake that has been decided. */
export interface RawOpening {
  readonly socket: Duplex
  /** Bytes that were read behind the request. */
  readonly head: Uint8Array
  readonly acceptance: Acceptance
  /** Headers of the 101 besides those of the handshake. */
  readonly extraHeaders: HeaderList
  readonly url: string
  readonly request: Request | undefined
  readonly clock: Clock
}

/**
 * Writes the 101 and opens the connection.
 *
 * @throws {TypeError} for a header that may not be sent; nothing was written then
 */
export function openRaw(opening: RawOpening): FramedConnection {
  const { socket, head, acceptance, extraHeaders, url, request, clock } = opening
  const { asked, options, subprotocol } = acceptance
  const { accepted, header } = serverExtensionsHandshake(asked.extensions, supported(options))
  const answer = acceptHeaders({ key: asked.key, subprotocol, extensions: header, extraHeaders })
  const connection = new FramedConnection({
    transport: new DuplexTransport(socket, head, { pausable: isPausable(socket) }),
    protocol: new Protocol({
      role: 'server',
      extensions: accepted,
      maxMessageSize: options.maxMessageSize,
      maxFragments: options.maxFragments,
    }),
    clock,
    options,
    subprotocol: subprotocol ?? '',
    extensions: header ?? '',
    url,
    request,
    mode: RAW_MODE,
  })
  // Before anything that the connection sends: that waits for the end of this turn at least.
  socket.write(headText(formatStatusLine(101), answer), 'latin1')
  return connection
}

/** Extensions keep state: each connection has its own. */
function supported({ permessageDeflate }: Acceptance['options']): Extension[] {
  if (permessageDeflate === false) return []
  return [new PerMessageDeflate(permessageDeflate === true ? {} : permessageDeflate)]
}
