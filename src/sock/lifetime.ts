/** The life of one handler: start it, wait, turn its outcome into a Close, tell who wants to know. */
import type { Context } from 'hono'
import { CloseCode, isWireCloseCode } from '../codec/close-code.ts'
import { fitReason } from '../codec/close-reason.ts'
import { ConnectionClosed } from '../codec/errors.ts'
import type { Connection } from '../connection/connection.ts'
import type { LiveConnections } from '../connection/live-connections.ts'
import type { Places } from './admission.ts'
import type { CloseReason, Handler, RouteOptions } from './route-options.ts'
import { typedConnection } from './typed.ts'

/** Where a connection counts for as long as it is open. */
export interface Presence {
  readonly places: Places
  readonly live: LiveConnections
}

/**
 * Waits for the connection and runs its handler, to the end of both.
 *
 * Returning closes with 1000, and so does the `ConnectionClosed` of this very connection. Whatever else is thrown goes
 * to `onError` once and closes with 1011, or with what `errorToClose` says. The places are free again when the connection
 * has ended or never was, however long the handler goes on.
 *
 * One function, since its frame stays for the whole connection.
 *
 * @returns resolves, and never rejects, when the handler and the closing handshake are over
 */
export async function runHandler(
  opened: Promise<Connection | null>,
  c: Context,
  options: RouteOptions,
  handler: Handler,
  { places, live }: Presence,
): Promise<void> {
  let raw: Connection | null = null
  try {
    raw = await opened
    if (raw === null) return places.release()
    if (places.taken) void raw.closed.then(() => places.release())
    live.enter(raw)
    const ws = typedConnection(raw, options, c)
    const ended = options.onClose && whenEnded(raw, ws, c, options)
    try {
      await handler(ws, c)
      await raw.close(CloseCode.NORMAL_CLOSURE)
    } catch (error) {
      if (isOwnEnd(error, raw, ws)) await raw.close(CloseCode.NORMAL_CLOSURE)
      else await closeBecause(error, raw, ws, c, options)
    }
    await ended
  } catch (error) {
    places.release()
    report(error, c)
  } finally {
    if (raw !== null) live.leave(raw)
  }
}

/** Tells the application about the end, once it has come. */
async function whenEnded(raw: Connection, ws: Connection, c: Context, options: RouteOptions): Promise<void> {
  const info = await raw.closed
  await attempt(c, () => options.onClose?.(info, c, ws))
}

async function closeBecause(
  error: unknown,
  raw: Connection,
  ws: Connection,
  c: Context,
  options: RouteOptions,
): Promise<void> {
  // What onError sends at once still goes before the Close; it is not waited for, so that it cannot hold the peer.
  const told = tell(error, c, ws, options)
  const { code, reason } = closeFor(error, c, options)
  await raw.close(code, reason)
  await told
}

function isOwnEnd(error: unknown, raw: Connection, ws: Connection): boolean {
  return error instanceof ConnectionClosed && (error.connection === raw || error.connection === ws)
}

/** Reports an error that has nowhere else to go: one line and the stack. */
export function report(error: unknown, c: Context): void {
  console.error(`fetch-sock: error in the handler of ${c.req.path}:`, error)
}

/** Runs a callback of the application; an error in it is reported and goes no further. */
async function attempt(c: Context, callback: () => unknown): Promise<void> {
  try {
    await callback()
  } catch (error) {
    report(error, c)
  }
}

async function tell(error: unknown, c: Context, ws: Connection, options: RouteOptions): Promise<void> {
  if (options.onError === undefined) report(error, c)
  else await attempt(c, () => options.onError?.(error, c, ws))
}

function closeFor(error: unknown, c: Context, options: RouteOptions): Required<CloseReason> {
  try {
    const chosen = options.errorToClose?.(error)
    if (chosen !== undefined) {
      if (!isWireCloseCode(chosen.code)) throw new RangeError(`errorToClose gave ${chosen.code}, which may not be sent`)
      return { code: chosen.code, reason: fitReason(chosen.reason ?? '') }
    }
  } catch (failure) {
    report(failure, c)
  }
  return { code: CloseCode.INTERNAL_ERROR, reason: '' }
}
