/**
 * HTTP header grammar that the handshake needs (RFC 9110 §5.6, RFC 6455 §4.3, §9.1).
 *
 * Every function here is linear in its input and needs nothing from the runtime.
 */
import { HandshakeError } from './errors.ts'

/** Header fields in wire order; a name may occur more than once. */
export type HeaderList = readonly (readonly [name: string, value: string])[]

/** What can be asked for the fields of a name: a list of them, or `Headers` of Fetch, which joins the lines of a name. */
export type HeaderSource = HeaderList | { get(name: string): string | null }

/** Parameters of one extension, in order; `true` for a parameter without a value (RFC 6455 §9.1). */
export type ExtensionParameters = readonly (readonly [name: string, value: string | true])[]

/** One element of `Sec-WebSocket-Extensions`. */
export interface ExtensionOffer {
  readonly name: string
  readonly parameters: ExtensionParameters
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const TOKEN_HERE = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
// No comma, though RFC 3986 has it: Fetch joins two Host lines with one.
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+;=]+)(?::\d*)?$/
// ASCII without spaces and `#`: more than a URI may hold, and nothing that would end it (RFC 9112 §3.2).
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/
const ABSOLUTE_FORM = /^https?:\/\/(?![/?])[\x21\x22\x24-\x7e]+$/i
const LINE_BREAKING = /[\0\r\n]/
const ONE_LINE = /^[^\0\r\n\u0100-\uffff]*$/
const SPACE = 0x20
const TAB = 0x09
/** What the handshake writes itself (RFC 6455 §11.3), frames a body, or is meant for the next hop (RFC 9110 §7.6.1). */
export const RESERVED_HEADERS: readonly string[] = [
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
const RESERVED: ReadonlySet<string> = new Set(RESERVED_HEADERS)

/** Whether `text` is a token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Whether `text` is a host with an optional port, as `Host` carries it (RFC 9112 §3.2). */
export function isHost(text: string): boolean {
  return HOST.test(text)
}

/** Whether `text` is a path with an optional query, as most requests name their target (RFC 9112 §3.2.1). */
export function isOriginForm(text: string): boolean {
  return ORIGIN_FORM.test(text)
}

/** Whether `text` is an `http` or `https` URL, as a request to a proxy names its target (RFC 9112 §3.2.2). */
export function isAbsoluteForm(text: string): boolean {
  return ABSOLUTE_FORM.test(text)
}

const NO_VALUES: readonly string[] = []

/** The values of every line with this name, in wire order. Names are compared without case (RFC 9110 §5.1). */
export function headerValues(headers: HeaderSource, name: string): readonly string[] {
  if ('get' in headers) {
    const value = headers.get(name)
    return value === null ? NO_VALUES : [value]
  }
  const wanted = name.toLowerCase()
  // Most names occur once, or not at all; an array that grows has room for sixteen, in each upgrade a dozen times. By
  // index, since an iterator makes an object for each field until this is compiled.
  let values: string[] | undefined
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i] as HeaderList[number]
    if (field[0].length !== wanted.length || field[0].toLowerCase() !== wanted) continue
    if (values === undefined) values = [field[1]]
    else values.push(field[1])
  }
  return values ?? NO_VALUES
}

/** The elements of a comma-separated list over any number of lines; empty ones are dropped (RFC 9110 §5.6.1.2). */
export function parseTokenList(values: string | readonly string[]): string[] {
  const elements: string[] = []
  for (const value of typeof values === 'string' ? [values] : values) {
    for (const piece of value.split(',')) {
      const element = trimWhitespace(piece)
      if (element !== '') elements.push(element)
    }
  }
  return elements
}

/** Whether a list header holds `token`, compared without case, on any of its lines. */
export function hasToken(headers: HeaderSource, name: string, token: string): boolean {
  const wanted = token.toLowerCase()
  for (const value of headerValues(headers, name)) {
    // Most have one element.
    const lower = value.toLowerCase()
    if (lower === wanted) return true
    if (lower.includes(wanted) && lower.split(',').some((piece) => trimWhitespace(piece) === wanted)) return true
  }
  return false
}

