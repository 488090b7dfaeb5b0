/**
 * `fetch-sock/testing`: a client for an application in the same process, with no port and no socket.
 *
 * The request runs through the application's own routes and middleware, both ends run the codec, and the bytes between
 * them go through memory, where a test decides how they are cut, how slowly they are read and when they break.
 */
import { HandshakeError } from '../codec/errors.ts'
import { clientExtensionsHandshake, serverExtensionsHandshake } from '../codec/extension-negotiation.ts'
import { formatExtension, parseExtensions } from '../codec/header.ts'
import { PerMessageDeflate } from '../codec/permessage-deflate.ts'
import { Protocol } from '../codec/protocol.ts'
import type { Clock } from '../connection/clock.ts'
import type { Capabilities, Connection } from '../connection/connection.ts'
import { FRAMED_CAPABILITIES, FramedConnection } from '../connection/framed.ts'
import {
  type MemoryTransport,
  type MemoryTransportOptions,
  memoryTransportPair,
} from '../connection/memory-transport.ts'
import type { ResolvedConnectionOptions } from '../connection/options.ts'
import { type ClientOptions, planDial } from './client-options.ts'
import { nodeClock } from './node-clock.ts'
import { upgradeResponse } from './response-101.ts'
import { type Acceptance, type Prepare, UPGRADER, type Upgrade, type Upgrader } from './upgrader.ts'

export type { Clock, TimerHandle } from '../connection/clock.ts'
export { MemoryTransport, type MemoryTransportOptions, memoryTransportPair } from '../connection/memory-transport.ts'
export type { ByteTransport, TransportEnd, TransportListener } from '../connection/transport.ts'

/** A Fetch application: a Hono app, or any object with a `fetch`. */
export interface MemoryApp {
  fetch(request: Request, env: Record<PropertyKey, unknown>): Response | Promise<Response>
}

/** What `connectInMemory` takes besides what `connect` takes; what concerns a network is left out. */
export interface MemoryClientOptions extends Omit<ClientOptions, (typeof NETWORK_OPTIONS)[number]> {
  /** Hono's `c.env`. @default {} */
  env?: Record<string, unknown> | undefined
  /** How bytes arrive at the client: chunks, capacity, backpressure. */
  clientTransport?: MemoryTransportOptions | undefined
  /** How bytes arrive at the server. */
  serverTransport?: MemoryTransportOptions | undefined
  /** Time for both ends, such as a clock that the test drives by hand. @default the runtime's */
  clock?: Clock | undefined
}

/** Both ends of a connection in memory. */
export interface MemoryClient {
  /** The client's end, as `connect` would give it. */
  readonly ws: Connection
  /** The transport of the client, with `reset`, `hold` and `release` for faults. */
  readonly transport: MemoryTransport
  /** Status, headers and cookies of the 101. */
  readonly response: Response
}

const NETWORK_OPTIONS = ['tls', 'socketPath', 'connectTimeout', 'maxRedirects', 'signal'] as const

/** A key such as a client sends (RFC 6455 §4.1); in memory there is nobody to prove anything to. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/**
 * Opens a connection to an application in memory.
 *
 * @param url absolute, or a path on `ws://localhost`
 * @throws {HandshakeError} when the application refused, with its status, headers and body
 * @throws {TypeError | RangeError} for a wrong URL or option
 */
