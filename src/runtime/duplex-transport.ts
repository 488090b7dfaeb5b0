/** The byte transport over a socket of `node:net`, `node:tls`, or any other Duplex. */
import { Buffer } from 'node:buffer'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ByteTransport, TransportEnd, TransportListener } from '../connection/transport.ts'
import { type CloseWatcher, watchClose } from './close-watcher.ts'
import { FULL_READ, fairReading, type Reader } from './fair-reading.ts'
import { destroy } from './raw-mode.ts'

/** What sockets have and other Duplexes may lack. */
type MaybeSocket = Duplex & {
  readonly remoteAddress?: string | undefined
  setNoDelay?(noDelay: boolean): unknown
  setTimeout?(milliseconds: number): unknown
}

/** Where a socket keeps its transport, for the listeners. */
const TRANSPORT: unique symbol = Symbol('fetch-sock.transport')

type Carrier = Duplex & { [TRANSPORT]: DuplexTransport }

/** Bytes that a paused socket which goes on delivering may deliver before it is dropped. */
const MAX_HELD = 16_777_216

/** Settings of a `DuplexTransport`. */
export interface DuplexTransportOptions {
  /**
   * Whether `pause` stops the socket. Where it does not (TLS on Deno), bytes are held here while paused, and past
   * 16 MiB the socket is dropped.
   *
   * @default true
   */
  readonly pausable?: boolean
}

export class DuplexTransport implements ByteTransport, CloseWatcher, Reader {
  earlier: CloseWatcher | undefined
  readonly remoteAddress: string | undefined
  readonly #socket: Duplex
  readonly #pausable: boolean
  /** Whether what was written may still be held when it no longer counts as unsent: other streams pass on the chunk itself. */
  readonly #passesOn: boolean
  #listener: TransportListener | undefined
  /** Whether the listener wants bytes. */
  #flowing = true
  /** Bytes that wait for `#flowing`, in order. */
  #held: Uint8Array[] | undefined
  #heldBytes = 0
  /** Whether a `write` that returned `false` is owed an `onDrain`. */
  #waiting = false
  /** Whether the peer has ended its side, and the listener does not know. */
  #ended: boolean
  #closed: TransportEnd | undefined
  /** Whether nothing may be written any more. */
  #finished = false
  /** Whether the listener hears of nothing but the close. */
  #destroyed = false

