/**
 * Synchronous raw DEFLATE contexts (RFC 1951, as RFC 7692 §7.2 uses it) that live on between calls: the one place that
 * touches zlib.
 *
 * What `node:zlib` documents does not fit a codec: its streams answer later, on another thread, and its `...Sync`
 * functions forget the context after each call. Under both stands one call, `_handle.writeSync`, which does a piece of
 * work at once and keeps the context. It is not documented, and the same on Node 20 to 26, Bun and Deno; the
 * constructor says so when a runtime lacks it. docs/performance.md compares the ways.
 *
 * Output goes to memory that all contexts share. A result shorter than 64 KiB is a view of it, valid until the next
 * call on any context; a longer one has memory of its own.
 */
import { Buffer } from 'node:buffer'
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'
import { type Violation, WebSocketError } from './errors.ts'
import { LARGE_PAYLOAD } from './frame-encoder.ts'

/** Bytes that one call may put out. The frame encoder keeps a reference to payloads from this length on. */
const BLOCK = LARGE_PAYLOAD

const output: Uint8Array = new Uint8Array(BLOCK)

const { Z_SYNC_FLUSH, Z_MIN_CHUNK } = constants

/** What a stream of `node:zlib` is made of, as far as it is needed here. */
interface ZlibStream {
  readonly _handle: {
    onerror: () => void
    writeSync(
      flush: number,
      input: Uint8Array,
      inputOffset: number,
      inputLength: number,
      output: Uint8Array,
      outputOffset: number,
      outputLength: number,
    ): void
    reset(): void
  }
  /** After a call: bytes of output left free, bytes of input left unread. */
  readonly _writeState: Uint32Array
  close(): void
}

/**
 * The insides of a stream.
 *
 * @throws {WebSocketError} when this runtime's `node:zlib` is built otherwise
 */
export function zlibStream(stream: object): ZlibStream {
  const { _handle: handle, _writeState: state } = stream as Partial<ZlibStream>
  if (
    typeof handle?.writeSync !== 'function' ||
    typeof handle.reset !== 'function' ||
    !(state instanceof Uint32Array)
  ) {
    throw new WebSocketError(
      'permessage-deflate needs synchronous zlib contexts, which node:zlib of this runtime lacks',
    )
  }
  return stream as ZlibStream
}

class ZlibContext {
  readonly #stream: ZlibStream
  #failed = false
  /** Bytes of the last call's input that it left unread. */
  protected unread = 0
  /** Where in `output` the last call ended. */
  protected filled = 0

  constructor(stream: object) {
    this.#stream = zlibStream(stream)
    // Without it some runtimes throw, later and where nobody can catch it.
    this.#stream._handle.onerror = () => {
      this.#failed = true
    }
  }

  /** Feeds `input` from `start` on; output goes behind `filled`. Returns whether zlib could use it. */
  protected step(input: Uint8Array, start: number, filled: number): boolean {
    const { _handle: handle, _writeState: state } = this.#stream
    handle.writeSync(Z_SYNC_FLUSH, input, start, input.length - start, output, filled, BLOCK - filled)
    this.filled = BLOCK - (state[0] as number)
    this.unread = state[1] as number
    return !this.#failed
  }

  /** Forgets everything that was fed, an error too. */
  reset(): void {
    this.#failed = false
    this.#stream._handle.reset()
  }

  close(): void {
    this.#stream.close()
  }
}

/** `last` bytes of `output` behind the blocks, without `cut` bytes at the end. */
function gathered(blocks: Uint8Array[] | undefined, last: number, cut: number): Uint8Array {
  if (blocks === undefined) return output.subarray(0, last - cut)
  blocks.push(output.subarray(0, last))
  const whole = Buffer.concat(blocks)
  return whole.subarray(0, whole.length - cut)
}

/** A compressor. */
export class DeflateContext extends ZlibContext {
  constructor(windowBits: number, level: number, memLevel: number) {
    super(createDeflateRaw({ windowBits, level, memLevel, chunkSize: Z_MIN_CHUNK }))
  }

  /**
   * Compresses `input`, which is not empty, up to a byte boundary (Z_SYNC_FLUSH).
   *
   * @param cut bytes to leave off at the end: 4 for the `00 00 ff ff` of the flush
   */
  deflate(input: Uint8Array, cut: number): Uint8Array {
    let blocks: Uint8Array[] | undefined
    let start = 0
    let filled = 0
    for (;;) {
      if (!this.step(input, start, filled)) throw new WebSocketError('zlib failed to compress')
      if (this.filled < BLOCK) return gathered(blocks, this.filled, cut)
      start = input.length - this.unread
      blocks ??= []
      blocks.push(output.slice())
      filled = 0
    }
  }
}

