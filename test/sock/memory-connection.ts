/** Two connections joined in memory, and an upgrader that opens one of them. */
import { Protocol } from '../../src/codec/protocol.ts'
import type { Capabilities, Connection } from '../../src/connection/connection.ts'
import { FramedConnection } from '../../src/connection/framed.ts'
import { memoryTransportPair } from '../../src/connection/memory-transport.ts'
import { resolveConnectionOptions } from '../../src/connection/options.ts'
import type { ByteTransport } from '../../src/connection/transport.ts'
import { nodeClock } from '../../src/runtime/node-clock.ts'
import { type Acceptance, UPGRADER, type Upgrade, type Upgrader } from '../../src/runtime/upgrader.ts'

const CAPABILITIES: Capabilities = {
  receiveBackpressure: true,
  sendBackpressure: true,
  ping: true,
  closeCodes: true,
  deflateOptions: true,
  fragments: true,
  messageSizeLimit: true,
  responseHeaders: true,
}

export interface MemoryPair {
  readonly server: Connection
  readonly client: Connection
}

export function memoryPair(acceptance?: Acceptance, request?: Request): MemoryPair {
  const [near, far] = memoryTransportPair()
  const options = acceptance?.options ?? resolveConnectionOptions()
  const end = (role: 'server' | 'client', transport: ByteTransport): Connection =>
    new FramedConnection({
      transport,
      protocol: new Protocol({ role, maxMessageSize: options.maxMessageSize, maxFragments: options.maxFragments }),
      clock: nodeClock,
      options,
      subprotocol: acceptance?.subprotocol ?? '',
      extensions: '',
      url: request?.url ?? 'ws://memory/',
      request,
      mode: 'memory',
    })
  return { server: end('server', near), client: end('client', far) }
}

/** Takes every request; whether and when it becomes a connection is up to the test. */
export class MemoryUpgrader implements Upgrader {
  readonly mode = 'memory'
  readonly capabilities: Capabilities = CAPABILITIES
  /** For Hono's `env`. */
  readonly env: object = { [UPGRADER]: this }
  readonly acceptances: Acceptance[] = []
  #opened = Promise.withResolvers<Connection | null>()
  #handled = Promise.withResolvers<void>()
  #request: Request | undefined

  upgrade(request: Request, acceptance: Acceptance): Upgrade {
    this.acceptances.push(acceptance)
    this.#request = request
    const keep = (handled: Promise<void>): void => this.#handled.resolve(handled)
    return { response: new Response(null, { status: 101 }), opened: this.#opened.promise, keep }
  }

  /** Resolves when the handler has ended, or there will be none. */
  get handled(): Promise<void> {
    return this.#handled.promise
  }

  /** @returns the client's end */
  open(): Connection {
    const { server, client } = memoryPair(this.acceptances.at(-1), this.#request)
    this.#opened.resolve(server)
    return client
  }

  /** The request never becomes a connection. */
  drop(): void {
    this.#opened.resolve(null)
    setTimeout(this.#handled.resolve)
  }

  fail(error: unknown): void {
    this.#opened.reject(error)
    setTimeout(this.#handled.resolve)
  }
}

/** What an upgrade request carries. */
export const UPGRADE_HEADERS: Readonly<Record<string, string>> = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
}
