/**
 * permessage-deflate (RFC 7692): a message is compressed as a whole and marked by RSV1 on its first frame.
 *
 * Without context takeover nothing is held between messages: a context comes from a pool of the process when a message
 * begins and goes back when it ends. With takeover the connection keeps its own, made when it is first needed.
 */
import {
  agreeOnAnswer,
  agreeOnOffer,
  type DeflateAgreement,
  type DeflateOptions,
  deflateAnswer,
  deflateOffer,
  formatDeflateParameters,
  parseDeflateParameters,
  resolveDeflateOptions,
} from './deflate-parameters.ts'
import type { Violation } from './errors.ts'
import type { Role } from './event.ts'
import { type Extension, type FrameHeader, type OutboundFragment, Rsv } from './extension.ts'
import type { ExtensionParameters } from './header.ts'
import { isControl, Opcode } from './opcode.ts'
import {
  type ContextPool,
  compressorPool,
  type DeflateContext,
  decompressorPool,
  type InflateContext,
  requireSynchronousZlib,
} from './zlib-context.ts'

/** zlib's smallest window for raw deflate. It also inflates what was compressed with a smaller one. */
const MIN_WINDOW_BITS = 9

/** Compressed bytes that a message may have beyond twice its limit: room for headers of blocks in a small one. */
const COMPRESSED_SLACK = 1024

/** Bytes of `00 00 ff ff`, which the sender leaves off the end of a message (§7.2.1). */
const TAIL_LENGTH = 4

const NOTHING: Uint8Array = new Uint8Array(0)

/** One side of one connection. Payloads that it returns are valid until the next call to any extension. */
export class PerMessageDeflate implements Extension {
  readonly name = 'permessage-deflate'
  readonly rsv: number = Rsv.RSV1
  readonly #options: Required<DeflateOptions>
  #agreed: DeflateAgreement | undefined

  #compressors: ContextPool<DeflateContext> | undefined
  #keepCompressor = false
  #compressor: DeflateContext | undefined
  /** Whether the message that is being sent is compressed. */
  #compressing = false

  #decompressors: ContextPool<InflateContext> | undefined
  #keepDecompressor = false
  #decompressor: InflateContext | undefined
  /** Whether the message that is being received is compressed. */
  #decompressing = false
  #maxMessageSize: number = Number.POSITIVE_INFINITY
  /** Bytes of the message that is being received, before and after. */
  #compressed = 0
  #decompressed = 0

  /**
   * @throws {TypeError} for an unknown option or one of the wrong type
   * @throws {RangeError} for an option out of range
   * @throws {WebSocketError} when this runtime has no synchronous zlib contexts
   */
  constructor(options: DeflateOptions = {}) {
    this.#options = resolveDeflateOptions(options)
    requireSynchronousZlib()
  }

