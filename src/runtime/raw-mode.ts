/** Which runtime's `node:http` this is, and where it differs from Node's. */
import type { Duplex } from 'node:stream'

/** As `Connection.mode`. */
export type RawMode = 'node' | 'bun' | 'deno'

/** The runtime that this process runs on. */
export const RAW_MODE: RawMode = 'Bun' in globalThis ? 'bun' : 'Deno' in globalThis ? 'deno' : 'node'

/** Whether `pause` stops a socket from reading. On Deno, TLS sockets go on. */
export function isPausable(socket: Duplex): boolean {
  return RAW_MODE !== 'deno' || !isEncrypted(socket)
}

/** Whether the socket is TLS; on Bun it has this property without being a `TLSSocket`. */
export function isEncrypted(socket: Duplex): boolean {
  return 'encrypted' in socket && socket.encrypted === true
}
