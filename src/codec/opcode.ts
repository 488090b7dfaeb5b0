/** Frame opcodes (RFC 6455 §5.2, §11.8). 3–7 and 0xB–0xF are reserved and fail the connection. */
export const Opcode = {
  /** §5.4: a further fragment of the message that is open. */
  CONTINUATION: 0x0,
  /** §5.6: a message, or its first fragment, that is UTF-8 text. */
  TEXT: 0x1,
  /** §5.6: a message, or its first fragment, that is bytes. */
  BINARY: 0x2,
  /** §5.5.1 */
  CLOSE: 0x8,
  /** §5.5.2 */
  PING: 0x9,
  /** §5.5.3 */
  PONG: 0xa,
} as const

export type Opcode = (typeof Opcode)[keyof typeof Opcode]

/** §5.5: control frames are those whose opcode has its most significant bit set. */
export function isControl(opcode: number): boolean {
  return (opcode & 0x8) !== 0
}
