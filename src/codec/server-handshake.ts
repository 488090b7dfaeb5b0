/**
 * The server's side of the opening handshake (RFC 6455 §4.2): request in, 101 or refusal out.
 *
 * `checkUpgradeRequest` and `acceptHeaders` serve a host that has parsed the request itself; `ServerHandshake` does
 * the same from bytes.
 */
import { acceptHeaders } from './accept-headers.ts'
import { assertLimit, assertReceived } from './argument.ts'
import { ConnectionState } from './connection-state.ts'
import { HandshakeError, LocalProtocolError } from './errors.ts'
import type { HandshakeEvent, OutgoingEvent } from './event.ts'
import type { Extension } from './extension.ts'
import { serverExtensionsHandshake } from './extension-negotiation.ts'
import { GrowingBytes } from './growing-bytes.ts'
import { HANDSHAKE_TRANSITIONS, type HandshakeState, type HandshakeTrigger } from './handshake-state.ts'
import { assertExtraHeaders, assertHeader, formatExtension, type HeaderList } from './header.ts'
import {
  DEFAULT_MAX_HEAD_SIZE,
  formatHead,
  formatStatusLine,
  HeadReader,
  parseRequestHead,
  type RequestHead,
} from './http-head.ts'
import { RefusalBodyWriter } from './refusal-body.ts'
import { checkUpgradeRequest, type UpgradeRequest } from './upgrade-request.ts'

export { acceptHeaders } from './accept-headers.ts'
export { acceptKey } from './accept-key.ts'
export { checkUpgradeRequest, isWebSocketUpgrade, type ParsedRequest, type UpgradeRequest } from './upgrade-request.ts'

/** Limits of a `ServerHandshake`. */
export interface ServerHandshakeOptions {
  /** Bytes of the request line and headers; more are refused with 431. `Infinity`: no limit. @default 16_384 (16 KiB) */
  readonly maxHeadSize?: number | undefined
  /**
   * Bytes that the client may send before it has the answer (§4.1 tells it to wait); more are refused with 400.
   * `Infinity`: no limit.
   *
   * @default 65_536 (64 KiB)
   */
  readonly maxTrailingData?: number | undefined
}

/**
 * Reads an upgrade request and answers it.
 *
 * Bytes are parsed as they come: `receiveData` throws what the client did wrong. The state stays `CONNECTING` then, so
 * that the error's `eventHint` can be sent; all further input is dropped.
 */
export class ServerHandshake implements Iterable<HandshakeEvent> {
  readonly #maxTrailingData: number
  readonly #head: HeadReader
  #state: HandshakeState = ConnectionState.CONNECTING
  #failed = false
  #request: UpgradeRequest | null = null
  #events: HandshakeEvent[] = []
  #trailing: GrowingBytes = new GrowingBytes()
  #body: RefusalBodyWriter | null = null
  #extensions: readonly Extension[] = []

