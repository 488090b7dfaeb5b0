/** The end of the transport behind more than an inbox holds. */
import { expect, test } from 'bun:test'
import { ConnectionClosed } from '../../src/codec/errors.ts'
import type { OutgoingProtocolEvent } from '../../src/codec/event.ts'
import { bench } from './pair.ts'

/** Bytes of unread messages at which parsing stops once the transport has ended, with `inboxBytes` of 64. */
const LIMIT = 64 * 256

const begun: OutgoingProtocolEvent[] = [
  { type: 'TextMessage', data: 'begun', messageFinished: false },
  { type: 'BytesMessage', data: Uint8Array.of(1, 2), messageFinished: false },
]

test.each(begun)(
  'R30 a message that was cut off behind a full inbox is no message, and breaks nothing',
  async (part) => {
    const { ws, peer, clock } = bench({ inboxBytes: 64 })
    const text = 'x'.repeat(1_000)
    // Each counts for 64 bytes more than it has, and the last one is over the limit.
    const count = Math.ceil(LIMIT / (text.length + 64))
    const whole: OutgoingProtocolEvent = { type: 'TextMessage', data: text }
    const frames = [...Array.from({ length: count }, () => whole), part].map((event) =>
      Buffer.from(peer.protocol.send(event)),
    )
    // In one chunk, so that the end comes before reading is paused.
    peer.transport.write(Buffer.concat(frames))
    peer.transport.end()
    await clock.settle()
    expect(ws.connected).toBe(false)
    let received = 0
    const reading = (async () => {
      for (;;) {
        expect(await ws.receive()).toBe(text)
        received++
      }
    })()
    const error = await reading.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConnectionClosed)
    expect((error as ConnectionClosed).code).toBe(1006)
    expect(received).toBe(count)
  },
)