  /** @param head bytes that were read together with the request; they are delivered first */
  constructor(socket: Duplex, head?: Uint8Array, options: DuplexTransportOptions = {}) {
    const settings: MaybeSocket = socket
    this.remoteAddress = settings.remoteAddress
    this.#socket = socket
    this.#pausable = options.pausable ?? true
    this.#passesOn = !(socket instanceof Socket)
    this.#ended = socket.readableEnded
    if (head !== undefined && head.length > 0) this.#hold(head)
    settings.setNoDelay?.(true)
    // An earlier request on this connection may have left the server's keep-alive timeout behind.
    settings.setTimeout?.(0)
    const carrier = socket as Carrier
    carrier[TRANSPORT] = this
    if (!socket.listeners('error').includes(ignoreError)) socket.on('error', ignoreError)
    if (socket.closed) this.#closed = endOf(socket)
    else watchClose(socket, this)
    socket.on('end', DuplexTransport.#listeners.end)
    socket.on('drain', DuplexTransport.#listeners.drain)
  }

  /** One set for all sockets: closures for each would take more memory than the transport itself. */
  static readonly #listeners = {
    data(this: Carrier, chunk: Uint8Array): void {
      this[TRANSPORT].#onData(chunk)
    },
    drain(this: Carrier): void {
      this[TRANSPORT].#onDrain()
    },
    end(this: Carrier): void {
      this[TRANSPORT].#onEnd()
    },
  }

  get bufferedAmount(): number {
    return this.#destroyed || this.#socket.destroyed ? 0 : this.#socket.writableLength
  }

  attach(listener: TransportListener): void {
    this.#listener = listener
    // Not from here: the listener is still being built.
    process.nextTick(() => {
      this.#release()
      this.#socket.on('data', DuplexTransport.#listeners.data)
    })
  }

  write(bytes: Uint8Array): boolean {
    // After its end a socket takes a write for an error and drops what it had still to send.
    if (this.#finished) return true
    return this.#socket.write(this.#own(bytes)) || this.#isLow()
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    if (this.#finished) return true
    const socket = this.#socket
    socket.cork()
    for (const piece of pieces) socket.write(this.#own(piece))
    socket.uncork()
    return !socket.writableNeedDrain || this.#isLow()
  }

  pause(): void {
    this.#flowing = false
    if (this.#pausable) this.#socket.pause()
  }

  resume(): void {
    if (this.#flowing) return
    this.#flowing = true
    if (this.#listener === undefined) return
    if (this.#heldBytes === 0) this.#socket.resume()
    else process.nextTick(() => this.#release())
  }

  /** The others have their turn. */
  rest(): void {
    this.#socket.pause()
  }

  goOn(): void {
    if (this.#flowing) this.#socket.resume()
  }

  end(): void {
    if (this.#finished) return
    this.#finished = true
    this.#socket.end()
  }

  destroy(): void {
    this.#finished = true
    this.#destroyed = true
    this.#flowing = false
    this.#held = undefined
    this.#heldBytes = 0
    destroy(this.#socket)
  }

  /** The bytes in memory that the socket may keep. */
  #own(bytes: Uint8Array): Uint8Array {
    return this.#passesOn ? Buffer.from(bytes) : bytes
  }

  /** Whether a refused write may go on all the same; if not, remembers to report the drain. */
  #isLow(): boolean {
    // A socket refuses before it knows how much the operating system takes at once. Who was refused earlier waits on.
    this.#waiting ||= !this.#hasDrained()
    return !this.#waiting
  }

  /** Whether so little is unsent that a `drain` event is believed. */
  #hasDrained(): boolean {
    return this.#socket.writableLength <= this.#socket.writableHighWaterMark
  }

  #hold(chunk: Uint8Array): void {
    if (this.#destroyed) return
    this.#held ??= []
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes > MAX_HELD) this.destroy()
  }

  /** Delivers what was held, for as long as the listener does not pause, then what happened meanwhile. */
  #release(): void {
    if (this.#closed !== undefined) {
      this.#finish(this.#closed)
      return
    }
    while (this.#flowing && this.#deliver());
    if (!this.#flowing) return
    if (this.#ended) this.#onEnd()
    this.#socket.resume()
  }

  #deliver(): boolean {
    const chunk = this.#held?.shift()
    if (chunk === undefined) return false
    this.#heldBytes -= chunk.length
    this.#listener?.onData(chunk)
    return true
  }

  #onData(chunk: Uint8Array): void {
    if (this.#flowing && this.#heldBytes === 0) this.#listener?.onData(chunk)
    else this.#hold(chunk)
    if (chunk.length >= FULL_READ && this.#pausable) fairReading?.onFullRead(this)
  }

  #onDrain(): void {
    // Bun says `drain` several times, the first with most of the bytes still queued.
    if (!this.#waiting || this.#destroyed || !this.#hasDrained()) return
    this.#waiting = false
    this.#listener?.onDrain()
  }

  #onEnd(): void {
    if (this.#destroyed) return
    this.#ended = this.#listener === undefined || this.#heldBytes > 0
    if (!this.#ended) this.#listener?.onEnd()
  }

  onSocketClose(hadError: boolean | undefined): void {
    const how = hadError === true ? 'error' : endOf(this.#socket)
    if (this.#listener === undefined) this.#closed = how
    else this.#finish(how)
  }

  #finish(how: TransportEnd): void {
    // The socket is gone, so pausing is pointless: what was held comes now or never.
    while (this.#deliver());
    if (this.#ended) this.#onEnd()
    const listener = this.#listener
    this.#listener = undefined
    listener?.onClose(how)
  }
}

/** Listened to for the life of a socket: an error without a listener ends the process. `close` follows and is enough. */
export function ignoreError(): void {}

/** For `close` events that do not say: Bun's, and those of a Duplex that is no socket. */
function endOf(socket: Duplex): TransportEnd {
  return socket.errored == null ? 'end' : 'error'
}
