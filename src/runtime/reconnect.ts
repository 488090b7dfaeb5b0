/** A client that comes back: one open connection after the other, with jittered backoff between them. */
import type { Connection } from '../connection/connection.ts'
import { connect } from './client.ts'
import { type ClientOptions, planDial } from './client-options.ts'
import { type ReconnectDelays, reconnectWith } from './reconnect-loop.ts'

/** What `reconnect` takes besides what `connect` takes. `signal` ends it for good. */
export interface ReconnectOptions extends ClientOptions, ReconnectDelays {}

/**
 * Yields an open connection, and another one each time the loop's body has finished with the last.
 *
 *     for await (const ws of reconnect(url)) {
 *       try {
 *         for await (const message of ws) …
 *       } catch (error) {
 *         if (!(error instanceof ConnectionClosed)) throw error
 *       }
 *     }
 *
 * A connection that is lost ends the inner loop with `ConnectionClosed`; when that is caught, the next one follows.
 * Nothing is sent again on a new connection: what the peer must know, the body says anew. Leaving the loop, or aborting
 * `signal`, ends it. After a connection that opened, the first wait is short again; each wait is random between 0 and
 * its bound, so that many clients do not come back at once.
 *
 * @throws {TypeError | RangeError} at the call, for a wrong URL or option
 * @throws {HandshakeError} for a refusal that waiting does not mend, such as 401, or after `maxAttempts`
 */
export function reconnect(url: string | URL, options: ReconnectOptions = {}): AsyncGenerator<Connection, void, void> {
  return reconnectWith({ check: planDial, connect }, url, options)
}
