/** What a case of the transport contract is, and the sizes that all of them share. */
import type { ByteTransport } from '../../src/connection/transport.ts'

/** A connected pair. Both ends are of the implementation under test where that is possible. */
export interface TransportPair {
  readonly subject: ByteTransport
  readonly peer: ByteTransport
  /** Breaks the stream with an RST from the peer's side. Left out where no such thing exists: name it in the skips. */
  readonly reset?: () => void
  /** Releases what the pair holds: sockets, servers. Both transports may still be open. */
  readonly dispose: () => void | Promise<void>
}

/** One rule of the contract. */
export interface TransportCase {
  /** Row of the requirements. */
  readonly row: string
  readonly rule: string
  readonly run: (pair: TransportPair) => Promise<void>
}

export const KIB = 1024
export const MIB: number = 1024 * KIB
/** What a pipe may take before its writer is told to wait: socket buffers of the operating system on both sides. */
export const PIPE_LIMIT: number = 32 * MIB
