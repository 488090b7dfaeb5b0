/**
 * The head of an HTTP/1.1 message, read and written: as much of RFC 9112 as an opening handshake needs.
 *
 * Bytes are read as Latin-1, so that none is lost and none can fail (RFC 9110 §5.5).
 */
import { Buffer } from 'node:buffer'
import { HandshakeError } from './errors.ts'
import { GrowingBytes } from './growing-bytes.ts'
import { type HeaderList, isToken, trimWhitespace } from './header.ts'

/** Default limit of a head in bytes, from its first byte to the end of the empty line that closes it. */
export const DEFAULT_MAX_HEAD_SIZE = 16_384

/** `METHOD target HTTP/1.1` and the fields after it. Field names are in lower case. */
export interface RequestHead {
  readonly method: string
  readonly target: string
  /** Such as `1.1`. */
  readonly httpVersion: string
  readonly headers: HeaderList
}

/** `HTTP/1.1 101 Reason` and the fields after it. Field names are in lower case. */
export interface ResponseHead {
  readonly httpVersion: string
  readonly statusCode: number
  readonly headers: HeaderList
}

type HeadKind = 'request' | 'response'

const CR = 0x0d
const LF = 0x0a
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/(\d\.\d)$/
const STATUS_LINE = /^HTTP\/(\d\.\d) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what a field value may not hold (RFC 9110 §5.5)
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

/** Reason phrases of the statuses that a handshake ends with; a phrase may be empty (RFC 9112 §4). */
const REASONS: Readonly<Record<number, string>> = {
  101: 'Switching Protocols',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** Collects the bytes of one head as they come and finds its end. Each byte is looked at once. */
export class HeadReader {
  readonly #maxSize: number
  readonly #kind: HeadKind
  readonly #bytes: GrowingBytes = new GrowingBytes()
  /** Where the head begins, behind any empty lines. */
  #start = 0
  #lineStart = 0

  /** @param maxSize bytes, an integer above 0 or `Infinity` */
  constructor(kind: HeadKind, maxSize: number) {
    this.#kind = kind
    this.#maxSize = maxSize
  }

  /**
   * Takes a chunk. Returns how many of its bytes belong to the head once that is complete, and -1 until then.
   *
   * @throws {HandshakeError} 431 when the head is longer than `maxSize`, 400 when a line does not end in CRLF
   */
  push(chunk: Uint8Array): number {
    const before = this.#bytes.length
    const part = chunk.subarray(0, Math.min(chunk.length, this.#maxSize - before))
    let next = 0
    for (;;) {
      const at = part.indexOf(LF, next)
      if (at === -1) break
      // A lone LF is read as a line end by some and not by others: the root of request smuggling (RFC 9112 §11.2).
      if ((at === 0 ? this.#bytes.last : part[at - 1]) !== CR) this.#fail(400, 'A line must end in CRLF')
      const lineEnd = before + at - 1
      next = at + 1
      if (lineEnd === this.#lineStart && lineEnd !== this.#start) {
        this.#bytes.append(part.subarray(0, next))
        return next
      }
      // RFC 9112 §2.2: empty lines before the start line are skipped.
      if (lineEnd === this.#start) this.#start = lineEnd + 2
      this.#lineStart = lineEnd + 2
    }
    if (before + part.length === this.#maxSize) this.#fail(431, `Head is longer than ${this.#maxSize} bytes`)
    this.#bytes.append(part)
    return -1
  }

  /** The complete head, without the empty line that ends it. */
  get text(): string {
    return Buffer.from(this.#bytes.slice(this.#start, this.#bytes.length - 4)).toString('latin1')
  }

  #fail(status: number, message: string): never {
    throw new HandshakeError(message, { status: this.#kind === 'request' ? status : 0 })
  }
}

/** @throws {HandshakeError} 400 */
export function parseRequestHead(text: string): RequestHead {
  const lines = text.split('\r\n')
  const words = REQUEST_LINE.exec(lines[0] as string) as [string, string, string, string] | null
  if (words === null) throw new HandshakeError('Malformed request line (RFC 9112 §3)', { status: 400 })
  const [, method, target, httpVersion] = words
  return { method, target, httpVersion, headers: parseFields(lines, 'request') }
}

/** @throws {HandshakeError} with status 0: the server gave none that can be trusted */
export function parseResponseHead(text: string): ResponseHead {
  const lines = text.split('\r\n')
  const words = STATUS_LINE.exec(lines[0] as string) as [string, string, string] | null
  if (words === null) throw new HandshakeError('Malformed status line (RFC 9112 §4)', { status: 0 })
  const [, httpVersion, status] = words
  return { httpVersion, statusCode: Number(status), headers: parseFields(lines, 'response') }
}

/** A head, one byte per character. Names and values have been checked (`assertHeader`). */
export function headText(startLine: string, headers: HeaderList): string {
  let text = `${startLine}\r\n`
  // Not by pattern: until it is compiled, that makes several objects for each field.
  for (const field of headers) text += `${field[0]}: ${field[1]}\r\n`
  return `${text}\r\n`
}

/** The bytes of a head. */
export function formatHead(startLine: string, headers: HeaderList): Uint8Array {
  return latin1Bytes(headText(startLine, headers))
}

/** `HTTP/1.1 426 Upgrade Required` */
export function formatStatusLine(status: number): string {
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ''}`
}

/** One byte per character; all are below U+0100. */
export function latin1Bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

function parseFields(lines: readonly string[], kind: HeadKind): HeaderList {
  const headers: [string, string][] = []
  const status = kind === 'request' ? 400 : 0
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string
    if (CONTROL.test(line)) {
      throw new HandshakeError('A header line contains a control character (RFC 9110 §5.5)', { status })
    }
    const last = headers.at(-1)
    // RFC 9112 §5.2: a server may refuse a folded line, a client must unfold it.
    if (kind === 'response' && last !== undefined && /^[ \t]/.test(line)) {
      const more = trimWhitespace(line)
      // Whitespace around the whole value is no part of it (RFC 9112 §5.1).
      if (more !== '') last[1] = last[1] === '' ? more : `${last[1]} ${more}`
      continue
    }
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    // A name is a token, so this also refuses a space before the colon (RFC 9112 §5.1).
    if (!isToken(name)) throw new HandshakeError('Malformed header line (RFC 9112 §5)', { status })
    headers.push([name.toLowerCase(), trimWhitespace(line.slice(colon + 1))])
  }
  return headers
}
