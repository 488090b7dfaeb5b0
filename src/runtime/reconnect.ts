/** A client that comes back: one open connection after the other, with jittered backoff between them. */
import { HandshakeError } from '../codec/errors.ts'
import type { Connection } from '../connection/connection.ts'
import { connect } from './client.ts'
import type { ClientOptions } from './client-options.ts'

/** What `reconnect` takes besides what `connect` takes. `signal` ends it for good. */
export interface ReconnectOptions extends ClientOptions {
  /** Milliseconds before the first attempt after a failure, at most. @default 500 */
  minDelay?: number
  /** Milliseconds that a wait may grow to. @default 30_000 */
  maxDelay?: number
  /** Attempts in a row that may fail before the last error is thrown. @default Infinity */
  maxAttempts?: number
  /** Called before each wait: how long it will be, and what went wrong if the attempt failed. */
  onRetry?: (retry: { readonly attempt: number; readonly delay: number; readonly error: unknown }) => void
}

/** Refusals that may be over after a while (RFC 9110 §15.5.9, §15.6; RFC 6585 §4). */
const TRANSIENT: readonly number[] = [0, 408, 425, 429, 500, 502, 503, 504]

/**
 * Yields an open connection, and another one each time the loop's body has finished with the last.
 *
 *     for await (const ws of reconnect(url)) {
 *       for await (const message of ws) …
 *     }
 *
 * Nothing is sent again on a new connection: what the peer must know, the body says anew. Leaving the loop, or aborting
 * `signal`, ends it. After a connection that opened, the first wait is short again; each wait is random between 0 and
 * its bound, so that many clients do not come back at once.
 *
 * @throws {HandshakeError} for a refusal that waiting does not mend, such as 401, or after `maxAttempts`
 */
export async function* reconnect(
  url: string | URL,
  options: ReconnectOptions = {},
): AsyncGenerator<Connection, void, void> {
  const { minDelay = 500, maxDelay = 30_000, maxAttempts = Number.POSITIVE_INFINITY, onRetry, ...client } = options
  const { signal } = client
  let attempt = 0
  while (!signal?.aborted) {
    let error: unknown
    try {
      const ws = await connect(url, client)
      attempt = 0
      try {
        yield ws
      } finally {
        await ws.close()
      }
    } catch (failure) {
      if (signal?.aborted) return
      const transient = failure instanceof HandshakeError && TRANSIENT.includes(failure.status)
      if (!transient || attempt + 1 >= maxAttempts) throw failure
      error = failure
    }
    attempt++
    const delay = Math.random() * Math.min(maxDelay, minDelay * 2 ** (attempt - 1))
    onRetry?.({ attempt, delay, error })
    await sleep(delay, signal)
  }
}

/** Waits, or less when the signal aborts. */
function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal?.addEventListener('abort', done)
  })
}
