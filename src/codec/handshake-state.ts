/** States of an opening handshake, of either role, and every transition between them (RFC 6455 §4.1, §4.2.2). */
import { ConnectionState } from './connection-state.ts'

/** What can happen to an opening handshake. A peer that breaks the rules changes nothing: the answer is still due. */
export type HandshakeTrigger =
  /** The 101 was sent or received (RFC 6455 §4.2.2). */
  | 'accept'
  /** A refusal whose body is empty. */
  | 'reject'
  /** A refusal whose body follows. */
  | 'rejectWithBody'
  | 'bodyPart'
  | 'bodyEnd'

/** The states of `ConnectionState` that an opening handshake can be in. */
export type HandshakeState = 'CONNECTING' | 'OPEN' | 'REJECTING' | 'CLOSED'

const { OPEN, REJECTING, CLOSED } = ConnectionState

/** What is not in the table may not happen. */
export const HANDSHAKE_TRANSITIONS: Readonly<
  Record<HandshakeState, Readonly<Partial<Record<HandshakeTrigger, HandshakeState>>>>
> = {
  CONNECTING: { accept: OPEN, reject: CLOSED, rejectWithBody: REJECTING },
  OPEN: {},
  REJECTING: { bodyPart: REJECTING, bodyEnd: CLOSED },
  CLOSED: {},
}
