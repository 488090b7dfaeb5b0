/**
 * Two byte transports joined in memory, for tests of handlers and of everything that stands on a transport.
 *
 * It behaves as a socket does: each direction is a network that takes `capacity` bytes, beyond which they stay with the
 * writer; nothing is ever delivered inside a call of the other side; bytes belong to whoever received them. What a
 * network does to a stream is under the test's control: where chunks are cut, when they arrive, how it breaks.
 */
import { optionsFault } from './call-options.ts'
import type { ByteTransport, TransportEnd, TransportListener } from './transport.ts'

/** How one end of the pair behaves. */
export interface MemoryTransportOptions {
  /** Bytes on the way to this end that the network takes before they stay with the writer. @default 65_536 */
  capacity?: number
  /** Unsent bytes of this end from which `write` returns `false`; `onDrain` follows at none. @default 16_384 */
  highWaterMark?: number
  /**
   * How bytes arrive at this end: a number cuts chunks of that many bytes; a list gives the sizes of the first chunks,
   * counted over the whole stream, after which they come as written. @default as written
   */
  split?: number | readonly number[]
  /** Whether bytes that wait to be delivered arrive as one chunk, whatever they were written as. @default false */
  merge?: boolean
  /** Calls back once, later. Each chunk and each event of this end takes one call. @default queueMicrotask */
  schedule?: (deliver: () => void) => void
}

const OPTIONS: readonly string[] = [
  'capacity',
  'highWaterMark',
  'split',
  'merge',
  'schedule',
] satisfies (keyof MemoryTransportOptions)[]

/** One end of a pair: a transport, with the faults of a network as further methods. */
export class MemoryTransport implements ByteTransport {
  readonly remoteAddress: string | undefined = undefined
  readonly #capacity: number
  readonly #highWaterMark: number
  readonly #merge: boolean
  readonly #schedule: (deliver: () => void) => void
  #peer: MemoryTransport = this
  #listener: TransportListener | undefined
  #stepQueued = false

  /** Chunks that the network holds for this end. */
  #arrived: Uint8Array[] = []
  #arrivedBytes = 0
  /** Bytes up to the next cut, the sizes after it, and the size when those are used up. */
  #untilCut: number
  readonly #cuts: number[]
  readonly #cutEvery: number
  #paused = false
  #held = false
  #finArrived = false
  #endTold = false

  /** Pieces that the network has not taken; they are still the writer's arrays. */
  #unsent: Uint8Array[] = []
  #unsentBytes = 0
  #drainOwed = false
  #ending = false
  #finSent = false

  /** Set when the stream broke; `onClose` is then all that this end still hears. */
  #broken = false
  #closed = false

  private constructor(options: MemoryTransportOptions) {
    const wrong = optionsFault('a transport', options, OPTIONS)
    if (wrong !== undefined) throw wrong
    this.#capacity = byteCount('capacity', options.capacity ?? 65_536)
    this.#highWaterMark = byteCount('highWaterMark', options.highWaterMark ?? 16_384)
    const split = options.split ?? []
    this.#cuts = typeof split === 'object' ? split.map((size) => byteCount('split', size)) : []
    this.#cutEvery = typeof split === 'object' ? Number.POSITIVE_INFINITY : byteCount('split', split)
    this.#untilCut = this.#cuts.shift() ?? this.#cutEvery
    this.#merge = options.merge ?? false
    this.#schedule = options.schedule ?? queueMicrotask
  }

  /** Two ends joined; each has options of its own. */
  static pair(
    options: MemoryTransportOptions,
    otherOptions: MemoryTransportOptions,
  ): [MemoryTransport, MemoryTransport] {
    const one = new MemoryTransport(options)
    const other = new MemoryTransport(otherOptions)
    one.#peer = other
    other.#peer = one
    return [one, other]
  }

