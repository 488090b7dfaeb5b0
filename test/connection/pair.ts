/** A connection under test in memory, on a fake clock, and what stands at its other end. */

import { type ProtocolEvent, type Role, response } from '../../src/codec/event.ts'
import { PerMessageDeflate } from '../../src/codec/permessage-deflate.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import { FramedConnection } from '../../src/connection/framed.ts'
import {
  type MemoryTransport,
  type MemoryTransportOptions,
  memoryTransportPair,
} from '../../src/connection/memory-transport.ts'
import { type ConnectionOptions, resolveConnectionOptions } from '../../src/connection/options.ts'
import { FakeClock } from './fake-clock.ts'

/** A peer whose every frame is written by the test. It reads all, and answers only what `answering` says. */
export class WirePeer {
  readonly transport: MemoryTransport
  readonly protocol: Protocol
  /** Received events; parts of messages as they came. */
  readonly events: ProtocolEvent[] = []
  /** How the transport ended: `end` for a FIN, `close end` or `close error`. */
  readonly ends: string[] = []
  /** Whether Pings and Closes are answered as the RFC demands. */
  answering = true
  /** Whether Pings are, when anything is. */
  ponging = true

  constructor(transport: MemoryTransport, role: Role) {
    this.transport = transport
    this.protocol = new Protocol({ role, maxMessageSize: Number.POSITIVE_INFINITY })
    transport.attach({
      onData: (chunk) => this.#read(chunk),
      onDrain: () => {},
      onEnd: () => this.ends.push('end'),
      onClose: (how) => this.ends.push(`close ${how}`),
    })
  }

  send(event: Parameters<Protocol['send']>[0]): this {
    this.transport.write(this.protocol.send(event))
    return this
  }

  text(data: string): this {
    return this.send({ type: 'TextMessage', data })
  }

  close(code?: number, reason?: string): this {
    return this.send({ type: 'CloseConnection', code: code ?? 1005, reason: reason ?? '' })
  }

  /** Bytes as they are. */
  raw(...bytes: number[]): this {
    this.transport.write(Uint8Array.from(bytes))
    return this
  }

  /** Whole messages received so far. */
  get messages(): (string | Uint8Array)[] {
    const messages: (string | Uint8Array)[] = []
    let text = ''
    let bytes: number[] = []
    for (const event of this.events) {
      if (event.type === 'TextMessage') {
        text += event.data
        if (event.messageFinished) messages.push(text)
        if (event.messageFinished) text = ''
      } else if (event.type === 'BytesMessage') {
        bytes.push(...event.data)
        if (event.messageFinished) messages.push(Uint8Array.from(bytes))
        if (event.messageFinished) bytes = []
      }
    }
    return messages
  }

  of<T extends ProtocolEvent['type']>(type: T): Extract<ProtocolEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as Extract<ProtocolEvent, { type: T }>[]
  }

  #read(chunk: Uint8Array): void {
    for (const event of this.protocol.receiveData(chunk).events()) {
      this.events.push(event)
      if (!this.answering) continue
      if (event.type === 'Ping' && this.ponging) this.send(response(event))
      if (event.type === 'CloseConnection' && this.protocol.state === 'REMOTE_CLOSING') this.send(response(event))
    }
  }
}

export interface Bench {
  readonly clock: FakeClock
  readonly ws: FramedConnection
  readonly transport: MemoryTransport
  readonly peer: WirePeer
}

export interface BenchOptions {
  /** Of the connection under test. @default 'server' */
  readonly role?: Role
  readonly transport?: MemoryTransportOptions
}

function framed(
  transport: MemoryTransport,
  role: Role,
  clock: FakeClock,
  connectionOptions: ConnectionOptions,
): FramedConnection {
  const options = resolveConnectionOptions(connectionOptions)
  const { maxMessageSize, maxFragments, permessageDeflate } = options
  const extensions = permessageDeflate === false ? [] : [agreedDeflate()]
  return new FramedConnection({
    transport,
    protocol: new Protocol({ role, maxMessageSize, maxFragments, extensions }),
    clock,
    options,
    subprotocol: '',
    extensions: '',
    url: 'ws://memory/',
    request: undefined,
    mode: 'memory',
  })
}

/** permessage-deflate as both sides have agreed on it, without contexts to take over. */
export function agreedDeflate(): PerMessageDeflate {
  const extension = new PerMessageDeflate()
  extension.accept([])
  return extension
}

/** One connection, and a peer that the test plays. */
export function bench(options: ConnectionOptions = {}, { role = 'server', transport = {} }: BenchOptions = {}): Bench {
  const clock = new FakeClock()
  const [near, far] = memoryTransportPair(transport)
  const ws = framed(near, role, clock, options)
  return { clock, ws, transport: near, peer: new WirePeer(far, role === 'server' ? 'client' : 'server') }
}

/** Two connections, joined. */
export function joined(
  options: ConnectionOptions = {},
  transport: MemoryTransportOptions = {},
): {
  readonly clock: FakeClock
  readonly server: FramedConnection
  readonly client: FramedConnection
} {
  const clock = new FakeClock()
  const [near, far] = memoryTransportPair(transport)
  return { clock, server: framed(near, 'server', clock, options), client: framed(far, 'client', clock, options) }
}

/** What a promise has come to: `pending`, its value, or its error. */
export function watch(promise: Promise<unknown>): { state: 'pending' | 'resolved' | 'rejected'; value: unknown } {
  const seen: { state: 'pending' | 'resolved' | 'rejected'; value: unknown } = { state: 'pending', value: undefined }
  promise.then(
    (value) => Object.assign(seen, { state: 'resolved', value }),
    (value) => Object.assign(seen, { state: 'rejected', value }),
  )
  return seen
}
