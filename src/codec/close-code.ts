/** Close codes (RFC 6455 §7.4.1 and the IANA registry it opens in §11.7). */
export const CloseCode = {
  /** The purpose of the connection has been fulfilled. */
  NORMAL_CLOSURE: 1000,
  /** The server goes down, or the browser leaves the page. */
  GOING_AWAY: 1001,
  /** The peer broke the protocol. */
  PROTOCOL_ERROR: 1002,
  /** The peer sent a type of data that cannot be accepted. */
  UNSUPPORTED_DATA: 1003,
  // 1004 is reserved; its meaning may be defined in the future.
  /** Local only: the Close frame carried no code. Never on the wire. */
  NO_STATUS_RCVD: 1005,
  /** Local only: the connection ended without a Close frame. Never on the wire. */
  ABNORMAL_CLOSURE: 1006,
  /** Data did not fit the type of the message, such as text that is not UTF-8. */
  INVALID_FRAME_PAYLOAD_DATA: 1007,
  /** The message violates a policy; the generic code. */
  POLICY_VIOLATION: 1008,
  /** The message is too big to process. */
  MESSAGE_TOO_BIG: 1009,
  /** The client wanted an extension that the server did not negotiate. */
  MANDATORY_EXT: 1010,
  /** The server met an unexpected condition. */
  INTERNAL_ERROR: 1011,
  /** IANA: the service restarts; reconnect after a random delay. */
  SERVICE_RESTART: 1012,
  /** IANA: the service is overloaded; try again later. */
  TRY_AGAIN_LATER: 1013,
  /** IANA: a gateway got an invalid response from upstream. */
  BAD_GATEWAY: 1014,
  /** Local only: the TLS handshake failed. Never on the wire. */
  TLS_HANDSHAKE_FAILED: 1015,
} as const

export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/** The codes of an orderly end (§7.4.1), on which iteration over messages ends without an error. */
export const QUIET_CLOSE_CODES: readonly number[] = [
  CloseCode.NORMAL_CLOSURE,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RCVD,
]

/** §5.5: a control frame carries at most 125 bytes. */
export const MAX_CONTROL_PAYLOAD = 125

/** §5.5.1: what the two bytes of the code leave for the reason, in bytes of UTF-8. */
export const MAX_CLOSE_REASON: number = MAX_CONTROL_PAYLOAD - 2

/**
 * Whether a code may stand in a Close frame, sent or received.
 *
 * §7.4.1 keeps 1004, 1005, 1006 and 1015 off the wire; §7.4.2 leaves 1016–2999 to future revisions, 3000–3999 to
 * registered libraries, 4000–4999 to applications, and everything else unused.
 */
export function isWireCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false
  if (code >= 3000) return code <= 4999
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
}
