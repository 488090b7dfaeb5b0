/** What may be sent, brought into the two forms that a frame has (RFC 6455 §5.6). */
import { MAX_CONTROL_PAYLOAD } from '../codec/close-code.ts'

/** Bytes of a view or buffer over the same memory, or `undefined` for anything else. */
export function asBytes(data: unknown): Uint8Array | undefined {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (typeof SharedArrayBuffer !== 'undefined' && data instanceof SharedArrayBuffer) return new Uint8Array(data)
  return undefined
}

/** Text, bytes, or a Blob whose bytes are still to be read; `undefined` for what cannot be sent. */
export function asPayload(data: unknown): string | Uint8Array | Blob | undefined {
  if (typeof data === 'string') return data
  return asBytes(data) ?? (data instanceof Blob ? data : undefined)
}

/** The error for what cannot be sent. */
export function notSendable(data: unknown): TypeError {
  const hint = data !== null && typeof data === 'object' ? ' (sendJson sends a value as JSON)' : ''
  return new TypeError(
    `Cannot send ${nameOf(data)}: expected a string, an ArrayBuffer, a view of one, or a Blob${hint}`,
  )
}

/**
 * The payload of a Ping (RFC 6455 §5.5).
 *
 * @throws {TypeError} for anything but text and bytes
 * @throws {RangeError} for more than 125 bytes
 */
export function asPingPayload(payload: string | Uint8Array): Uint8Array {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : asBytes(payload)
  if (bytes === undefined) throw new TypeError(`Cannot ping with ${nameOf(payload)}: expected a string or a Uint8Array`)
  if (bytes.length <= MAX_CONTROL_PAYLOAD) return bytes
  throw new RangeError(`Cannot ping with ${bytes.length} bytes: the limit is ${MAX_CONTROL_PAYLOAD}`)
}

function nameOf(data: unknown): string {
  return data === null ? 'null' : typeof data === 'object' ? (data.constructor?.name ?? 'object') : typeof data
}