  get outboundKey(): string | undefined {
    if (this.#keepCompressor) return undefined
    const { level, memLevel, threshold } = this.#options
    const bits = this.#compressors === undefined ? 0 : this.#agreed?.serverMaxWindowBits
    return `${this.name} ${bits} ${level} ${memLevel} ${threshold}`
  }

  get enabled(): boolean {
    return this.#agreed !== undefined
  }

  offer(): readonly ExtensionParameters[] {
    return [formatDeflateParameters(deflateOffer(this.#options))]
  }

  accept(parameters: ExtensionParameters): ExtensionParameters | null {
    const offer = parseDeflateParameters(parameters)
    const agreed = offer && agreeOnOffer(offer, this.#options)
    // Nothing of a declined offer may stay: a later one can be accepted with other parameters.
    if (!offer || !agreed) return null
    this.#agreed = agreed
    return formatDeflateParameters(deflateAnswer(offer, agreed))
  }

  finalize(parameters: ExtensionParameters): boolean {
    const answer = parseDeflateParameters(parameters)
    const agreed = answer && agreeOnAnswer(answer, this.#options)
    if (!agreed) return false
    this.#agreed = agreed
    return true
  }

  start(role: Role, maxMessageSize: number): void {
    this.#maxMessageSize = maxMessageSize
    const agreed = this.#agreed
    if (agreed === undefined) return
    const server = { bits: agreed.serverMaxWindowBits, keep: !agreed.serverNoContextTakeover }
    const client = { bits: agreed.clientMaxWindowBits, keep: !agreed.clientNoContextTakeover }
    const [own, peer] = role === 'server' ? [server, client] : [client, server]
    const { level, memLevel } = this.#options
    // A client that was told 8 cannot obey by compressing; to send uncompressed is always allowed (§6).
    this.#compressors = own.bits < MIN_WINDOW_BITS ? undefined : compressorPool(own.bits, level, memLevel)
    this.#keepCompressor = own.keep
    this.#decompressors = decompressorPool(Math.max(peer.bits, MIN_WINDOW_BITS))
    this.#keepDecompressor = peer.keep
  }

  inboundHeader(header: FrameHeader): number | Violation {
    const rsv1 = header.rsv & Rsv.RSV1
    // §6.1: "An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and non-first fragments".
    if (isControl(header.opcode)) return rsv1 === 0 ? 0 : 'COMPRESSED_CONTROL'
    if (header.opcode !== Opcode.CONTINUATION) {
      this.#decompressing = rsv1 !== 0
      this.#compressed = 0
      this.#decompressed = 0
    } else if (rsv1 !== 0) {
      return 'COMPRESSED_CONTINUATION'
    }
    if (this.#decompressing) {
      // RFC 6455 §10.4: blocks without content would keep zlib busy for ever and never reach the limit.
      this.#compressed += header.length
      if (this.#compressed > 2 * this.#maxMessageSize + COMPRESSED_SLACK) return 'MESSAGE_TOO_BIG'
    }
    return rsv1
  }

  inboundPayload(data: Uint8Array): Uint8Array | Violation {
    if (!this.#decompressing || data.length === 0) return data
    this.#decompressor ??= (this.#decompressors as ContextPool<InflateContext>).take()
    const inflated = this.#decompressor.inflate(data, this.#maxMessageSize - this.#decompressed)
    if (typeof inflated !== 'string') this.#decompressed += inflated.length
    return inflated
  }

  inboundComplete(fin: boolean): Uint8Array | Violation {
    if (!fin || !this.#decompressing) return NOTHING
    this.#decompressing = false
    // A compressed message has a block at least (§7.2.3.6), but zlib gives none when it is flushed twice, and some
    // peers send what it gives. The tail alone would not inflate.
    if (this.#decompressor === undefined || this.#compressed === 0) return NOTHING
    const fault = this.#decompressor.finish(this.#keepDecompressor)
    if (fault !== undefined) return fault
    if (!this.#keepDecompressor) this.#releaseDecompressor()
    return NOTHING
  }

  outbound(opcode: number, payload: Uint8Array, fin: boolean, compress: boolean | undefined): OutboundFragment {
    if (isControl(opcode)) return { rsv: 0, payload }
    const first = opcode !== Opcode.CONTINUATION
    if (first) {
      // The size of a message in fragments is not known when it begins.
      const wanted = compress ?? (!fin || payload.length >= this.#options.threshold)
      this.#compressing = wanted && this.#compressors !== undefined
    }
    if (!this.#compressing) return { rsv: 0, payload }
    const compressed = payload.length === 0 ? emptyFragment(fin) : this.#compress(payload, fin)
    if (fin && !this.#keepCompressor) this.#releaseCompressor()
    return { rsv: first ? Rsv.RSV1 : 0, payload: compressed }
  }

  dispose(): void {
    this.#releaseCompressor()
    this.#releaseDecompressor()
  }

  #compress(payload: Uint8Array, fin: boolean): Uint8Array {
    this.#compressor ??= (this.#compressors as ContextPool<DeflateContext>).take()
    // §7.2.1: only the end of the message loses its tail; the other fragments are flushed so that they can be read.
    return this.#compressor.deflate(payload, fin ? TAIL_LENGTH : 0)
  }

  #releaseCompressor(): void {
    if (this.#compressor === undefined) return
    this.#compressors?.give(this.#compressor)
    this.#compressor = undefined
  }

  #releaseDecompressor(): void {
    if (this.#decompressor === undefined) return
    this.#decompressors?.give(this.#decompressor)
    this.#decompressor = undefined
  }
}

/** §7.2.3.6: the end of an empty message, or of one whose last fragment is empty, is the header of an empty block. */
function emptyFragment(fin: boolean): Uint8Array {
  return new Uint8Array(fin ? 1 : 0)
}
