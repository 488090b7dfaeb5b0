/** What a caller gives, checked where it is given (RFC 6455 §10.4, §10.7). */
import type { Role } from './event.ts'

/**
 * A limit (RFC 6455 §10.4).
 *
 * @throws {RangeError} naming the option, for what is neither an integer from `least` on nor `Infinity`
 */
export function assertLimit(option: string, value: number, least: 0 | 1 = 1): void {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= least)) return
  throw new RangeError(`${option} must be ${least === 0 ? '0, ' : ''}a positive integer or Infinity, not ${value}`)
}

/** @throws {TypeError} for anything but the two roles: another would be half a client and half a server */
export function assertRole(role: Role): void {
  if (role !== 'client' && role !== 'server') throw new TypeError(`role must be 'client' or 'server', not ${role}`)
}

/**
 * What came from the transport. An ArrayBuffer would pass for no bytes at all: what a peer sent would be lost without a
 * word.
 *
 * @throws {TypeError}
 */
export function assertReceived(data: Uint8Array): void {
  if (!(data instanceof Uint8Array)) throw new TypeError(`Cannot receive ${typeof data}: not a Uint8Array or null`)
}
