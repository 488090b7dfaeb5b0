/** What goes out on the 101 of a host beside its own: the headers of the application, and the subprotocol. */
import { isReservedHeader } from '../codec/header.ts'
import type { HostedUpgrade } from './host.ts'

type Answer = Pick<HostedUpgrade, 'response' | 'acceptance'>

/** Adds them to what the host has made. In one pass: on Deno each look at a `Headers` sorts it. */
export function addHeaders({ response, acceptance }: Answer, target: Headers): void {
  response.headers.forEach((value, name) => {
    if (!isReservedHeader(name)) target.append(name, value)
  })
  if (acceptance.subprotocol !== undefined) target.append('sec-websocket-protocol', acceptance.subprotocol)
}

/** As headers of their own: those of the response, when none of them belongs to the handshake. */
export function headersOf({ response, acceptance }: Answer): Headers {
  const reserved: string[] = []
  response.headers.forEach((_, name) => {
    if (isReservedHeader(name)) reserved.push(name)
  })
  const headers = reserved.length === 0 ? response.headers : new Headers(response.headers)
  for (const name of reserved) headers.delete(name)
  if (acceptance.subprotocol !== undefined) headers.set('sec-websocket-protocol', acceptance.subprotocol)
  return headers
}
