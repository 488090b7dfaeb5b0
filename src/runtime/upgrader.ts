/**
 * The upgrader port: how a request becomes a connection on one runtime.
 *
 * A raw server puts an `Upgrader` for the request into `env` under `UPGRADER`; on a hosted runtime
 * `hosted-upgrader.ts` finds one. `new Response(null, { status: 101 })` cannot be built everywhere, and middleware may
 * rebuild a response, so the intent to upgrade lives in the upgrader and never in the identity of a `Response`.
 */
import type { HeaderList } from '../codec/header.ts'
import type { UpgradeRequest } from '../codec/upgrade-request.ts'
import type { Capabilities, Connection } from '../connection/connection.ts'
import type { Stay } from '../connection/live-connections.ts'
import type { ResolvedConnectionOptions } from '../connection/options.ts'

/** Key under which a raw server leaves the request's upgrader in Hono's `env`. */
export const UPGRADER: unique symbol = Symbol.for('fetch-sock.upgrader') as never

/** What admission decided. */
export interface Acceptance {
  /** What the client asked for, checked. */
  readonly asked: UpgradeRequest
  /** The subprotocol chosen, one that the client offered, or `undefined` for none. */
  readonly subprotocol: string | undefined
  readonly options: ResolvedConnectionOptions
}

/** An upgrade under way. */
export interface Upgrade {
  /**
   * What to hand back through the middleware: status 101. The upgrade happens when the response that comes out of the
   * application still has status 101; any other is sent in its place.
   */
  readonly response: Response
  /** The open connection, or `null` when the request never became one: refused later, or the peer left. */
  readonly opened: Promise<Connection | null>
  /**
   * On a server that drains by itself: what its drain waits for. Whoever called `upgrade` lets it `leave` when the
   * connection and its handler have ended.
   */
  readonly stay?: Stay
  /**
   * On a host that ends with its last response: keeps it until this has settled. Whoever called `upgrade` says so when
   * the handler has started.
   */
  keep?(handled: Promise<void>): void
}

/** Makes a response without a body, with the headers that the application has set so far. */
export type Prepare = (status: 101) => Response

/** Turns one request into a connection. */
export interface Upgrader {
  /** As `Connection.mode`. */
  readonly mode: string
  readonly capabilities: Capabilities
  /** The request's headers as they were on the wire, where a server shows them: `Headers` joins lines. */
  readonly headers?: HeaderList | undefined
  /**
   * Takes the request. Called once per request, after every check has passed.
   *
   * @param prepare makes the response; a host gives a bare one, and so does any upgrader without this
   */
  upgrade(request: Request, acceptance: Acceptance, prepare?: Prepare): Upgrade
}
