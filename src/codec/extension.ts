/**
 * The extension interface (RFC 6455 §9). permessage-deflate is written against it and has no other way in.
 *
 * An extension object belongs to one connection. Inbound hooks run in the order of the negotiated list, outbound hooks
 * in reverse. An extension owns the reserved bits that it returns from `inboundHeader`; a bit that nobody owns fails
 * the connection.
 *
 * A payload that a hook returns is read or copied before the next hook of any extension is called: an extension may
 * reuse its memory, except for an outbound payload of 64 KiB or more, which is sent without a copy.
 */
import type { Violation } from './errors.ts'
import type { Role } from './event.ts'
import type { ExtensionParameters } from './header.ts'

/** Bit masks of RSV1, RSV2 and RSV3 as they stand in the first byte of a frame (§5.2). */
export const Rsv = { RSV1: 0x40, RSV2: 0x20, RSV3: 0x10 } as const

/** The header of a data or control frame, as hooks see it. */
export interface FrameHeader {
  readonly opcode: number
  readonly fin: boolean
  /** The reserved bits as `Rsv` masks. */
  readonly rsv: number
  /** Payload length in bytes. */
  readonly length: number
}

/** What an outbound hook makes of a fragment. */
export interface OutboundFragment {
  /** Reserved bits to set, as `Rsv` masks. */
  readonly rsv: number
  readonly payload: Uint8Array
}

/** One extension of one connection, on either side of it. */
export interface Extension {
  /** The registered token (§11.4). */
  readonly name: string
  /** Reserved bits that it claims, as `Rsv` masks: extensions with one in common are not agreed on. @default 0 */
  readonly rsv?: number
  /**
   * What an outbound message becomes depends on the message and this text alone, so that connections whose extensions
   * have the same texts send the same bytes. Left out when it depends on the connection, or on earlier messages.
   * Looked at once, after `start`.
   */
  readonly outboundKey?: string | undefined
  /** Whether it was negotiated; a disabled extension is never called after the handshake. */
  readonly enabled: boolean

  /** Client: the parameters to offer, in order of preference; an empty list offers nothing. */
  offer(): readonly ExtensionParameters[]
  /** Server: answer one offer with the agreed parameters, or `null` to decline it. Never throws for what a peer sent. */
  accept(offer: ExtensionParameters): ExtensionParameters | null
  /** Client: take the server's answer. Returns `false` when it does not fit the offer: the handshake fails. */
  finalize(answer: ExtensionParameters): boolean
  /** The handshake is over, or the limit changes. `maxMessageSize` bounds, in bytes, what a message may become. */
  start(role: Role, maxMessageSize: number): void

  /** Which of the frame's reserved bits this extension owns, or the violation that the header commits. */
  inboundHeader(header: FrameHeader): number | Violation
  /** A piece of a data frame's payload, unmasked. Returns what it becomes, or the violation. */
  inboundPayload(data: Uint8Array): Uint8Array | Violation
  /** A data frame ended. Returns further payload, or the violation. */
  inboundComplete(fin: boolean): Uint8Array | Violation
  /** A fragment of a message about to be sent. `compress` is the sender's choice for this message, if it made one. */
  outbound(opcode: number, payload: Uint8Array, fin: boolean, compress: boolean | undefined): OutboundFragment

  /** The connection is gone: release what is held. Idempotent. */
  dispose(): void
}
