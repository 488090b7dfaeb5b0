/** A TCP client that writes what a test says, byte for byte, and keeps everything it gets. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** How long to wait for what must come, in milliseconds. */
const PATIENCE = 10_000

export interface Address {
  readonly port?: number
  /** A unix socket. */
  readonly path?: string
  readonly tls?: boolean
}

export class WireClient implements Disposable {
  readonly socket: Socket
  /** Everything received, one character for each byte. */
  text = ''
  /** Bytes received; more than in `text` after `pause`. */
  ended = false
  closed = false
  #waiting: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1')
      this.#wake()
    })
    // A reset is what many tests are about; they look at what came before it.
    socket.on('error', () => {})
    socket.on('end', () => {
      this.ended = true
      this.#wake()
    })
    socket.on('close', () => {
      this.ended = true
      this.closed = true
      this.#wake()
    })
  }

  static open({ port, path, tls = false }: Address): Promise<WireClient> {
    const at = path === undefined ? { port: port as number, host: '127.0.0.1' } : { path }
    const options = { ...at, allowHalfOpen: true, rejectUnauthorized: false }
    return new Promise((resolve, reject) => {
      const socket = tls ? connectTls(options) : connect(options)
      socket.once('error', reject)
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        socket.off('error', reject)
        resolve(new WireClient(socket))
      })
    })
  }

  /** Sends text, one byte for each character. */
  send(text: string): this {
    this.socket.write(Buffer.from(text, 'latin1'))
    return this
  }

  /** Resolves when what was received contains, or fits, `wanted`. Rejects when the server ends first. */
  async until(wanted: string | RegExp): Promise<string> {
    await this.#wait(`${wanted}`, () => this.#has(wanted) || this.ended)
    if (!this.#has(wanted)) throw new Error(`The server ended without ${wanted}; it said ${JSON.stringify(this.text)}`)
    return this.text
  }

  /** Resolves when the server has ended its side. */
  async untilEnd(): Promise<string> {
    await this.#wait('the end', () => this.ended)
    return this.text
  }

  /** What the response with this status says: header lines in lower case, and the body that follows. */
  async response(status: number): Promise<{ headers: string[]; body: string }> {
    await this.until(`HTTP/1.1 ${status} `)
    await this.until('\r\n\r\n')
    const from = this.text.indexOf(`HTTP/1.1 ${status} `)
    const end = this.text.indexOf('\r\n\r\n', from)
    const headers = this.text.slice(from, end).split('\r\n').slice(1)
    return { headers: headers.map((line) => line.toLowerCase()), body: this.text.slice(end + 4) }
  }

  /** Sends an RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  #has(wanted: string | RegExp): boolean {
    return typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text)
  }

  async #wait(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE
    while (!condition()) {
      const left = deadline - performance.now()
      if (left <= 0)
        throw new Error(`${what} did not come; the server said ${JSON.stringify(this.text.slice(0, 2000))}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** Key of RFC 6455 §1.3, and the answer to it. */
export const KEY_HEADER = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT_HEADER = 'sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo='

/** A request as text; `headers` go between `Host` and the end. */
export function request(target: string, headers: readonly string[] = [], method = 'GET', version = '1.1'): string {
  return [`${method} ${target} HTTP/${version}`, 'Host: localhost', ...headers, '', ''].join('\r\n')
}

export const UPGRADE: readonly string[] = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  KEY_HEADER,
]

/** A masked frame of at most 125 characters, with a key of zeros. */
export function frame(text: string, opcode = 1): string {
  return `${String.fromCharCode(0x80 | opcode, 0x80 | text.length)}\0\0\0\0${text}`
}

/** The frame that a server sends. */
export function serverFrame(text: string, opcode = 1): string {
  return String.fromCharCode(0x80 | opcode, text.length) + text
}

/** A Close with a code. */
export function closeFrame(code: number, masked = true): string {
  const payload = String.fromCharCode(code >> 8, code & 0xff)
  return masked ? frame(payload, 8) : serverFrame(payload, 8)
}
