/** Coming back after an end, whoever dials. */
import { HandshakeError } from '../codec/errors.ts'
import { objectFault } from '../connection/call-options.ts'
import type { Connection } from '../connection/connection.ts'
import { checkOptions, type Filled, type OptionTable } from '../connection/option-table.ts'
import { milliseconds } from '../connection/options.ts'

/** When to come back. */
export interface ReconnectDelays {
  /** Milliseconds before the first attempt after a failure, at most. @default 500 */
  minDelay?: number | undefined
  /** Milliseconds that a wait may grow to. @default 30_000 */
  maxDelay?: number | undefined
  /** Attempts in a row that may fail before the last error is thrown. @default Infinity */
  maxAttempts?: number | undefined
  /** Called before each wait: how long it will be, and what went wrong if the attempt failed. */
  onRetry?: ((retry: { readonly attempt: number; readonly delay: number; readonly error: unknown }) => void) | undefined
}

/** Unit, range and default of what `reconnect` adds to `connect`. */
export const RECONNECT_OPTIONS: OptionTable<ReconnectDelays> = {
  minDelay: {
    ...milliseconds,
    default: 500,
    doc: 'Most that the first wait is; for each one after it, twice as much.',
  },
  maxDelay: { ...milliseconds, default: 30_000, doc: 'Most that any wait is.' },
  maxAttempts: {
    kind: 'number',
    unit: 'attempts',
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    integer: true,
    unlimited: true,
    default: Number.POSITIVE_INFINITY,
    doc: 'Attempts in a row after which it gives up, when all have failed.',
  },
  onRetry: { kind: 'function', default: undefined, doc: 'Called before each wait.' },
}

/** Refusals that may be over after a while (RFC 9110 §15.5.9, §15.6; RFC 6585 §4, RFC 8470 §5.2). */
const TRANSIENT: readonly number[] = [0, 408, 425, 429, 500, 502, 503, 504]

/** A timer of more milliseconds fires at once. */
const LONGEST_WAIT = 2_147_483_647

/** How to dial. */
interface Dialler<Client> {
  /** What `connect` checks before it dials. @throws {TypeError | RangeError} naming the option */
  check(url: string | URL, options: Client): unknown
  connect(url: string | URL, options: Client): Promise<Connection>
}

/**
 * As `reconnect`, with a way to dial.
 *
 * @throws {TypeError | RangeError} at the call, naming the option that is wrong
 */
export function reconnectWith<Client extends { readonly signal?: AbortSignal | undefined }>(
  dialler: Dialler<Client>,
  url: string | URL,
  options: Client & ReconnectDelays,
): AsyncGenerator<Connection, void, void> {
  const wrong = objectFault('reconnect', options)
  if (wrong !== undefined) throw wrong
  const {
    minDelay = RECONNECT_OPTIONS.minDelay.default,
    maxDelay = RECONNECT_OPTIONS.maxDelay.default,
    maxAttempts = RECONNECT_OPTIONS.maxAttempts.default,
    onRetry,
    ...rest
  } = options
  const delays = { minDelay, maxDelay, maxAttempts, onRetry }
  checkOptions(RECONNECT_OPTIONS, delays)
  const client = rest as unknown as Client
  dialler.check(url, client)
  return connections(() => dialler.connect(url, client), client.signal, delays)
}

/** When to come back, with every default filled in. */
type Delays = Filled<Omit<ReconnectDelays, 'onRetry'>> & { readonly onRetry: ReconnectDelays['onRetry'] }

async function* connections(
  connect: () => Promise<Connection>,
  signal: AbortSignal | undefined,
  { minDelay, maxDelay, maxAttempts, onRetry }: Delays,
): AsyncGenerator<Connection, void, void> {
  let attempt = 0
  let failures = 0
  while (!signal?.aborted) {
    let error: unknown
    try {
      const ws = await connect()
      attempt = 0
      failures = 0
      if (signal?.aborted) {
        await ws.close()
        return
      }
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
    if (signal?.aborted) return
    attempt++
    const delay = Math.random() * Math.min(maxDelay, minDelay * 2 ** (attempt - 1), LONGEST_WAIT)
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
