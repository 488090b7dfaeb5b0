/** Which runtime's `node:http` this is, and where it differs from Node's. */
import type { Duplex } from 'node:stream'

/** As `Connection.mode`. */
export type RawMode = 'node' | 'bun' | 'deno'

/** The runtime that this process runs on. */
export const RAW_MODE: RawMode = 'Bun' in globalThis ? 'bun' : 'Deno' in globalThis ? 'deno' : 'node'

/** The first versions whose `node:http` gives upgraded sockets that work. */
const FIRST: Readonly<Record<RawMode, readonly [major: number, minor: number]>> = {
  node: [20, 0],
  bun: [1, 4],
  deno: [2, 8],
}

/**
 * Refuses a runtime on which an upgraded socket would take bytes and send none.
 *
 * @throws {Error} naming the version that is needed
 */
export function assertSupported(mode: RawMode = RAW_MODE, version: string = process.versions[mode] ?? ''): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [firstMajor, firstMinor] = FIRST[mode]
  if (major > firstMajor || (major === firstMajor && minor >= firstMinor)) return
  throw new Error(`fetch-sock/server needs ${mode} ${firstMajor}.${firstMinor} or later; this is ${version}`)
}

/** Whether `pause` stops a socket from reading. On Deno, TLS sockets go on. */
export function isPausable(socket: Duplex): boolean {
  return RAW_MODE !== 'deno' || !isEncrypted(socket)
}

/** Whether the socket is TLS; on Bun it has this property without being a `TLSSocket`. */
export function isEncrypted(socket: Duplex): boolean {
  return 'encrypted' in socket && socket.encrypted === true
}

/** Drops a socket with what is unsent. */
export function destroy(socket: Duplex): void {
  // A TLS socket on Bun that has just failed to send all stays open until the peer goes, if destroyed before the event
  // loop has gone round once: the second of two immediates comes after that, and a timer may come before.
  if (RAW_MODE === 'bun' && isEncrypted(socket) && socket.writableLength > 0) {
    setImmediate(() => setImmediate(() => socket.destroy()))
  } else {
    socket.destroy()
  }
}
