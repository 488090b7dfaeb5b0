/**
 * Who waits for a socket to close, with one listener for all of them: a second one makes a list, which an idle
 * connection keeps (`bun run bench memory`).
 */
import type { Duplex } from 'node:stream'

/** Where a socket keeps the last who came. */
const WATCHER: unique symbol = Symbol('fetch-sock.watcher')

type Carrier = Duplex & { [WATCHER]: CloseWatcher | undefined }

/** Hears of the `close` of one socket. */
export interface CloseWatcher {
  /** Who waits for the same socket and came before; set by `watchClose`. */
  earlier: CloseWatcher | undefined
  /** @param hadError as the event has it; not every socket says */
  onSocketClose(hadError: boolean | undefined): void
}

/** Has a watcher called when the socket closes, before those who came earlier. */
export function watchClose(socket: Duplex, watcher: CloseWatcher): void {
  const carrier = socket as Carrier
  watcher.earlier = carrier[WATCHER]
  carrier[WATCHER] = watcher
  if (watcher.earlier === undefined) socket.on('close', tell)
}

function tell(this: Carrier, hadError?: boolean): void {
  for (let at = this[WATCHER]; at !== undefined; at = at.earlier) at.onSocketClose(hadError)
}