export async function connectInMemory(
  app: MemoryApp,
  url: string | URL,
  options: MemoryClientOptions = {},
): Promise<MemoryClient> {
  if (typeof app?.fetch !== 'function') throw new TypeError('The application must have a fetch method, as Hono has')
  const { env, clientTransport, serverTransport, clock = nodeClock, ...client } = options
  const left = NETWORK_OPTIONS.find((name) => name in client)
  if (left !== undefined) throw new TypeError(`Unknown option ${left}: there is no network in memory`)
  const dial = planDial(new URL(url, 'ws://localhost'), client)
  const offered = extensionsOf(dial.connection)
  const offers = offered.flatMap((extension) =>
    extension.offer().map((parameters) => formatExtension(extension.name, parameters)),
  )
  const headers = new Headers({
    Host: dial.url.host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
  })
  if (dial.subprotocols.length > 0) headers.set('Sec-WebSocket-Protocol', dial.subprotocols.join(', '))
  if (offers.length > 0) headers.set('Sec-WebSocket-Extensions', offers.join(', '))
  for (const [name, value] of dial.headers) headers.append(name, value)
  const request = new Request(dial.url.href.replace(/^ws/, 'http'), { headers })

  const [clientEnd, serverEnd] = memoryTransportPair(clientTransport, serverTransport)
  const handshake = new MemoryHandshake(serverEnd, clock)
  const response = await app.fetch(request, { ...env, [UPGRADER]: handshake })
  const agreed = handshake.finish(request, response)
  if (agreed === null) {
    const body = new Uint8Array(await response.arrayBuffer())
    const refusal = { status: response.status, headers: [...response.headers], body }
    throw new HandshakeError(`The application refused with status ${response.status}`, refusal)
  }
  const answers = agreed.extensions === '' ? [] : parseExtensions(agreed.extensions)
  const extensions = clientExtensionsHandshake(answers, offered)
  const ws = framed(clientEnd, dial.connection, clock, {
    role: 'client',
    extensions,
    header: agreed.extensions,
    subprotocol: agreed.subprotocol,
    url: dial.url.href,
    request: undefined,
  })
  return { ws, transport: clientEnd, response }
}

function extensionsOf({ permessageDeflate }: ResolvedConnectionOptions): PerMessageDeflate[] {
  if (permessageDeflate === false) return []
  return [new PerMessageDeflate(permessageDeflate === true ? {} : permessageDeflate)]
}

function framed(
  transport: MemoryTransport,
  options: ResolvedConnectionOptions,
  clock: Clock,
  end: {
    readonly role: 'client' | 'server'
    readonly extensions: ConstructorParameters<typeof Protocol>[0]['extensions']
    readonly header: string
    readonly subprotocol: string
    readonly url: string
    readonly request: Request | undefined
  },
): FramedConnection {
  const { maxMessageSize, maxFragments } = options
  return new FramedConnection({
    transport,
    protocol: new Protocol({ role: end.role, extensions: end.extensions, maxMessageSize, maxFragments }),
    clock,
    options,
    subprotocol: end.subprotocol,
    extensions: end.header,
    url: end.url,
    request: end.request,
    mode: 'memory',
  })
}

/** The upgrader of one request in memory. */
class MemoryHandshake implements Upgrader {
  readonly mode = 'memory'
  readonly capabilities: Capabilities = FRAMED_CAPABILITIES
  readonly #transport: MemoryTransport
  readonly #clock: Clock
  #acceptance: Acceptance | undefined
  #open: ((connection: Connection | null) => void) | undefined

  constructor(transport: MemoryTransport, clock: Clock) {
    this.#transport = transport
    this.#clock = clock
  }

  upgrade(_request: Request, acceptance: Acceptance, prepare?: Prepare): Upgrade {
    this.#acceptance = acceptance
    const opened = new Promise<Connection | null>((resolve) => {
      this.#open = resolve
    })
    return { response: upgradeResponse(prepare), opened }
  }

  /** The application has answered. @returns what was agreed on, or `null` when it refused */
  finish(request: Request, response: Response): { readonly extensions: string; readonly subprotocol: string } | null {
    const acceptance = this.#acceptance
    if (response.status !== 101 || acceptance === undefined) {
      this.#open?.(null)
      return null
    }
    const { asked, options, subprotocol = '' } = acceptance
    const { accepted, header = '' } = serverExtensionsHandshake(asked.extensions, extensionsOf(options))
    this.#open?.(
      framed(this.#transport, options, this.#clock, {
        role: 'server',
        extensions: accepted,
        header,
        subprotocol,
        url: request.url,
        request,
      }),
    )
    return { extensions: header, subprotocol }
  }
}
