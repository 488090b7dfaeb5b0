/** HTTP answers on a socket that has left the HTTP server with an 'upgrade' event. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { ignoreError } from './duplex-transport.ts'
import { nodeClock } from './node-clock.ts'

/** Milliseconds that the peer has to close its side after our answer; then the socket is dropped. */
const LINGER = 1000

/**
 * A `ServerResponse` that writes to the socket and ends it: the parser is gone, so this is the last answer.
 *
 * Hand it to a 'request' listener, or to `writeResponse`.
 */
export function lastResponse(incoming: IncomingMessage, socket: Duplex): ServerResponse {
  const outgoing = new ServerResponse(incoming)
  outgoing.shouldKeepAlive = false
  outgoing.once('finish', () => {
    outgoing.detachSocket(socket as Socket)
    endSocket(socket)
  })
  outgoing.assignSocket(socket as Socket)
  return outgoing
}

/** Whether a response to an earlier request is still to be written to the socket. */
export function isPipelined(socket: Duplex): boolean {
  return (socket as { _httpMessage?: unknown })._httpMessage != null
}

/** Answers with status, headers and streamed body, then ends the connection. */
export function writeResponse(incoming: IncomingMessage, socket: Duplex, response: Response): void {
  const last = closing(response)
  const listener = getRequestListener(() => last, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    // A request that Fetch cannot express is refused all the same.
    errorHandler: () => last,
  })
  void listener(incoming, lastResponse(incoming, socket))
}

/** Refuses a CONNECT, on which runtimes end the connection without a word: nobody here is a proxy. */
export function refuseConnect(incoming: IncomingMessage, socket: Duplex): void {
  socket.on('error', ignoreError)
  // An answer must not overtake that to an earlier request.
  if (isPipelined(socket)) socket.destroy()
  else lastResponse(incoming, socket).writeHead(405, { Allow: 'GET', 'Content-Length': '0' }).end()
}

/** A response that has its own `Connection`, such as `Upgrade`, is not told by the runtime that it is the last one. */
function closing(response: Response): Response {
  if (!response.headers.has('Connection')) return response
  const headers = new Headers(response.headers)
  headers.append('Connection', 'close')
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

/** An answer of ours: one line of text that says what is wrong. */
export function refusal(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${message}\n`, { status, headers: { 'Content-Type': 'text/plain; charset=UTF-8', ...headers } })
}

/** Ends our side, and reads on: bytes left unread would turn the end into a reset that takes the answer with it. */
export function endSocket(socket: Duplex): void {
  const timer = nodeClock.setTimeout(() => socket.destroy(), LINGER)
  socket.once('close', () => nodeClock.clearTimeout(timer))
  socket.end()
  socket.resume()
}
