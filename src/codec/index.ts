/**
 * `fetch-sock/codec`: RFC 6455 and RFC 7692 without I/O, for both roles.
 *
 * `WSConnection` is a whole connection; `ServerHandshake`, `ClientHandshake` and `Protocol` are its parts, for requests
 * that were parsed elsewhere and for transports with a handshake of their own, such as HTTP/2 (RFC 8441).
 */
export { type Acceptance101, type Agreement, acceptHeaders, agreementHeaders } from './accept-headers.ts'
export { acceptKey } from './accept-key.ts'
export { ClientHandshake, type ClientHandshakeOptions } from './client-handshake.ts'
export { CloseCode, isWireCloseCode, MAX_CLOSE_REASON, MAX_CONTROL_PAYLOAD } from './close-code.ts'
export { ConnectionState, type FramingState, TRANSITIONS, type Transition, type Trigger } from './connection-state.ts'
export type { DeflateOptions } from './deflate-parameters.ts'
export {
  type CloseInfo,
  ConnectionClosed,
  HandshakeError,
  type Initiator,
  LocalProtocolError,
  ProtocolError,
  VIOLATIONS,
  type Violation,
  WebSocketError,
} from './errors.ts'
export {
  type AcceptConnection,
  type BytesMessage,
  type CloseConnection,
  type Event,
  type HandshakeEvent,
  type Message,
  type OutgoingEvent,
  type OutgoingHandshakeEvent,
  type OutgoingProtocolEvent,
  type Ping,
  type Pong,
  type ProtocolEvent,
  type RejectConnection,
  type RejectData,
  type Request,
  type Role,
  response,
  type SendOptions,
  type TextMessage,
} from './event.ts'
export { checkExtendedConnect, connectHeaders, type ExtendedConnect } from './extended-connect.ts'
export { type Extension, type FrameHeader, type OutboundFragment, Rsv } from './extension.ts'
export {
  type AcceptedExtensions,
  clientExtensionsHandshake,
  SUPPORTED_EXTENSIONS,
  serverExtensionsHandshake,
} from './extension-negotiation.ts'
export type { FrameEncoder } from './frame-encoder.ts'
export { HANDSHAKE_TRANSITIONS, type HandshakeState, type HandshakeTrigger } from './handshake-state.ts'
export {
  assertHeader,
  type ExtensionOffer,
  type ExtensionParameters,
  formatExtension,
  type HeaderList,
  type HeaderSource,
  hasToken,
  headerValues,
  isReservedHeader,
  isToken,
  parseExtensions,
  parseTokenList,
} from './header.ts'
export { MessageAssembler } from './message-assembler.ts'
export { isControl, Opcode } from './opcode.ts'
export { PerMessageDeflate } from './permessage-deflate.ts'
export { Protocol, type ProtocolOptions } from './protocol.ts'
export { ServerHandshake, type ServerHandshakeOptions } from './server-handshake.ts'
export { checkUpgradeRequest, isWebSocketUpgrade, type ParsedRequest, type UpgradeRequest } from './upgrade-request.ts'
export { WSConnection, type WSConnectionOptions } from './ws-connection.ts'
