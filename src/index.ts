/**
 * `fetch-sock`: WebSocket routes as straight-line code, on Hono.
 *
 * Nothing here needs a runtime's own modules: servers and clients are `fetch-sock/server` and `fetch-sock/client`.
 */
export { CloseCode } from './codec/close-code.ts'
export {
  type CloseInfo,
  ConnectionClosed,
  HandshakeError,
  type Initiator,
  LocalProtocolError,
  ProtocolError,
  WebSocketError,
} from './codec/errors.ts'
export {
  type Capabilities,
  type Connection,
  ReadyState,
  type Received,
  type ReceiveOptions,
  type Sendable,
  type SendableParts,
  type SendMessageOptions,
} from './connection/connection.ts'
export type { DrainOptions, DrainReport } from './connection/live-connections.ts'
export type { ConnectionOptions, DeflateOptions, SendPolicy } from './connection/options.ts'
export { acceptWebSocket, type HostWebSocket } from './runtime/accept-websocket.ts'
export type { Callback, PerConnection, SubprotocolChooser } from './sock/callback.ts'
export type { UpgradeMiddleware } from './sock/hono-overloads.ts'
export { jsonCodec, type MessageCodec } from './sock/message-codec.ts'
export type { OriginPolicy } from './sock/origin.ts'
export type {
  CloseReason,
  Handler,
  Incoming,
  MaybeSchema,
  Outgoing,
  RouteConnection,
  RouteOptions,
  SockOptions,
} from './sock/route-options.ts'
export { type MountOptions, Sock } from './sock/sock.ts'
export type { InferInput, InferOutput, StandardIssue, StandardResult, StandardSchema } from './sock/standard-schema.ts'
export { upgrade } from './sock/upgrade.ts'
export type { Broker, Published, Subscriber } from './topic/broker.ts'
export type { PublishReport, TopicConnection } from './topic/members.ts'
export { type Publishable, type PublishOptions, type Topic, Topics, type TopicsOptions } from './topic/topics.ts'
