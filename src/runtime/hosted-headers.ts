/** What goes out on the 101 of a host beside its own: the headers of the application, and the subprotocol. */
import { RESERVED_HEADERS } from '../codec/header.ts'
import type { HostedUpgrade } from './host.ts'

/**
 * The headers of the application's response, as they may go out. Those that belong to the handshake are looked for by
 * name: to go through all of them, Deno sorts them.
 */
export function answerHeaders({ response, acceptance }: Pick<HostedUpgrade, 'response' | 'acceptance'>): Headers {
  const { headers } = response
  for (const name of RESERVED_HEADERS) if (headers.has(name)) headers.delete(name)
  if (acceptance.subprotocol !== undefined) headers.set('Sec-WebSocket-Protocol', acceptance.subprotocol)
  return headers
}
