/** What may be sent, brought into the two forms that a frame has (RFC 6455 §5.6). */

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
  const what = data === null ? 'null' : typeof data === 'object' ? (data.constructor?.name ?? 'object') : typeof data
  return new TypeError(`Cannot send ${what}: expected a string, an ArrayBuffer, a view of one, or a Blob`)
}
