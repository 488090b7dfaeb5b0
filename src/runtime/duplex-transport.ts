/** The byte transport over a socket of `node:net`, `node:tls`, or any other Duplex. */
import type { Duplex } from 'node:stream'
import type { ByteTransport, TransportEnd, TransportListener } from '../connection/transport.ts'

/** What sockets have and other Duplexes may lack. */
type MaybeSocket = Duplex & {
  readonly remoteAddress?: string | undefined
  setNoDelay?(noDelay: boolean): unknown
  setTimeout?(milliseconds: number): unknown
}

/** Bytes held for a listener that is not there yet, from which the socket is paused. */
const MAX_EARLY = 65_536

/** Bytes a paused socket that goes on delivering may deliver before it is dropped. */
const MAX_HELD = 16_777_216

export interface DuplexTransportOptions {
  /**
   * Whether `pause` stops the socket. Where it does not (TLS on Deno), bytes are held here while paused, and past
   * 16 MiB the socket is dropped.
   *
   * @default true
   */
  pausable?: boolean
}

export class DuplexTransport implements ByteTransport {
  readonly remoteAddress: string | undefined
  readonly #socket: Duplex
  readonly #pausable: boolean
  /** Unsent bytes below which a `drain` event is believed. */
  readonly #lowMark: number
  #listener: TransportListener | undefined
  /** Whether chunks go straight to the listener. */
  #flowing = false
  #held: Uint8Array[] = []
  #heldBytes = 0
  #waiting = false
  #ended = false
  #closed: TransportEnd | undefined

  /** @param head bytes that were read together with the request, delivered first */
  constructor(socket: Duplex, head?: Uint8Array, options: DuplexTransportOptions = {}) {
    const { remoteAddress, setNoDelay, setTimeout }: MaybeSocket = socket
    this.remoteAddress = remoteAddress
    this.#socket = socket
    this.#pausable = options.pausable ?? true
    this.#lowMark = socket.writableHighWaterMark
    if (head !== undefined && head.length > 0) this.#hold(head)
    setNoDelay?.call(socket, true)
    // An earlier request on this connection may have left the server's keep-alive timeout behind.
    setTimeout?.call(socket, 0)
    socket.on('error', () => {})
    socket.on('close', (hadError?: boolean) => this.#onClose(hadError))
    socket.on('end', () => this.#onEnd())
    socket.on('drain', () => this.#onDrain())
    socket.on('data', (chunk: Uint8Array) => this.#onData(chunk))
  }

  get bufferedAmount(): number {
    return this.#socket.writableLength
  }

  attach(listener: TransportListener): void {
    this.#listener = listener
    this.#flowing = true
    // Not from here: the listener is still being built.
    process.nextTick(() => this.#release())
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes) || this.#settle()
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    const socket = this.#socket
    socket.cork()
    for (const piece of pieces) socket.write(piece)
    socket.uncork()
    return !socket.writableNeedDrain || this.#settle()
  }

  pause(): void {
    this.#flowing = false
    if (this.#pausable) this.#socket.pause()
  }

  resume(): void {
    if (this.#flowing) return
    this.#flowing = true
    if (this.#heldBytes === 0) this.#socket.resume()
    else process.nextTick(() => this.#release())
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#held = []
    this.#heldBytes = 0
    this.#socket.destroy()
  }

  /** Whether a refused write may go on all the same; remembers to report the drain if not. */
  #settle(): boolean {
    // A socket refuses before it knows how much the operating system takes at once.
    this.#waiting = this.#socket.writableLength > this.#lowMark
    return !this.#waiting
  }

  #onData(chunk: Uint8Array): void {
    if (this.#flowing && this.#heldBytes === 0) this.#listener?.onData(chunk)
    else this.#hold(chunk)
  }

  #hold(chunk: Uint8Array): void {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (!this.#pausable && this.#heldBytes > MAX_HELD) this.destroy()
    else if (this.#pausable && this.#heldBytes >= MAX_EARLY) this.#socket.pause()
  }

  /** Delivers what was held, for as long as the listener does not pause. */
  #release(): void {
    while (this.#flowing && this.#deliverNext());
    if (!this.#flowing) return
    if (this.#ended) this.#onEnd()
    if (this.#closed !== undefined) this.#finish(this.#closed)
    else this.#socket.resume()
  }

  #deliverNext(): boolean {
    const chunk = this.#held.shift()
    if (chunk === undefined) return false
    this.#heldBytes -= chunk.length
    this.#listener?.onData(chunk)
    return true
  }

  #onDrain(): void {
    // Bun says `drain` several times, the first with most of the bytes still queued.
    if (!this.#waiting || this.#socket.writableLength > this.#lowMark) return
    this.#waiting = false
    this.#listener?.onDrain()
  }

  #onEnd(): void {
    this.#ended = this.#listener === undefined || this.#heldBytes > 0
    if (!this.#ended) this.#listener?.onEnd()
  }

  #onClose(hadError: boolean | undefined): void {
    // Bun passes no argument, and a Duplex that is no socket neither.
    const how = hadError === true || this.#socket.errored != null ? 'error' : 'end'
    if (this.#listener === undefined) this.#closed = how
    else this.#finish(how)
  }

  #finish(how: TransportEnd): void {
    // The socket is gone, so pausing is pointless: what was held comes now or never.
    while (this.#deliverNext());
    const listener = this.#listener
    this.#listener = undefined
    listener?.onClose(how)
  }
}
