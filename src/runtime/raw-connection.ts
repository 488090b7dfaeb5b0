/** The last step of a raw handshake: the 101 is written and the socket becomes a connection, in one go. */
import type { Duplex } from 'node:stream'
import { acceptHeaders } from '../codec/accept-headers.ts'
import type { Extension } from '../codec/extension.ts'
import { type AcceptedExtensions, serverExtensionsHandshake } from '../codec/extension-negotiation.ts'
import type { HeaderList } from '../codec/header.ts'
import { formatStatusLine, headText, latin1Bytes } from '../codec/http-head.ts'
import { PerMessageDeflate } from '../codec/permessage-deflate.ts'
import { Protocol } from '../codec/protocol.ts'
import type { Clock } from '../connection/clock.ts'
import { FramedConnection } from '../connection/framed.ts'
import type { ByteTransport } from '../connection/transport.ts'
import { DuplexTransport } from './duplex-transport.ts'
import { isPausable, RAW_MODE } from './raw-mode.ts'
import type { Acceptance } from './upgrader.ts'

/** A handshake that has been decided. */
export interface RawOpening {
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
export function openRaw(socket: Duplex, opening: RawOpening): FramedConnection {
  const extensions = agreedExtensions(opening)
  const answer = answerTo(opening, extensions)
  const transport = new DuplexTransport(socket, opening.head, { pausable: isPausable(socket) })
  const connection = connectionOver(transport, opening, extensions)
  // Before anything that the connection sends: that waits for the end of this turn at least.
  socket.write(answer, 'latin1')
  return connection
}

/** The same over a transport of somebody else. */
export function openOver(transport: ByteTransport, opening: RawOpening): FramedConnection {
  const extensions = agreedExtensions(opening)
  const answer = answerTo(opening, extensions)
  const connection = connectionOver(transport, opening, extensions, opening.head)
  transport.write(latin1Bytes(answer))
  return connection
}

function connectionOver(
  transport: ByteTransport,
  { acceptance, url, request, clock }: RawOpening,
  { accepted, header }: AcceptedExtensions,
  trailingData?: Uint8Array,
): FramedConnection {
  const { options, subprotocol } = acceptance
  return new FramedConnection({
    transport,
    protocol: new Protocol({
      role: 'server',
      extensions: accepted,
      trailingData,
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
}

function answerTo({ acceptance, extraHeaders }: RawOpening, { header }: AcceptedExtensions): string {
  const { asked, subprotocol } = acceptance
  return headText(
    formatStatusLine(101),
    acceptHeaders({ key: asked.key, subprotocol, extensions: header, extraHeaders }),
  )
}

/** Extensions keep state: each connection has its own. */
function agreedExtensions({ acceptance: { asked, options } }: RawOpening): AcceptedExtensions {
  return serverExtensionsHandshake(asked.extensions, supported(options))
}

function supported({ permessageDeflate }: Acceptance['options']): Extension[] {
  if (permessageDeflate === false) return []
  return [new PerMessageDeflate(permessageDeflate === true ? {} : permessageDeflate)]
}
