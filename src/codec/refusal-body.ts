/** The body of a refusal, written and read (RFC 9112 §6, §7.1). */
import { HandshakeError, LocalProtocolError } from './errors.ts'
import { GrowingBytes } from './growing-bytes.ts'
import { type HeaderList, headerValues, parseTokenList } from './header.ts'
import { latin1Bytes, type ResponseHead } from './http-head.ts'

const NO_BYTES: Uint8Array = new Uint8Array(0)
const CR = 0x0d
const LF = 0x0a

/** Most bytes of a line around a chunk, or of all trailers. */
const MAX_CHUNK_LINE = 16_384

/** Whether a response with this status has no body, whatever its headers say (RFC 9112 §6.3). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 304
}

/** Server: frames the body as the headers of the refusal say, in chunks when they say nothing. */
export class RefusalBodyWriter {
  /** The headers to send: those given, and the one that frames the body when it was not among them. */
  readonly headers: HeaderList
  /** Bytes that `Content-Length` has announced and that are still due; `undefined` for chunks. */
  #due: number | undefined

  /** @throws {TypeError} when the headers frame another body than the one that follows */
  constructor(status: number, headers: HeaderList, hasBody: boolean) {
    const lengths = headerValues(headers, 'content-length')
    const codings = headerValues(headers, 'transfer-encoding')
    if (lengths.length + codings.length > 1) throw new TypeError('A refusal must not frame its body twice')
    const [length] = lengths
    const [coding] = codings
    if (hasBody ? isBodiless(status) : coding !== undefined || (length !== undefined && length !== '0')) {
      throw new TypeError(`A refusal ${hasBody ? `with status ${status}` : 'with hasBody false'} has no body`)
    }
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
      throw new TypeError("Header 'Transfer-Encoding' must be 'chunked'")
    }
    if (length !== undefined && !isLength(length)) throw new TypeError("Header 'Content-Length' must be a number")
    const framed = length !== undefined || coding !== undefined || isBodiless(status)
    this.headers = framed ? headers : [...headers, hasBody ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', '0']]
    this.#due = length === undefined ? undefined : Number(length)
  }

  /** @throws {LocalProtocolError} when the body does not have the length announced */
  write(data: Uint8Array, finished: boolean): Uint8Array {
    if (this.#due === undefined) return chunk(data, finished)
    const due = this.#due - data.length
    if (due < 0 || (finished && due > 0)) {
      throw new LocalProtocolError('The body of the refusal differs from its Content-Length', 'RFC 9112 §6.2')
    }
    this.#due = due
    return data
  }
}

/** Client: finds the end of the body: by `Content-Length`, by chunks, or by the end of the transport. */
export class RefusalBodyReader {
  readonly #head: ResponseHead
  /** Bytes of the body, or of its current chunk, that are still due. */
  #due = 0
  /** What the next line means; `undefined` when the body is not in chunks. */
  #line: 'size' | 'chunkEnd' | 'trailer' | undefined
  #text = ''
  #lineBytes = 0
  #finished = false

  /** @throws {HandshakeError} when the headers do not say where the body ends */
  constructor(head: ResponseHead) {
    this.#head = head
    const codings = parseTokenList(headerValues(head.headers, 'transfer-encoding'))
    const lengths = new Set(parseTokenList(headerValues(head.headers, 'content-length')))
    if (isBodiless(head.statusCode)) this.#finished = true
    else if (codings.at(-1)?.toLowerCase() === 'chunked') this.#line = 'size'
    else if (codings.length > 0 || lengths.size === 0) this.#due = Number.POSITIVE_INFINITY
    else {
      const [length] = lengths as Set<string>
      if (lengths.size > 1 || length === undefined || !isLength(length)) this.#fail('has an invalid Content-Length')
      this.#due = Number(length)
      this.#finished = this.#due === 0
    }
  }

  get finished(): boolean {
    return this.#finished
  }

  /** Takes bytes from the transport. Returns those of the body, copied; what follows the body is dropped. */
  read(data: Uint8Array): Uint8Array {
    const body = new GrowingBytes()
    let at = 0
    while (at < data.length && !this.#finished) {
      if (this.#due === 0) {
        this.#readLine(data[at++] as number)
        continue
      }
      const piece = data.subarray(at, Math.min(data.length, at + this.#due))
      body.append(piece)
      at += piece.length
      this.#due -= piece.length
      if (this.#due === 0 && this.#line === undefined) this.#finished = true
    }
    return body.slice()
  }

  /** The transport has ended. @throws {HandshakeError} when the body has not */
  end(): void {
    if (this.#due !== Number.POSITIVE_INFINITY) this.#fail('is incomplete')
    this.#finished = true
  }

  #readLine(byte: number): void {
    if (++this.#lineBytes > MAX_CHUNK_LINE) this.#fail('has a chunk line that is too long')
    if (byte !== LF) {
      this.#text += String.fromCharCode(byte)
      return
    }
    if (this.#text.charCodeAt(this.#text.length - 1) !== CR) this.#fail('has a line that does not end in CRLF')
    const text = this.#text.slice(0, -1)
    this.#text = ''
    if (this.#line === 'trailer') {
      this.#finished = text === ''
      return
    }
    this.#lineBytes = 0
    if (this.#line === 'chunkEnd') {
      if (text !== '') this.#fail('has a chunk longer than its size')
      this.#line = 'size'
    } else {
      const size = /^([0-9A-Fa-f]{1,13})[ \t]*(?:;|$)/.exec(text)?.[1]
      if (size === undefined) this.#fail('has a malformed chunk size')
      this.#due = Number.parseInt(size, 16)
      this.#line = this.#due === 0 ? 'trailer' : 'chunkEnd'
    }
  }

  #fail(what: string): never {
    const { statusCode: status, headers } = this.#head
    throw new HandshakeError(`Server refused with ${status}, and the body ${what} (RFC 9112 §6)`, { status, headers })
  }
}

function isLength(text: string): boolean {
  return /^\d{1,15}$/.test(text)
}

function chunk(data: Uint8Array, finished: boolean): Uint8Array {
  const before = data.length === 0 ? NO_BYTES : latin1Bytes(`${data.length.toString(16)}\r\n`)
  const after = latin1Bytes(`${data.length === 0 ? '' : '\r\n'}${finished ? '0\r\n\r\n' : ''}`)
  const bytes = new Uint8Array(before.length + data.length + after.length)
  bytes.set(before)
  bytes.set(data, before.length)
  bytes.set(after, before.length + data.length)
  return bytes
}
