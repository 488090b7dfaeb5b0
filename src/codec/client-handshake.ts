/** The client's side of the opening handshake (RFC 6455 §4.1): request out, 101 or refusal in. */
import { randomBytes } from 'node:crypto'
import { acceptKey } from './accept-key.ts'
import { assertLimit, assertReceived } from './argument.ts'
import { ConnectionState } from './connection-state.ts'
import { HandshakeError, LocalProtocolError } from './errors.ts'
import type { HandshakeEvent, OutgoingEvent } from './event.ts'
import type { Extension } from './extension.ts'
import { clientExtensionsHandshake } from './extension-negotiation.ts'
import { HANDSHAKE_TRANSITIONS, type HandshakeState, type HandshakeTrigger } from './handshake-state.ts'
import {
  assertExtraHeaders,
  formatExtension,
  hasToken,
  headerValues,
  isAbsoluteForm,
  isHost,
  isOriginForm,
  isToken,
  parseExtensions,
} from './header.ts'
import { DEFAULT_MAX_HEAD_SIZE, formatHead, HeadReader, parseResponseHead, type ResponseHead } from './http-head.ts'
import { RefusalBodyReader } from './refusal-body.ts'

/** Limits of a `ClientHandshake`. */
export interface ClientHandshakeOptions {
  /** Bytes of the status line and headers of one response. `Infinity`: no limit. @default 16_384 (16 KiB) */
  readonly maxHeadSize?: number | undefined
}

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** What was asked for, to check the answer against. */
interface SentRequest {
  readonly accept: string
  readonly subprotocols: readonly string[]
  readonly extensions: readonly Extension[]
}

/**
 * Sends an upgrade request and reads the answer.
 *
 * Bytes are parsed as they come: `receiveData` throws what the server did wrong, once; all further input is dropped. A
 * refusal is not an error here: it is a `RejectConnection`, then `RejectData` up to one with `bodyFinished`.
 */
export class ClientHandshake implements Iterable<HandshakeEvent> {
  readonly #maxHeadSize: number
  #head: HeadReader
  #state: HandshakeState = ConnectionState.CONNECTING
  #failed = false
  #request: SentRequest | null = null
  #events: HandshakeEvent[] = []
  #trailing: Uint8Array = NO_BYTES
  #body: RefusalBodyReader | null = null
  #extensions: readonly Extension[] = []
  #extensionsHeader = ''

