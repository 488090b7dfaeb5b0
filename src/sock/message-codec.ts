/** How the values of a route with schemas become messages, and back. */
import type { Received, Sendable } from '../connection/connection.ts'

/** Both ways between a value and the message that carries it. */
export interface MessageCodec {
  /** The message for a value that has passed the `send` schema. */
  encode(value: unknown): Sendable
  /**
   * The value in a message, before the `receive` schema has seen it.
   *
   * @throws for a message that is not in this form; the peer is told, as for a value that fits no schema
   */
  decode(message: Received): unknown
}

/** JSON as text (RFC 8259): the default. */
export const jsonCodec: MessageCodec = {
  encode(value: unknown): string {
    const text: string | undefined = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`send takes a value that JSON can hold; got ${typeof value}`)
    return text
  },
  decode(message: Received): unknown {
    if (typeof message !== 'string') throw new TypeError('binary message where JSON text is expected')
    try {
      return JSON.parse(message)
    } catch {
      // The runtimes word it differently, and some quote the message.
      throw new TypeError('text that is not JSON')
    }
  },
}
