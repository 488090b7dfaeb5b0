/** A text that must fit into a Close frame. */
import { MAX_CLOSE_REASON } from './close-code.ts'

const encoder = new TextEncoder()

/** Cuts a reason to the 123 bytes that a Close frame holds (RFC 6455 §5.5.1), between characters. */
export function fitReason(reason: string): string {
  const { read } = encoder.encodeInto(reason, new Uint8Array(MAX_CLOSE_REASON))
  return reason.slice(0, read)
}
