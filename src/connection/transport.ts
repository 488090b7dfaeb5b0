/**
 * The byte transport port: an ordered, reliable stream of bytes with backpressure both ways.
 *
 * Implemented over a runtime's socket in `runtime/` and in memory in `memory-transport.ts`; one contract suite proves
 * all of them.
 */

/** Why a transport ended. */
export type TransportEnd =
  /** The peer ended its side in order (FIN). */
  | 'end'
  /** The stream broke (RST, a TLS error, a destroyed socket). */
  | 'error'

/** What a transport tells its owner. Nothing is called before `attach` and nothing after `onClose`. */
export interface TransportListener {
  /** Bytes arrived. The chunk now belongs to the listener, who may write into it. */
  onData(chunk: Uint8Array): void
  /** `bufferedAmount` fell to the low mark after `write` returned `false`. */
  onDrain(): void
  /** The peer ended its side. The transport can still be written. */
  onEnd(): void
  /** The transport is gone, both ways. Called exactly once. */
  onClose(how: TransportEnd): void
}

/** A stream of bytes to and from one peer. */
export interface ByteTransport {
  /** Starts the flow. Bytes that arrived earlier are delivered first, and not before this call returned. */
  attach(listener: TransportListener): void
  /**
   * Queues bytes, in order. The array must stay unchanged until `bufferedAmount` no longer counts it.
   *
   * @returns `false` when the transport asks to wait for `onDrain`
   */
  write(bytes: Uint8Array): boolean
  /** Writes several pieces as one where the transport can. Same result as `write`. */
  writeAll(pieces: readonly Uint8Array[]): boolean
  /** Stops delivery of bytes; those on the way may still come. */
  pause(): void
  resume(): void
  /** Ends our side in order, after everything written. Idempotent. */
  end(): void
  /** Drops the transport now, with what is unsent. Idempotent; `onClose` follows. */
  destroy(): void
  /** Bytes accepted by `write` that the operating system has not yet taken. */
  readonly bufferedAmount: number
  /** Address of the peer, where there is one. */
  readonly remoteAddress: string | undefined
}
