import * as crypto from 'node:crypto'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** In one call, where the runtime has it: an object for one digest costs more than the digest. */
const hash: typeof crypto.hash | undefined = crypto.hash

/** `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  const text = key + GUID
  return hash === undefined ? crypto.createHash('sha1').update(text).digest('base64') : hash('sha1', text, 'base64')
}