/** RFC 7692 §7.2.2: what the sender left off. */
const TAIL: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff)
/** The same, an empty final block, and a byte that is left unread if, and only if, that block was seen as one. */
const FINAL_TAIL: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff, 0x00)

/** A decompressor. */
export class InflateContext extends ZlibContext {
  constructor(windowBits: number) {
    super(createInflateRaw({ windowBits, chunkSize: Z_MIN_CHUNK }))
  }

  /**
   * Decompresses the next piece of a message.
   *
   * @param limit most bytes of output; at most one block of 64 KiB beyond it is held
   */
  inflate(input: Uint8Array, limit: number): Uint8Array | Violation {
    let blocks: Uint8Array[] | undefined
    let start = 0
    let filled = 0
    let total = 0
    for (;;) {
      if (!this.step(input, start, filled)) return 'DEFLATE_DATA_INVALID'
      total += this.filled - filled
      if (total > limit) return 'MESSAGE_TOO_BIG'
      start = input.length - this.unread
      filled = this.filled
      if (filled === BLOCK) {
        blocks ??= []
        blocks.push(output.slice())
        filled = 0
      } else if (this.unread === 0) {
        return gathered(blocks, filled, 0)
      } else {
        // RFC 7692 §7.2.3.4: a block with BFINAL has ended the stream, and another block follows. Its window is empty:
        // a compressor that ends a stream starts the next one afresh.
        this.reset()
      }
    }
  }

  /**
   * Ends a message whose pieces were inflated (RFC 7692 §7.2.2), and checks that it ended where a block does.
   *
   * @param takeover whether the window is needed for the next message; if not, the context must be reset before it
   */
  finish(takeover: boolean): Violation | undefined {
    const tail = takeover ? TAIL : FINAL_TAIL
    if (!this.step(tail, 0, 0)) return 'DEFLATE_DATA_INVALID'
    // The last block had BFINAL, and nothing behind it that the tail could complete.
    if (this.unread === tail.length) return undefined
    // Output means that the tail was read as the rest of a block that was cut off.
    const ended = this.filled === 0 && this.unread === (takeover ? 0 : 1)
    return ended ? undefined : 'DEFLATE_DATA_INVALID'
  }
}

let checked = false

/**
 * Checks, once, that this runtime has what a context needs.
 *
 * @throws {WebSocketError} when it has not
 */
export function requireSynchronousZlib(): void {
  if (checked) return
  new InflateContext(constants.Z_DEFAULT_WINDOWBITS).close()
  checked = true
}

/** Idle contexts that a pool keeps: one for whole messages, the others for fragmented ones that are under way. */
const MAX_IDLE = 4

/** Contexts of one kind. A message, or a connection with context takeover, has one to itself from `take` to `give`. */
export class ContextPool<C extends ZlibContext> {
  readonly #make: () => C
  readonly #idle: C[] = []

  constructor(make: () => C) {
    this.#make = make
  }

  take(): C {
    return this.#idle.pop() ?? this.#make()
  }

  give(context: C): void {
    if (this.#idle.length === MAX_IDLE) {
      context.close()
      return
    }
    context.reset()
    this.#idle.push(context)
  }
}

const compressors = new Map<string, ContextPool<DeflateContext>>()
const decompressors = new Map<number, ContextPool<InflateContext>>()

/** The compressors of this process with these parameters, which are in the range that zlib takes. */
export function compressorPool(windowBits: number, level: number, memLevel: number): ContextPool<DeflateContext> {
  const key = `${windowBits} ${level} ${memLevel}`
  let pool = compressors.get(key)
  if (pool === undefined) {
    pool = new ContextPool(() => new DeflateContext(windowBits, level, memLevel))
    compressors.set(key, pool)
  }
  return pool
}

/** The decompressors of this process with this window. */
export function decompressorPool(windowBits: number): ContextPool<InflateContext> {
  let pool = decompressors.get(windowBits)
  if (pool === undefined) {
    pool = new ContextPool(() => new InflateContext(windowBits))
    decompressors.set(windowBits, pool)
  }
  return pool
}
