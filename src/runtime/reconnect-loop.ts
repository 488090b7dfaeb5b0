/** Coming back after an end, whoever dials. */
import { HandshakeError } from '../codec/errors.ts'
import type { Connection } from '../connection/connection.ts'
import { checkDuration } from './websocket-url.ts'

/** When to come back. */
export interface ReconnectDelays {
  /** Milliseconds before the first attempt after a failure, at most. @default 500 */
  minDelay?: number
  /** Milliseconds that a wait may grow to. @default 30_000 */
  maxDelay?: number
  /** Attempts in a row that may fail before the last error is thrown. @default Infinity */
  maxAttempts?: number
  /** Called before each wait: how long it will be, and what went wrong if the attempt failed. */
  onRetry?: (retry: { readonly attempt: number; readonly delay: number; readonly error: unknown }) => void
}

/** Refusals that may be over after a while (RFC 9110 §15.5.9, §15.6; RFC 6585 §4, RFC 8470 §5.2). */
const TRANSIENT: readonly number[] = [0, 408, 425, 429, 500, 502, 503, 504]

/** As `reconnect`, with a way to dial. */
export async function* reconnectWith<Client extends { readonly signal?: AbortSignal }>(
  connect: (url: string | URL, options: Client) => Promise<Connection>,
  url: string | URL,
  options: Client & ReconnectDelays,
): AsyncGenerator<Connection, void, void> {
  const { minDelay = 500, maxDelay = 30_000, maxAttempts = Number.POSITIVE_INFINITY, onRetry, ...rest } = options
  checkDuration('minDelay', minDelay)
  checkDuration('maxDelay', maxDelay)
  if (typeof maxAttempts !== 'number') throw new TypeError(`maxAttempts: expected a number, got ${typeof maxAttempts}`)
  if (!(maxAttempts >= 1)) throw new RangeError(`maxAttempts: expected 1 or more, got ${maxAttempts}`)
  const client = rest as unknown as Client
  const { signal } = client
  let attempt = 0
  let failures = 0
  while (!signal?.aborted) {
    let error: unknown
    try {
      const ws = await connect(url, client)
      attempt = 0
      failures = 0
      const close = (): void => void ws.close()
      signal?.addEventListener('abort', close)
      try {
        yield ws
      } finally {
        signal?.removeEventListener('abort', close)
        await ws.close()
      }
    } catch (failure) {
      if (signal?.aborted) return
      const transient = failure instanceof HandshakeError && TRANSIENT.includes(failure.status)
      if (!transient || ++failures >= maxAttempts) throw failure
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
  if (signal?.aborted) return Promise.resolve()
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