  attach(listener: TransportListener): void {
    if (this.#listener !== undefined) throw new TypeError('A transport has one listener, and this one is attached')
    this.#listener = listener
    this.#queueStep()
  }

  write(bytes: Uint8Array): boolean {
    return this.writeAll([bytes])
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    if (this.#ending || this.#broken) return false
    for (const piece of pieces) {
      if (piece.length === 0) continue
      this.#unsent.push(piece)
      this.#unsentBytes += piece.length
    }
    this.#send()
    if (this.#unsentBytes < this.#highWaterMark) return true
    this.#drainOwed = true
    return false
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#queueStep()
  }

  end(): void {
    if (this.#ending || this.#broken) return
    this.#ending = true
    this.#send()
  }

  destroy(): void {
    if (this.#broken || this.#closed) return
    this.#break()
    // As when a process closes its socket: what the network has taken still arrives, then the end.
    this.#peer.#finArrived = true
    this.#peer.#queueStep()
    this.#peer.#send()
  }

  get bufferedAmount(): number {
    return this.#unsentBytes
  }

  /** Breaks the stream as an RST does: both ends lose what is on the way and hear `onClose('error')`. */
  reset(): void {
    this.#break()
    this.#peer.#break()
  }

  /**
   * Holds back everything that is on the way to this end, the peer's FIN included: a slow network, or a reader that
   * stalls. With both ends held, the cable is pulled.
   */
  hold(): void {
    this.#held = true
  }

  /** Ends `hold`. */
  release(): void {
    this.#held = false
    this.#queueStep()
  }

  #break(): void {
    if (this.#broken || this.#closed) return
    this.#broken = true
    this.#arrived = []
    this.#arrivedBytes = 0
    this.#unsent = []
    this.#unsentBytes = 0
    this.#queueStep()
  }

  /** Moves to the network what it has room for, as one chunk, and our FIN behind the last byte. */
  #send(): void {
    if (this.#broken) return
    const peer = this.#peer
    const size = Math.min(this.#unsentBytes, peer.#capacity - peer.#arrivedBytes)
    if (size > 0) {
      if (peer.#broken) {
        // A host answers bytes for a socket that is gone with an RST.
        this.#break()
        return
      }
      // Copied: from here on the array is the writer's again, and the chunk the reader's.
      peer.#arrived.push(new Uint8Array(takeBytes(this.#unsent, size)))
      peer.#arrivedBytes += size
      this.#unsentBytes -= size
      peer.#queueStep()
      if (this.#drainOwed) this.#queueStep()
    }
    if (this.#ending && !this.#finSent && this.#unsentBytes === 0) {
      this.#finSent = true
      peer.#finArrived = true
      peer.#queueStep()
      this.#queueStep()
    }
  }

  #queueStep(): void {
    if (this.#stepQueued || this.#listener === undefined || this.#closed) return
    this.#stepQueued = true
    this.#schedule(() => {
      this.#stepQueued = false
      this.#step()
    })
  }

  /** Tells the listener one thing, and queues the next step when it did. */
  #step(): void {
    const listener = this.#listener
    if (listener === undefined || this.#closed) return
    const flowing = !this.#paused && !this.#held
    if (this.#broken) {
      this.#close(listener, 'error')
    } else if (this.#drainOwed && this.#unsentBytes === 0) {
      this.#drainOwed = false
      this.#queueStep()
      listener.onDrain()
    } else if (flowing && this.#arrivedBytes > 0) {
      const chunk = this.#nextChunk()
      this.#peer.#send()
      this.#queueStep()
      listener.onData(chunk)
    } else if (flowing && this.#finArrived && !this.#endTold) {
      this.#endTold = true
      this.#queueStep()
      listener.onEnd()
    } else if (this.#endTold && this.#finSent) {
      this.#close(listener, 'end')
    }
  }

  #close(listener: TransportListener, how: TransportEnd): void {
    this.#closed = true
    listener.onClose(how)
  }

  #nextChunk(): Uint8Array {
    const available = this.#merge ? this.#arrivedBytes : (this.#arrived[0]?.length ?? 0)
    const size = Math.min(available, this.#untilCut)
    this.#untilCut -= size
    if (this.#untilCut === 0) this.#untilCut = this.#cuts.shift() ?? this.#cutEvery
    this.#arrivedBytes -= size
    return takeBytes(this.#arrived, size)
  }
}

/** Two transports, each the other's peer. Without `otherOptions` both behave alike. */
export function memoryTransportPair(
  options: MemoryTransportOptions = {},
  otherOptions: MemoryTransportOptions = options,
): [MemoryTransport, MemoryTransport] {
  return MemoryTransport.pair(options, otherOptions)
}

/** Takes the first `size` bytes off a list of pieces: a view where they are one piece, else a copy. */
function takeBytes(pieces: Uint8Array[], size: number): Uint8Array {
  const first = pieces[0]
  if (first !== undefined && first.length >= size) {
    if (first.length === size) pieces.shift()
    else pieces[0] = first.subarray(size)
    return first.subarray(0, size)
  }
  const joined = new Uint8Array(size)
  let filled = 0
  let used = 0
  for (const piece of pieces) {
    if (filled + piece.length > size) {
      joined.set(piece.subarray(0, size - filled), filled)
      pieces[used] = piece.subarray(size - filled)
      break
    }
    joined.set(piece, filled)
    filled += piece.length
    used++
  }
  pieces.splice(0, used)
  return joined
}

function byteCount(name: string, value: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of bytes; got a ${typeof value}`)
  const valid = value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && value >= 1)
  if (!valid) throw new RangeError(`${name} must be a whole number of bytes from 1, or Infinity; got ${value}`)
  return value
}
