/** The client of the scenarios: the real `ws`, and a bare socket for requests that `ws` would never send. */
import { connect } from 'node:net'
import WebSocket from '../../node_modules/ws/wrapper.mjs'

const PATIENCE = 10_000

/** A plain HTTP answer. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** An upgrade that the server refused. */
export class Refused extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super(`Refused with ${answer.status}: ${answer.body}`)
    this.answer = answer
  }
}

export interface DialOptions {
  readonly subprotocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  /** Takes the certificate of tests. @default false */
  readonly insecure?: boolean
}

/** An open connection. */
export class Peer {
  readonly socket: WebSocket
  /** Of the 101. */
  headers: Headers = new Headers()
  /** `code reason`, once closed. */
  readonly closed: Promise<string>
  readonly #unread: string[] = []
  #arrived = Promise.withResolvers<void>()

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      this.#unread.push(isBinary ? `bytes ${data.toString('hex')}` : data.toString())
      this.#arrived.resolve()
      this.#arrived = Promise.withResolvers()
    })
    this.closed = bounded(
      'the close',
      new Promise((resolve) => {
        socket.on('close', (code: number, reason: Buffer) => resolve(`${code} ${reason}`.trimEnd()))
      }),
    )
    // A test that ends early leaves this promise alone.
    this.closed.catch(() => {})
  }

  /** @throws {Refused} for any answer but a 101 */
  static dial(url: string, { subprotocols = [], headers = {}, insecure = false }: DialOptions = {}): Promise<Peer> {
    const options = { headers, perMessageDeflate: false, rejectUnauthorized: !insecure }
    const socket = new WebSocket(url.replace(/^http/, 'ws'), [...subprotocols], options)
    const peer = new Peer(socket)
    return bounded(
      'the handshake',
      new Promise((resolve, reject) => {
        socket.on('upgrade', ({ rawHeaders }) => {
          peer.headers = headersOf(rawHeaders)
        })
        socket.on('open', () => resolve(peer))
        socket.on('error', reject)
        socket.on('unexpected-response', (_request, response) => {
          let body = ''
          response.on('data', (chunk: Buffer) => {
            body += chunk
          })
          response.on('end', () => {
            reject(new Refused({ status: response.statusCode ?? 0, headers: headersOf(response.rawHeaders), body }))
            socket.terminate()
          })
        })
      }),
    )
  }

  send(message: string | Uint8Array): this {
    this.socket.send(message)
    return this
  }

  /** The next message, binary as `bytes <hex>`. */
  async next(): Promise<string> {
    const deadline = Date.now() + PATIENCE
    while (this.#unread.length === 0) {
      if (Date.now() > deadline) throw new Error('No message')
      await Promise.race([this.#arrived.promise, this.closed.then((end) => this.#mustHaveMessage(end)), sleep(100)])
    }
    return this.#unread.shift() as string
  }

  #mustHaveMessage(end: string): void {
    if (this.#unread.length === 0) throw new Error(`Closed with ${end} before a message`)
  }

  close(code = 1000): Promise<string> {
    this.socket.close(code)
    return this.closed
  }

  terminate(): void {
    this.socket.terminate()
  }
}

/** The answer to an upgrade that must be refused. */
export async function refusal(url: string, options?: DialOptions): Promise<Answer> {
  try {
    const peer = await Peer.dial(url, options)
    peer.terminate()
  } catch (error) {
    if (error instanceof Refused) return error.answer
    throw error
  }
  throw new Error(`${url} accepted an upgrade that it should refuse`)
}

const HANDSHAKE = [
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
] as const

/**
 * Sends a handshake with some headers replaced, left out (`undefined`) or added, and reads the answer; or resets the
 * connection when `leave` resolves before there is one.
 */
export function handshake(
  url: string,
  changes: Readonly<Record<string, string | undefined>> = {},
  method = 'GET',
  leave: Promise<unknown> = new Promise(() => {}),
): Promise<Answer> {
  const { hostname, port, host, pathname, search } = new URL(url)
  const headers = new Map<string, string | undefined>([['Host', host], ...HANDSHAKE])
  for (const [name, value] of Object.entries(changes)) headers.set(name, value)
  const lines = [...headers].filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}`)
  const socket = connect(Number(port), hostname)
  return bounded(
    'an answer',
    new Promise<Answer>((resolve, reject) => {
      let text = ''
      socket.on('error', reject)
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
        const answer = parse(text)
        if (answer !== undefined) resolve(answer)
      })
      void leave.then(() => {
        socket.resetAndDestroy()
        reject(new Error('Left'))
      })
      socket.on('end', () => reject(new Error(`Ended after ${JSON.stringify(text)}`)))
      socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    }),
  ).finally(() => socket.destroy())
}

/** A whole answer, or `undefined` while more must come. */
function parse(text: string): Answer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Headers()
  for (const line of lines) headers.append(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim())
  const status = Number(first.split(' ')[1])
  const body = text.slice(end + 4)
  const length = Number(headers.get('content-length') ?? 0)
  if (headers.get('transfer-encoding') === 'chunked' ? !body.endsWith('0\r\n\r\n') : body.length < length)
    return undefined
  return { status, headers, body: Buffer.from(body, 'latin1').toString() }
}

function headersOf(raw: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] as string, raw[i + 1] as string)
  return headers
}

/** What the application noted for a run, once it has all of `events`; fails with what there is when they do not come. */
export async function logged(url: string, run: string, events: readonly string[]): Promise<string[]> {
  const deadline = Date.now() + PATIENCE
  for (;;) {
    const log = (await (await fetch(`${url}/log/${run}`)).json()) as string[]
    if (events.every((event) => log.includes(event)) || Date.now() > deadline) return log
    await sleep(10)
  }
}

let runs = 0

/** A name for a run that no other has. */
export function newRun(): string {
  return `run-${++runs}-${Math.random().toString(36).slice(2)}`
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

function bounded<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${PATIENCE} ms for ${what}`)), PATIENCE)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
