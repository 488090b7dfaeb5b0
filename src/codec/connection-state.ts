/**
 * States of a connection and every transition between them (RFC 6455 §4, §5.5.1 and §7.1).
 *
 * Rule: the state is stored in one field and changes only through the table below. Nothing infers it from other fields.
 */

export const ConnectionState = {
  /** The opening handshake has not finished (RFC 6455 §4). */
  CONNECTING: 'CONNECTING',
  /** Messages flow both ways. */
  OPEN: 'OPEN',
  /** The peer has sent its Close; ours is due (§5.5.1). */
  REMOTE_CLOSING: 'REMOTE_CLOSING',
  /** We have sent our Close; the peer's is due, and until then its messages still arrive. */
  LOCAL_CLOSING: 'LOCAL_CLOSING',
  /** The peer broke the protocol (§7.1.7): all input is dropped, and only a Close that says why may still be sent. */
  FAILED: 'FAILED',
  /** Nothing more may be sent, and nothing is read. */
  CLOSED: 'CLOSED',
  /** A refusal with a body is under way (§4.2.2). */
  REJECTING: 'REJECTING',
} as const

export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState]

/** What can happen to an open protocol. */
export type Trigger =
  | 'sendMessage'
  | 'sendPing'
  | 'sendPong'
  | 'sendClose'
  | 'receiveClose'
  /** The transport ended, in order or not. */
  | 'transportEnd'
  /** The peer committed a violation. */
  | 'fail'

/** Outcome of a trigger: the next state, `ignore` for no effect, or `forbid` for a `LocalProtocolError`. */
export type Transition = ConnectionState | 'ignore' | 'forbid'

const { OPEN, REMOTE_CLOSING, LOCAL_CLOSING, FAILED, CLOSED } = ConnectionState

/** The states after the opening handshake. */
export type FramingState = Exclude<ConnectionState, 'CONNECTING' | 'REJECTING'>

/**
 * The closing handshake (§5.5.1, §7.1). A Pong that comes due while we close has no reader left, so it is ignored and
 * not an error; a Ping or a message that the application sends then is one.
 */
export const TRANSITIONS: Readonly<Record<FramingState, Readonly<Record<Trigger, Transition>>>> = {
  OPEN: {
    sendMessage: OPEN,
    sendPing: OPEN,
    sendPong: OPEN,
    sendClose: LOCAL_CLOSING,
    receiveClose: REMOTE_CLOSING,
    transportEnd: CLOSED,
    fail: FAILED,
  },
  REMOTE_CLOSING: {
    sendMessage: 'forbid',
    sendPing: 'forbid',
    sendPong: 'ignore',
    sendClose: CLOSED,
    receiveClose: 'ignore',
    transportEnd: CLOSED,
    fail: 'ignore',
  },
  LOCAL_CLOSING: {
    sendMessage: 'forbid',
    sendPing: 'forbid',
    sendPong: 'ignore',
    sendClose: 'forbid',
    receiveClose: CLOSED,
    transportEnd: CLOSED,
    // Our Close is on its way already; a second one may not follow it.
    fail: CLOSED,
  },
  FAILED: {
    sendMessage: 'forbid',
    sendPing: 'forbid',
    sendPong: 'ignore',
    sendClose: CLOSED,
    receiveClose: 'ignore',
    transportEnd: CLOSED,
    fail: 'ignore',
  },
  CLOSED: {
    sendMessage: 'forbid',
    sendPing: 'forbid',
    sendPong: 'ignore',
    sendClose: 'forbid',
    receiveClose: 'ignore',
    transportEnd: 'ignore',
    fail: 'ignore',
  },
}
