/**
 * The one error family of fetch-sock, and the rules of RFC 6455 and RFC 7692 behind it.
 *
 * `WebSocketError` is its root; `ConnectionClosed`, `HandshakeError` and `ProtocolError` its branches. Every violation
 * of the protocol that a peer can commit is a row of the table below.
 */
import { CloseCode } from './close-code.ts'
import type { CloseConnection, RejectConnection } from './event.ts'
import type { HeaderList } from './header.ts'

/**
 * What a peer can do wrong after the handshake: close code, section, what it did.
 *
 * The keys are stable: they are `ProtocolError.violation` and may be matched against.
 */
export const VIOLATIONS = {
  RESERVED_OPCODE: [1002, 'RFC 6455 §5.2', 'used a reserved opcode'],
  FRAGMENTED_CONTROL: [1002, 'RFC 6455 §5.5', 'fragmented a control frame'],
  CONTROL_TOO_LONG: [1002, 'RFC 6455 §5.5', 'sent a control frame of more than 125 bytes'],
  LENGTH_NOT_MINIMAL: [1002, 'RFC 6455 §5.2', 'used more length bytes than needed'],
  LENGTH_SIGN_BIT: [1002, 'RFC 6455 §5.2', 'set the most significant bit of a 64-bit length'],
  RESERVED_BIT: [1002, 'RFC 6455 §5.2', 'set a reserved bit that no extension defines'],
  UNMASKED_FRAME: [1002, 'RFC 6455 §5.1', 'sent an unmasked frame to a server'],
  MASKED_FRAME: [1002, 'RFC 6455 §5.1', 'sent a masked frame to a client'],
  UNEXPECTED_CONTINUATION: [1002, 'RFC 6455 §5.4', 'continued a message that was not started'],
  EXPECTED_CONTINUATION: [1002, 'RFC 6455 §5.4', 'started a message inside another one'],
  CLOSE_PAYLOAD_TOO_SHORT: [1002, 'RFC 6455 §5.5.1', 'sent a Close with a payload of one byte'],
  CLOSE_CODE_INVALID: [1002, 'RFC 6455 §7.4', 'sent a Close code that may not be sent'],
  CLOSE_REASON_NOT_UTF8: [1007, 'RFC 6455 §5.5.1', 'sent a Close reason that is not UTF-8'],
  TEXT_NOT_UTF8: [1007, 'RFC 6455 §8.1', 'sent text that is not UTF-8'],
  MESSAGE_TOO_BIG: [1009, 'RFC 6455 §7.4.1', 'sent a message over maxMessageSize'],
  TOO_MANY_FRAGMENTS: [1008, 'RFC 6455 §10.4', 'sent a message of more than maxFragments fragments'],
  DEFLATE_DATA_INVALID: [1007, 'RFC 7692 §7.2.2', 'sent a compressed message that does not inflate'],
  COMPRESSED_CONTROL: [1002, 'RFC 7692 §6.1', 'set RSV1 on a control frame'],
  COMPRESSED_CONTINUATION: [1002, 'RFC 7692 §6.1', 'set RSV1 on a continuation frame'],
  EXTENSION_REFUSED: [1002, 'RFC 6455 §9', 'sent what a negotiated extension refuses'],
} as const

/** Name of a row of `VIOLATIONS`. */
export type Violation = keyof typeof VIOLATIONS

/** Root of every error that fetch-sock throws, beside TypeError and RangeError for wrong arguments. */
export class WebSocketError extends Error {
  override name = 'WebSocketError'
}

/** Who began the end of a connection. `transport` means that it broke: no Close was exchanged. */
export type Initiator = 'local' | 'remote' | 'transport'

/** How a connection ended. */
export interface CloseInfo {
  /** Close code; 1005 when the peer's Close had none, 1006 when the connection broke without a Close. */
  readonly code: number
  /** Close reason, at most 123 bytes of UTF-8. */
  readonly reason: string
  /** Whether both sides exchanged Close frames (RFC 6455 §7.1.4). */
  readonly wasClean: boolean
  readonly initiator: Initiator
}

/** The connection has ended: nothing more can be received or sent. */
export class ConnectionClosed extends WebSocketError implements CloseInfo {
  override name = 'ConnectionClosed'
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
  readonly initiator: Initiator
  readonly #connection: object | undefined

  constructor(info: CloseInfo, connection?: object) {
    super(`Connection closed: ${info.code}${info.reason === '' ? '' : ` ${JSON.stringify(info.reason)}`}`)
    this.code = info.code
    this.reason = info.reason
    this.wasClean = info.wasClean
    this.initiator = info.initiator
    this.#connection = connection
  }

  /** The connection that ended, as an opaque identity: a handler ends normally only by its own. */
  get connection(): object | undefined {
    return this.#connection
  }
}

/** An opening handshake that cannot succeed (RFC 6455 §4). */
export class HandshakeError extends WebSocketError {
  override name = 'HandshakeError'
  /** HTTP status: on a server the one to answer with, on a client the one that the server gave (0: none). */
  readonly status: number
  readonly headers: HeaderList
  /** Body of the refusal; on a client at most the first 64 KiB of it. */
  readonly body: Uint8Array | undefined

  constructor(
    message: string,
    init: { status: number; headers?: HeaderList; body?: Uint8Array | undefined; cause?: unknown },
  ) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.status = init.status
    this.headers = init.headers ?? []
    this.body = init.body
  }

  /** The event that answers the peer. */
  get eventHint(): RejectConnection {
    return { type: 'RejectConnection', statusCode: this.status, headers: this.headers, hasBody: false }
  }
}

/** The peer broke the protocol after the handshake; the connection has failed (RFC 6455 §7.1.7). */
export class ProtocolError extends WebSocketError {
  override name = 'ProtocolError'
  readonly closeCode: number
  /** Stable name of the rule, a key of `VIOLATIONS`. */
  readonly violation: string
  /** Where the rule stands, such as `RFC 6455 §5.2`. */
  readonly section: string

  constructor(message: string, init: { closeCode: number; violation: string; section: string }) {
    super(message)
    this.closeCode = init.closeCode
    this.violation = init.violation
    this.section = init.section
  }

  /** The event that tells the peer why, before the connection is dropped. */
  get eventHint(): CloseConnection {
    return { type: 'CloseConnection', code: this.closeCode, reason: this.message }
  }
}

/** The local side asked for what the protocol forbids in this state; nothing was written. */
export class LocalProtocolError extends ProtocolError {
  override name = 'LocalProtocolError'

  constructor(message: string, section: string) {
    super(message, { closeCode: CloseCode.INTERNAL_ERROR, violation: 'LOCAL', section })
  }
}

/** The error for a row of `VIOLATIONS`. Its message fits into a Close reason. */
export function violation(name: Violation, detail = ''): ProtocolError {
  const [closeCode, section, did] = VIOLATIONS[name]
  return new ProtocolError(`Peer ${did}${detail}`, { closeCode, violation: name, section })
}
