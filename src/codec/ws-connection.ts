/**
 * A whole connection (RFC 6455 §4–§7), opening handshake included: bytes in, events out; events in, bytes out.
 *
 * It is `ServerHandshake` or `ClientHandshake` until that is accepted, and `Protocol` from then on; each can be used
 * without it.
 */
import { ClientHandshake } from './client-handshake.ts'
import { ConnectionState } from './connection-state.ts'
import { LocalProtocolError } from './errors.ts'
import type { Event, OutgoingEvent, OutgoingProtocolEvent, Role } from './event.ts'
import type { HeaderList } from './header.ts'
import { checkProtocolOptions, Protocol } from './protocol.ts'
import { ServerHandshake, type ServerHandshakeOptions } from './server-handshake.ts'

/** Limits of a `WSConnection`; each as in the part that it limits. */
export interface WSConnectionOptions extends ServerHandshakeOptions {
  /** Bytes of a message, after decompression; more fail with 1009. @default 1_048_576 (1 MiB) */
  readonly maxMessageSize?: number | undefined
  /** Fragments of a message; more fail with 1008. @default 131_072 */
  readonly maxFragments?: number | undefined
}

/** A client's or a server's end of a connection, from the first byte to the last (§4–§7). */
export class WSConnection implements Iterable<Event> {
  readonly role: Role
  readonly handshake: ServerHandshake | ClientHandshake
  readonly #options: WSConnectionOptions
  #connection: Protocol | null = null

  /**
   * @throws {TypeError} for a role that is none
   * @throws {RangeError} for a limit that is neither a positive integer nor `Infinity`; `maxMessageSize` may be 0
   */
  constructor(role: Role, options: WSConnectionOptions = {}) {
    checkProtocolOptions({ role, maxMessageSize: options.maxMessageSize, maxFragments: options.maxFragments })
    this.role = role
    this.#options = options
    this.handshake = role === 'client' ? new ClientHandshake(options) : new ServerHandshake(options)
  }

  /** The protocol behind the handshake, or `null` before it. */
  get connection(): Protocol | null {
    return this.#connection
  }

  get state(): ConnectionState {
    return (this.#connection ?? this.handshake).state
  }

  /**
   * Server: begins with a GET request that was parsed elsewhere; `receiveData` takes what came behind it.
   *
   * @throws {HandshakeError} with the status to answer
   * @throws {LocalProtocolError} on a client, and when there is a request already
   */
  initiateUpgradeConnection(headers: HeaderList, target: string): void {
    if (!(this.handshake instanceof ServerHandshake)) {
      throw new LocalProtocolError('A client cannot begin with a request that it received', 'RFC 6455 §4.1')
    }
    this.handshake.initiateUpgradeConnection(headers, target)
  }

  /**
   * Encodes an event.
   *
   * @returns the bytes to write
   * @throws {LocalProtocolError} when the role or the state forbids it
   */
  send(event: OutgoingEvent): Uint8Array {
    if (this.#connection !== null) return this.#connection.send(event as OutgoingProtocolEvent)
    const bytes = this.handshake.send(event)
    this.#openIfAccepted()
    return bytes
  }

  /**
   * Takes bytes from the transport, and their memory; `null` says that it has ended.
   *
   * @returns the events, as `events` does
   * @throws {HandshakeError} when the handshake cannot succeed; what breaks the protocol later is thrown by `nextEvent`
   */
  receiveData(data: Uint8Array | null): this {
    if (this.#connection !== null) {
      this.#connection.receiveData(data)
    } else {
      this.handshake.receiveData(data)
      this.#openIfAccepted()
    }
    return this
  }

  /**
   * The next event, those of the handshake first, or `null` when more bytes are needed.
   *
   * @throws {ProtocolError} once, when the peer broke the protocol
   */
  nextEvent(): Event | null {
    return this.handshake.nextEvent() ?? this.#connection?.nextEvent() ?? null
  }

  /** Every event that the bytes so far give. */
  events(): Iterable<Event> {
    return this
  }

  *[Symbol.iterator](): Generator<Event, void, undefined> {
    for (let event = this.nextEvent(); event !== null; event = this.nextEvent()) yield event
  }

  #openIfAccepted(): void {
    if (this.handshake.state !== ConnectionState.OPEN) return
    const { extensions, trailingData } = this.handshake
    const { maxMessageSize, maxFragments } = this.#options
    this.#connection = new Protocol({ role: this.role, extensions, trailingData, maxMessageSize, maxFragments })
  }
}
