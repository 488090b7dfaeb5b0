/** What a Close frame may carry: its code, and a text that must fit into it. */
import { isWireCloseCode, MAX_CLOSE_REASON } from './close-code.ts'

const encoder = new TextEncoder()

/** Cuts a reason to the 123 bytes that a Close frame holds (RFC 6455 §5.5.1), between characters. */
export function fitReason(reason: string): string {
  const { read } = encoder.encodeInto(reason, new Uint8Array(MAX_CLOSE_REASON))
  return reason.slice(0, read)
}

/**
 * Refuses a reason that no Close can carry.
 *
 * @throws {TypeError} when it is not a string
 * @throws {RangeError} when it is longer than 123 bytes of UTF-8 (RFC 6455 §5.5.1)
 */
export function assertCloseReason(reason: string): void {
  if (typeof reason !== 'string') throw new TypeError(`Close reason must be a string, not ${typeof reason}`)
  // A code unit has three bytes at most.
  if (reason.length * 3 <= MAX_CLOSE_REASON) return
  const { length } = encoder.encode(reason)
  if (length > MAX_CLOSE_REASON) {
    throw new RangeError(`Cannot send a close reason of ${length} bytes: the limit is ${MAX_CLOSE_REASON}`)
  }
}

/**
 * Refuses what an application may not close with.
 *
 * @throws {TypeError} for a code that is not a number, or a reason that is not a string
 * @throws {RangeError} for a code that may not stand on the wire (RFC 6455 §7.4), or a reason over 123 bytes
 */
export function assertClose(code: number, reason: string): void {
  if (typeof code !== 'number') throw new TypeError(`Close code must be a number, not ${typeof code}`)
  if (!isWireCloseCode(code)) {
    throw new RangeError(`Cannot close with code ${code}: not 1000–1003, 1007–1014 or 3000–4999`)
  }
  assertCloseReason(reason)
}
