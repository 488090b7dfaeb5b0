/** The host port: a runtime that frames WebSockets itself, from a request that the application has let through. */
import type { Clock } from '../connection/clock.ts'
import type { Capabilities } from '../connection/connection.ts'
import { HostedConnection } from '../connection/hosted.ts'
import type { HostedSocket } from '../connection/hosted-socket.ts'
import type { RequestFacts } from './deferred-request.ts'
import type { Acceptance } from './upgrader.ts'

/** One handshake whose 101 has come out of the application. */
export interface HostedUpgrade {
  /** As the host gave it. */
  readonly hostRequest: Request
  /** What the application holds: readable for the whole connection. */
  readonly request: Request
  /** The 101 that came out of the application. */
  readonly response: Response
  readonly acceptance: Acceptance
  /** What came beside the request. */
  readonly env: unknown
  /** Called with the connection when it is open, or with `null` when it will not be. */
  opened(connection: HostedConnection | null): void
}

/** What stays readable after the upgrade. */
export interface Detached {
  readonly request: Request
  readonly env: unknown
}

/** A runtime that frames for us. */
export interface Host {
  /** As `Connection.mode`. */
  readonly mode: string
  readonly capabilities: Capabilities
  readonly clock: Clock
  /** Whether the host created this request; needed where its upgrade takes any request. */
  serves?(request: Request): boolean
  /** Options that have no effect here, by name. */
  readonly unsupported: readonly string[]
  /**
   * What the application gets when the host's own is not readable after the upgrade.
   *
   * @param handshake whose signal aborts when there will be no connection, or it has ended
   */
  detach?(request: Request, env: unknown, handshake: RequestFacts['handshake']): Detached
  /** The 101 that travels through the middleware. */
  announce(): Response
  /**
   * Upgrades. Called last, when nothing can change the answer any more.
   *
   * @returns what the host wants to be given back
   * @throws when the host cannot upgrade this request
   */
  upgrade(upgrade: HostedUpgrade): Response
}

/** The connection over a socket of a host. */
export function openHosted(
  host: Host,
  socket: HostedSocket,
  { request, acceptance }: Pick<HostedUpgrade, 'request' | 'acceptance'>,
): HostedConnection {
  return new HostedConnection({
    socket,
    clock: host.clock,
    options: acceptance.options,
    subprotocol: acceptance.subprotocol ?? '',
    extensions: '',
    url: request.url,
    request,
    mode: host.mode,
    capabilities: host.capabilities,
  })
}
