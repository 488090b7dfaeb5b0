/**
 * Feeds a protocol and writes down what comes out, parts of a message joined.
 *
 * Chunks are copied first, since the protocol owns and unmasks what it is given.
 */
import { Buffer } from 'node:buffer'
import { ProtocolError } from '../../src/codec/errors.ts'
import { type ProtocolEvent, response } from '../../src/codec/event.ts'
import type { Protocol } from '../../src/codec/protocol.ts'
import type { Seen } from './vectors.ts'
import { bytesOf, fingerprint, hexOf, join, rawFrames } from './wire-notation.ts'

export interface Outcome {
  /** Events with joined messages; bytes as `fingerprint` has them. */
  readonly seen: Seen[]
  /** What was answered to Pings and the Close, unmasked. */
  readonly replies: string
  readonly error: ProtocolError | null
  /** How many chunks had been fed when the error came. */
  readonly failedAt: number
  /** Every event as it came. */
  readonly events: ProtocolEvent[]
}

/** A row's event with its notation turned into what `Outcome.seen` has, to compare with `Outcome.seen`. */
export function plain(event: Seen): Seen {
  if (event[0] === 'text' || event[0] === 'close') return event
  return [event[0], fingerprint(bytesOf(event[1]))]
}

/** Joins the parts of messages. Throws when the flags contradict each other. */
export function joined(events: readonly ProtocolEvent[]): Seen[] {
  const seen: Seen[] = []
  let open: 'TextMessage' | 'BytesMessage' | null = null
  let text = ''
  let parts: Uint8Array[] = []
  for (const event of events) {
    switch (event.type) {
      case 'TextMessage':
      case 'BytesMessage': {
        if (open !== null && open !== event.type) throw new Error('A message changed its type')
        if (event.messageFinished && !event.frameFinished) throw new Error('A message ended inside a frame')
        open = event.messageFinished ? null : event.type
        if (event.type === 'TextMessage') text += event.data
        else parts.push(event.data)
        if (!event.messageFinished) break
        seen.push(event.type === 'TextMessage' ? ['text', text] : ['bytes', fingerprint(join(parts))])
        text = ''
        parts = []
        break
      }
      case 'Ping':
        seen.push(['ping', hexOf(event.payload)])
        break
      case 'Pong':
        seen.push(['pong', hexOf(event.payload)])
        break
      case 'CloseConnection':
        seen.push(['close', event.code, event.reason])
    }
  }
  return seen
}

/** What `send` wrote, unmasked, as hex. */
export function unmaskedHex(wire: Uint8Array): string {
  return hexOf(join(rawFrames(wire).map((frame) => frame.unmasked)))
}

/**
 * Feeds the chunks one by one, pulling every event after each; answers Pings and the Close when `answer` is set.
 *
 * @param whole whether the protocol joins the parts of messages
 */
export function feed(protocol: Protocol, chunks: readonly Uint8Array[], answer: boolean, whole = false): Outcome {
  const events: ProtocolEvent[] = []
  const replies: Uint8Array[] = []
  const next = (): ProtocolEvent | null => protocol.nextEvent(false, whole)
  let error: ProtocolError | null = null
  let failedAt = -1
  for (const [i, chunk] of chunks.entries()) {
    protocol.receiveData(Uint8Array.from(chunk))
    try {
      for (let event = next(); event !== null; event = next()) {
        if (whole && 'messageFinished' in event && !event.messageFinished) throw new Error('A part was not joined')
        // What an event holds must not change when later bytes arrive.
        events.push(
          event.type === 'BytesMessage' && !event.messageFinished ? { ...event, data: event.data.slice() } : event,
        )
        if (!answer) continue
        if (event.type === 'Ping') replies.push(Buffer.from(protocol.send(response(event))))
        if (event.type === 'CloseConnection') replies.push(Buffer.from(protocol.send(response(event))))
      }
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError) || error !== null) throw thrown
      error = thrown
      failedAt = i
    }
  }
  return { seen: joined(events), replies: unmaskedHex(join(replies)), error, failedAt, events }
}

/** The wire cut into pieces that end at the given offsets. */
export function cut(wire: Uint8Array, offsets: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  let from = 0
  for (const to of [...offsets, wire.length]) {
    chunks.push(wire.subarray(from, to))
    from = to
  }
  return chunks
}

/** The wire byte by byte. */
export function byteByByte(wire: Uint8Array): Uint8Array[] {
  return Array.from(wire, (_, i) => wire.subarray(i, i + 1))
}
