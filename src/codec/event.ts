/**
 * Everything that can happen on a connection, received or sent (RFC 6455 §4 and §5).
 *
 * One shape serves both directions and both roles. Fields with a default may be left out of an event that is sent.
 */
import type { Extension } from './extension.ts'
import type { HeaderList } from './header.ts'

/** Which side of the connection this is (RFC 6455 §1.3). */
export type Role = 'client' | 'server'

/** The client's opening handshake (§4.1). */
export interface Request {
  readonly type: 'Request'
  /** Host and port as in the `Host` header. */
  readonly host: string
  /** Request target: path and query. */
  readonly target: string
  /** Offers: extensions when sent, the offers as strings, in the client's order, when received. */
  readonly extensions: readonly (Extension | string)[]
  /** Every other header; received names are lower case. */
  readonly extraHeaders: HeaderList
  /** In the client's order of preference. */
  readonly subprotocols: readonly string[]
}

/** The server's 101 (§4.2.2). */
export interface AcceptConnection {
  readonly type: 'AcceptConnection'
  readonly subprotocol: string | null
  /** Those the server supports when sent; those agreed on when received. */
  readonly extensions: readonly Extension[]
  readonly extraHeaders: HeaderList
}

/** Any answer but a 101 (§4.2.2). */
export interface RejectConnection {
  readonly type: 'RejectConnection'
  /** HTTP status. @default 400 */
  readonly statusCode: number
  readonly headers: HeaderList
  /** Whether `RejectData` follows. @default false */
  readonly hasBody: boolean
}

/** A piece of the body of a refusal. */
export interface RejectData {
  readonly type: 'RejectData'
  readonly data: Uint8Array
  /** @default true */
  readonly bodyFinished: boolean
}

/** Text, or the next part of it (§5.6). */
export interface TextMessage {
  readonly type: 'TextMessage'
  readonly data: string
  /** Whether the frame on the wire ended with this part; ignored when sent. @default true */
  readonly frameFinished: boolean
  /** Whether the message ended with this part. @default true */
  readonly messageFinished: boolean
}

/** Bytes, or the next part of them (§5.6). A received message of one part owns its whole buffer. */
export interface BytesMessage {
  readonly type: 'BytesMessage'
  readonly data: Uint8Array
  readonly frameFinished: boolean
  readonly messageFinished: boolean
}

/** §5.5.2 */
export interface Ping {
  readonly type: 'Ping'
  /** At most 125 bytes. */
  readonly payload: Uint8Array
}

/** §5.5.3 */
export interface Pong {
  readonly type: 'Pong'
  readonly payload: Uint8Array
}

/** §5.5.1. Received with code 1005 when the frame had no payload, 1006 when the transport ended without one. */
export interface CloseConnection {
  readonly type: 'CloseConnection'
  readonly code: number
  readonly reason: string
}

/** What belongs to the opening handshake. */
export type HandshakeEvent = Request | AcceptConnection | RejectConnection | RejectData
/** A message, or the next part of one. */
export type Message = TextMessage | BytesMessage
/** What is received once the connection is open. */
export type ProtocolEvent = Message | Ping | Pong | CloseConnection
/** Every event that is received. */
export type Event = HandshakeEvent | ProtocolEvent

type Defaulted<E, K extends keyof E> = Omit<E, K> & Partial<Pick<E, K>>

/** A `TextMessage` or `BytesMessage` as it is sent, with a choice of compression per message. */
export interface SendOptions {
  /** Whether this message may be compressed, when an extension was negotiated. @default the extension's threshold */
  readonly compress?: boolean
}

/** What `send` of a handshake takes. */
export type OutgoingHandshakeEvent =
  | Defaulted<Request, 'extensions' | 'extraHeaders' | 'subprotocols'>
  | Defaulted<AcceptConnection, 'subprotocol' | 'extensions' | 'extraHeaders'>
  | Defaulted<RejectConnection, 'statusCode' | 'headers' | 'hasBody'>
  | Defaulted<RejectData, 'bodyFinished'>

/** What `send` of an open protocol takes. */
export type OutgoingProtocolEvent =
  | (Defaulted<TextMessage, 'frameFinished' | 'messageFinished'> & SendOptions)
  | (Defaulted<BytesMessage, 'frameFinished' | 'messageFinished'> & SendOptions)
  | Defaulted<Ping, 'payload'>
  | Defaulted<Pong, 'payload'>
  | Defaulted<CloseConnection, 'code' | 'reason'>

/** Every event that is sent. */
export type OutgoingEvent = OutgoingHandshakeEvent | OutgoingProtocolEvent

/** The Pong that a Ping demands (§5.5.2), or the Close that a Close demands (§5.5.1). */
export function response(event: Ping): Pong
export function response(event: CloseConnection): CloseConnection
export function response(event: Ping | CloseConnection): Pong | CloseConnection {
  return event.type === 'Ping' ? { type: 'Pong', payload: event.payload } : event
}