  /** @throws {RangeError} for a limit that is neither a positive integer nor `Infinity` */
  constructor(options: ServerHandshakeOptions = {}) {
    const maxHeadSize = options.maxHeadSize ?? DEFAULT_MAX_HEAD_SIZE
    this.#maxTrailingData = options.maxTrailingData ?? 65_536
    assertLimit('maxHeadSize', maxHeadSize)
    assertLimit('maxTrailingData', this.#maxTrailingData)
    this.#head = new HeadReader('request', maxHeadSize)
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** What the client asks for, once its request has passed every check. */
  get request(): UpgradeRequest | null {
    return this.#request
  }

  /** The extensions agreed on; for `Protocol`, once the state is `OPEN`. */
  get extensions(): readonly Extension[] {
    return this.#extensions
  }

  /** A copy of the bytes that came behind the request; for `Protocol`, once the state is `OPEN`. */
  get trailingData(): Uint8Array {
    return this.#trailing.slice()
  }

  /**
   * Takes bytes from the transport; they are copied. `null` says that it has ended.
   *
   * @throws {HandshakeError} with the status to answer, once
   * @throws {LocalProtocolError} when the handshake is over: the bytes are frames
   */
  receiveData(data: Uint8Array | null): this {
    if (data !== null) assertReceived(data)
    if (this.#state === ConnectionState.OPEN) throw new LocalProtocolError('The handshake is over', 'RFC 6455 §4.2')
    if (this.#state === ConnectionState.CONNECTING && !this.#failed) {
      this.#orFail(() => this.#read(data))
    }
    return this
  }

  /**
   * Begins with a GET request that was parsed elsewhere; `receiveData` then takes what came behind it.
   *
   * @param headers as they were on the wire, `Host` included
   * @throws {HandshakeError} with the status to answer
   * @throws {LocalProtocolError} when there is a request already
   */
  initiateUpgradeConnection(headers: HeaderList, target: string): void {
    if (this.#request !== null || this.#failed || this.#state !== ConnectionState.CONNECTING) {
      throw new LocalProtocolError('The handshake has a request already', 'RFC 6455 §4.2')
    }
    this.#orFail(() => this.#begin({ method: 'GET', target, httpVersion: '1.1', headers }))
  }

  /** The next event, or `null` when more bytes are needed. */
  nextEvent(): HandshakeEvent | null {
    return this.#events.shift() ?? null
  }

  /** Every event that the bytes so far give. */
  events(): Iterable<HandshakeEvent> {
    return this
  }

  *[Symbol.iterator](): Generator<HandshakeEvent, void, undefined> {
    for (let event = this.nextEvent(); event !== null; event = this.nextEvent()) yield event
  }

  /**
   * Encodes an `AcceptConnection`, `RejectConnection` or `RejectData`. When it throws, nothing has changed.
   *
   * @returns the bytes to write
   * @throws {LocalProtocolError} when the state forbids the event, the client did not ask for the subprotocol, or a body
   *   differs from its Content-Length
   * @throws {TypeError} for a header that may not be sent
   * @throws {RangeError} for a refusal with a status outside 200 to 599
   */
  send(event: OutgoingEvent): Uint8Array {
    switch (event.type) {
      case 'AcceptConnection':
        return this.#accept(event)
      case 'RejectConnection':
        return this.#reject(event)
      case 'RejectData': {
        const finished = event.bodyFinished ?? true
        const next = this.#next(finished ? 'bodyEnd' : 'bodyPart', event.type)
        const bytes = (this.#body as RefusalBodyWriter).write(event.data, finished)
        this.#state = next
        return bytes
      }
      default:
        throw new LocalProtocolError(`A server cannot send ${event.type} during the handshake`, 'RFC 6455 §4.2')
    }
  }

  #read(data: Uint8Array | null): void {
    if (data === null) throw new HandshakeError('Client left during the handshake', { status: 400 })
    let rest = data
    if (this.#request === null) {
      const taken = this.#head.push(data)
      if (taken === -1) return
      const head = parseRequestHead(this.#head.text)
      this.#begin(head)
      rest = data.subarray(taken)
    }
    if (this.#trailing.length + rest.length > this.#maxTrailingData) {
      throw new HandshakeError(
        `Client sent more than ${this.#maxTrailingData} bytes before the answer (RFC 6455 §4.1)`,
        {
          status: 400,
        },
      )
    }
    this.#trailing.append(rest)
  }

  #begin(head: RequestHead): void {
    const request = checkUpgradeRequest(head)
    this.#request = request
    this.#events.push({
      type: 'Request',
      host: request.host,
      target: head.target,
      extensions: request.extensions.map(({ name, parameters }) => formatExtension(name, parameters)),
      extraHeaders: head.headers
        .map(([name, value]) => [name.toLowerCase(), value] as const)
        .filter(([name]) => !ANNOUNCED.has(name)),
      subprotocols: request.subprotocols,
    })
  }

  #accept(event: Extract<OutgoingEvent, { type: 'AcceptConnection' }>): Uint8Array {
    const next = this.#next('accept', event.type)
    const request = this.#request
    if (request === null || this.#failed) {
      throw new LocalProtocolError('There is no valid request to accept', 'RFC 6455 §4.2.2')
    }
    const { subprotocol, extensions = [], extraHeaders = [] } = event
    if (subprotocol != null && !request.subprotocols.includes(subprotocol)) {
      throw new LocalProtocolError(
        `Client did not ask for subprotocol ${JSON.stringify(subprotocol)}`,
        'RFC 6455 §4.2.2',
      )
    }
    // Before the negotiation, which changes the extensions.
    assertExtraHeaders(extraHeaders)
    const { accepted, header } = serverExtensionsHandshake(request.extensions, extensions)
    const headers = acceptHeaders({ key: request.key, subprotocol, extensions: header, extraHeaders })
    this.#extensions = accepted
    this.#state = next
    return formatHead(formatStatusLine(101), headers)
  }

  #reject(event: Extract<OutgoingEvent, { type: 'RejectConnection' }>): Uint8Array {
    const { statusCode = 400, headers = [], hasBody = false } = event
    const next = this.#next(hasBody ? 'rejectWithBody' : 'reject', event.type)
    if (!Number.isInteger(statusCode) || statusCode < 200 || statusCode > 599) {
      throw new RangeError(`statusCode must be an integer from 200 to 599, not ${statusCode}`)
    }
    for (const [name, value] of headers) assertHeader(name, value)
    this.#body = new RefusalBodyWriter(statusCode, headers, hasBody)
    this.#state = next
    return formatHead(formatStatusLine(statusCode), this.#body.headers)
  }

  /** The state that an event leads to. */
  #next(trigger: HandshakeTrigger, event: string): HandshakeState {
    const next = HANDSHAKE_TRANSITIONS[this.#state][trigger]
    if (next === undefined) {
      throw new LocalProtocolError(`Cannot send ${event} in state ${this.#state}`, 'RFC 6455 §4.2.2')
    }
    return next
  }

  #orFail(read: () => void): void {
    try {
      read()
    } catch (error) {
      this.#failed = true
      this.#events = []
      this.#trailing = new GrowingBytes()
      throw error
    }
  }
}

/** Headers that a `Request` event has fields for. */
const ANNOUNCED: ReadonlySet<string> = new Set(['host', 'sec-websocket-extensions', 'sec-websocket-protocol'])