  /** @throws {RangeError} for a limit that is neither a positive integer nor `Infinity` */
  constructor(options: ClientHandshakeOptions = {}) {
    this.#maxHeadSize = options.maxHeadSize ?? DEFAULT_MAX_HEAD_SIZE
    assertLimit('maxHeadSize', this.#maxHeadSize)
    this.#head = new HeadReader('response', this.#maxHeadSize)
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** The extensions agreed on; for `Protocol`, once the state is `OPEN`. */
  get extensions(): readonly Extension[] {
    return this.#extensions
  }

  /** The extensions agreed on, as the server's `Sec-WebSocket-Extensions` says; `''`: none. */
  get extensionsHeader(): string {
    return this.#extensionsHeader
  }

  /** The bytes that came behind the 101; for `Protocol`, once the state is `OPEN`. */
  get trailingData(): Uint8Array {
    return this.#trailing
  }

  /**
   * Encodes a `Request`, the only event that a client sends during the handshake, with a fresh random key.
   *
   * A host that is not ASCII is sent in its IDNA form. When it throws, nothing has changed.
   *
   * @returns the bytes to write
   * @throws {TypeError} for a host, target, subprotocol, extension or header that may not be sent
   * @throws {LocalProtocolError} for a second request and for any other event
   */
  send(event: OutgoingEvent): Uint8Array {
    if (event.type !== 'Request') {
      throw new LocalProtocolError(`A client cannot send ${event.type} during the handshake`, 'RFC 6455 §4.1')
    }
    if (this.#request !== null || this.#failed) {
      throw new LocalProtocolError('The request was sent already', 'RFC 6455 §4.1')
    }
    // §4.1 point 7: "The nonce MUST be selected randomly for each connection."
    const key = randomBytes(16).toString('base64')
    const { subprotocols = [], extraHeaders = [] } = event
    const extensions = (event.extensions ?? []).map(assertExtension)
    const headers: [string, string][] = [
      ['Host', asciiHost(event.host)],
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Key', key],
      ['Sec-WebSocket-Version', '13'],
    ]
    assertTarget(event.target)
    assertSubprotocols(subprotocols)
    assertExtraHeaders(extraHeaders)
    if (subprotocols.length > 0) headers.push(['Sec-WebSocket-Protocol', subprotocols.join(', ')])
    const offers = extensions.flatMap((extension) =>
      extension.offer().map((parameters) => formatExtension(extension.name, parameters)),
    )
    if (offers.length > 0) headers.push(['Sec-WebSocket-Extensions', offers.join(', ')])
    for (const [name, value] of extraHeaders) headers.push([name, value])
    this.#request = { accept: acceptKey(key), subprotocols: [...subprotocols], extensions }
    return formatHead(`GET ${event.target} HTTP/1.1`, headers)
  }

  /**
   * Takes bytes from the transport; what is kept of them is copied. `null` says that it has ended.
   *
   * @throws {HandshakeError} with the status that the server gave (0: none), once
   * @throws {LocalProtocolError} when the handshake is over: the bytes are frames
   */
  receiveData(data: Uint8Array | null): this {
    if (data !== null) assertReceived(data)
    if (this.#state === ConnectionState.OPEN) throw new LocalProtocolError('The handshake is over', 'RFC 6455 §4.1')
    if (this.#state === ConnectionState.CLOSED || this.#failed) return this
    try {
      if (data === null) this.#readEnd()
      else this.#read(data)
    } catch (error) {
      this.#failed = true
      throw error
    }
    return this
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

  #read(data: Uint8Array): void {
    if (this.#request === null) throw new HandshakeError('Server spoke before the request', { status: 0 })
    let rest = data
    while (this.#state === ConnectionState.CONNECTING) {
      const taken = this.#head.push(rest)
      if (taken === -1) return
      rest = rest.subarray(taken)
      const head = parseResponseHead(this.#head.text)
      if (head.statusCode === 101) {
        this.#accept(head, this.#request)
        this.#trailing = rest.slice()
        return
      }
      if (head.statusCode >= 200) this.#refuse(head)
      // RFC 9110 §15.2: other 1xx responses, such as 103 Early Hints, announce one that is still to come.
      else this.#head = new HeadReader('response', this.#maxHeadSize)
    }
    this.#readBody((this.#body as RefusalBodyReader).read(rest))
  }

  #readEnd(): void {
    if (this.#body === null) throw new HandshakeError('Server left during the handshake', { status: 0 })
    this.#body.end()
    this.#readBody(NO_BYTES)
  }

  #readBody(data: Uint8Array): void {
    if (data.length > 0) this.#events.push({ type: 'RejectData', data, bodyFinished: false })
    if (!(this.#body as RefusalBodyReader).finished) return
    this.#events.push({ type: 'RejectData', data: NO_BYTES, bodyFinished: true })
    this.#step('bodyEnd')
  }

  #refuse(head: ResponseHead): void {
    this.#body = new RefusalBodyReader(head)
    this.#events.push({ type: 'RejectConnection', statusCode: head.statusCode, headers: head.headers, hasBody: true })
    this.#step('rejectWithBody')
  }

  /** §4.1, "the client MUST validate the server's response", in the order of its points. */
  #accept(head: ResponseHead, request: SentRequest): void {
    const { headers, statusCode: status } = head
    const fail = (message: string): never => {
      throw new HandshakeError(`${message} (RFC 6455 §4.1)`, { status, headers })
    }
    // RFC 9110 §7.8: HTTP/1.0 has no Upgrade, and no version but 1.x has this form of head.
    if (!/^1\.[1-9]$/.test(head.httpVersion)) fail(`Server switched protocols in HTTP/${head.httpVersion}`)
    if (!hasToken(headers, 'connection', 'upgrade')) fail("Server's 'Connection' does not contain 'Upgrade'")
    const upgrades = headerValues(headers, 'upgrade')
    if (upgrades.length !== 1 || upgrades[0]?.toLowerCase() !== 'websocket') {
      fail("Server's 'Upgrade' is not 'websocket'")
    }
    const accepts = headerValues(headers, 'sec-websocket-accept')
    if (accepts.length !== 1 || accepts[0] !== request.accept) {
      fail("Server's 'Sec-WebSocket-Accept' does not answer the key")
    }
    const [subprotocol = null, ...others] = headerValues(headers, 'sec-websocket-protocol')
    if (others.length > 0 || (subprotocol !== null && !request.subprotocols.includes(subprotocol))) {
      fail("Server's 'Sec-WebSocket-Protocol' is not one that was requested")
    }
    const answers = headerValues(headers, 'sec-websocket-extensions')
    const extensions = clientExtensionsHandshake(parseExtensions(answers, status), request.extensions)
    this.#extensions = extensions
    this.#extensionsHeader = answers.join(', ')
    this.#events.push({
      type: 'AcceptConnection',
      subprotocol,
      extensions,
      extraHeaders: headers.filter(([name]) => !ANSWERED.has(name)),
    })
    this.#step('accept')
  }

  #step(trigger: HandshakeTrigger): void {
    this.#state = HANDSHAKE_TRANSITIONS[this.#state][trigger] as HandshakeState
  }
}

/** Headers that an `AcceptConnection` event has fields for, or that say nothing more. */
const ANSWERED: ReadonlySet<string> = new Set([
  'connection',
  'upgrade',
  'sec-websocket-accept',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
])

/** §3: the resource name, or an absolute URI for a proxy (§4.1 point 2). A fragment never is part of it. */
function assertTarget(target: string): void {
  if (typeof target !== 'string' || !(isOriginForm(target) || isAbsoluteForm(target))) {
    throw new TypeError(`target ${JSON.stringify(target)} must begin with '/' and be ASCII without spaces or '#'`)
  }
}

/** §4.1 point 10: tokens, all different. */
function assertSubprotocols(subprotocols: readonly string[]): void {
  if (!Array.isArray(subprotocols)) throw new TypeError('subprotocols must be a list of names')
  for (const subprotocol of subprotocols) {
    if (!isToken(subprotocol)) throw new TypeError(`Subprotocol ${JSON.stringify(subprotocol)} is not a token`)
  }
  if (new Set(subprotocols).size !== subprotocols.length) throw new TypeError('A subprotocol is requested twice')
}

function assertExtension(extension: Extension | string): Extension {
  if (typeof extension === 'string') throw new TypeError(`Extension '${extension}' must be an object to be offered`)
  return extension
}

/** The host as `Host` carries it: labels that are not ASCII in their IDNA form (RFC 5891). */
function asciiHost(host: string): string {
  if (typeof host !== 'string') throw new TypeError(`host must be a string, not ${typeof host}`)
  const [, name = '', port = ''] = /^([^/?#@\\:\s]*)(:\d*)?$/.exec(host) ?? []
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  const ascii = /^[\x00-\x7f]*$/.test(host) ? host : `${idna(name)}${port}`
  if (!isHost(ascii)) throw new TypeError(`host ${JSON.stringify(host)} is not a host with an optional port`)
  return ascii
}

function idna(name: string): string {
  return URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : ''
}