/** `text` without the spaces and tabs around it (RFC 9110 §5.6.3); a non-breaking space is not one of them. */
export function trimWhitespace(text: string): string {
  let start = 0
  let end = text.length
  // Beyond either end `charCodeAt` gives NaN.
  while (isWhitespace(text.charCodeAt(start))) start++
  while (isWhitespace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/**
 * Reads `Sec-WebSocket-Extensions`, one line or several, in wire order.
 *
 * A value in quotes must be a token once unquoted. Whitespace may stand between any two words (the implied LWS of
 * RFC 2616, which RFC 6455 §9.1 keeps).
 *
 * @param status what a `HandshakeError` carries: 400 on a server, the status that the peer gave on a client
 * @throws {HandshakeError} when the grammar is broken: the connection must fail (RFC 6455 §9.1)
 */
export function parseExtensions(values: string | readonly string[], status = 400): ExtensionOffer[] {
  const offers: ExtensionOffer[] = []
  for (const value of typeof values === 'string' ? [values] : values)
    new ExtensionReader(value, status).readInto(offers)
  return offers
}

/**
 * One element of `Sec-WebSocket-Extensions`: `name; parameter=value; flag`.
 *
 * @throws {TypeError} when the name, or the name or value of a parameter, is not a token (RFC 6455 §9.1)
 */
export function formatExtension(name: string, parameters: ExtensionParameters): string {
  let text = assertExtensionToken(name)
  for (const [parameter, value] of parameters) {
    text += `; ${assertExtensionToken(parameter)}`
    if (value !== true) text += `=${assertExtensionToken(value)}`
  }
  return text
}

/**
 * Refuses a header that could not be written as it is, or would become more than one (RFC 9110 §5.5).
 *
 * @throws {TypeError} naming the header
 */
export function assertHeader(name: string, value: string): void {
  if (typeof name !== 'string' || !isToken(name)) throw new TypeError(`Invalid header name ${JSON.stringify(name)}`)
  if (typeof value !== 'string') throw new TypeError(`Header '${name}' must be a string`)
  if (ONE_LINE.test(value)) return
  if (LINE_BREAKING.test(value)) throw new TypeError(`Header '${name}' must not contain CR, LF or NUL`)
  // Written as one byte, U+010A would become a line feed.
  throw new TypeError(`Header '${name}' must not contain characters above U+00FF`)
}

/** Whether a header may not be added to an opening handshake: `Sec-WebSocket-*`, and those that belong to a hop or a body. */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase()
  return RESERVED.has(lower) || lower.startsWith('sec-websocket-')
}

/**
 * Refuses headers that may not be added to an opening handshake.
 *
 * @throws {TypeError} naming the header
 */
export function assertExtraHeaders(headers: HeaderList): void {
  for (const [name, value] of headers) {
    assertHeader(name, value)
    if (isReservedHeader(name)) throw new TypeError(`Header '${name}' belongs to the handshake and cannot be added`)
  }
}

function isWhitespace(code: number): boolean {
  return code === SPACE || code === TAB
}

function assertExtensionToken(text: string): string {
  if (!isToken(text)) throw new TypeError(`Extension: ${JSON.stringify(text)} is not a token (RFC 6455 §9.1)`)
  return text
}

/** Reads one line of extensions from left to right. */
class ExtensionReader {
  readonly #text: string
  readonly #status: number
  #at = 0

  constructor(text: string, status: number) {
    this.#text = text
    this.#status = status
  }

  readInto(offers: ExtensionOffer[]): void {
    for (;;) {
      this.#skipWhitespace()
      if (this.#at === this.#text.length) return
      if (this.#take(',')) continue
      offers.push(this.#extension())
      if (this.#at < this.#text.length && !this.#take(',')) this.#fail()
    }
  }

  #extension(): ExtensionOffer {
    const name = this.#token()
    const parameters: [string, string | true][] = []
    while (this.#take(';')) {
      const parameter = this.#token()
      parameters.push([parameter, this.#take('=') ? this.#value() : true])
    }
    return { name, parameters }
  }

  #token(): string {
    this.#skipWhitespace()
    TOKEN_HERE.lastIndex = this.#at
    const token = TOKEN_HERE.exec(this.#text)?.[0]
    if (token === undefined) this.#fail()
    this.#at += token.length
    this.#skipWhitespace()
    return token
  }

  #value(): string {
    this.#skipWhitespace()
    if (!this.#take('"')) return this.#token()
    const start = this.#at
    let value = ''
    while (!this.#take('"')) {
      // A quoted pair stands for its second character (RFC 9110 §5.6.4).
      this.#take('\\')
      if (this.#at === this.#text.length) this.#fail()
      value += this.#text[this.#at++]
    }
    if (!isToken(value)) this.#fail(start)
    this.#skipWhitespace()
    return value
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #skipWhitespace(): void {
    while (isWhitespace(this.#text.charCodeAt(this.#at))) this.#at++
  }

  #fail(at: number = this.#at): never {
    throw new HandshakeError(`Header 'Sec-WebSocket-Extensions' is malformed at character ${at} (RFC 6455 §9.1)`, {
      status: this.#status,
    })
  }
}
