/** A message for many connections: who gets which frame. */
import { expect, test } from 'bun:test'
import { type EncodedFrame, encodeFrame } from '../../src/codec/encoded-frame.ts'
import { Opcode } from '../../src/codec/opcode.ts'
import { type MessageEncoder, SharedMessage } from '../../src/connection/shared-message.ts'

function encoder(outboundKey: string | undefined, encodeMessage: () => EncodedFrame): MessageEncoder {
  return { outboundKey, encodeMessage }
}

function frameOf(byte: number): EncodedFrame {
  return encodeFrame(Opcode.BINARY, Uint8Array.of(byte), 0)
}

test('H20 each kind of connection gets one frame, also when the kinds take turns', () => {
  const made: EncodedFrame[] = []
  const message = new SharedMessage('text')
  const frames = ['a', 'b', undefined, 'a', 'b', 'a'].map((key) =>
    message.frame(
      encoder(key, () => {
        made.push(frameOf(made.length))
        return made.at(-1) as EncodedFrame
      }),
    ),
  )
  const [a, b] = made
  expect(made).toHaveLength(2)
  expect(frames).toEqual([a, b, undefined, a, b, a])
})

test('H20 a connection that cannot encode takes nothing from the next of its kind', () => {
  const message = new SharedMessage('text')
  const failing = encoder('a', () => {
    throw new Error('cannot')
  })
  expect(() => message.frame(failing)).toThrow('cannot')
  const frame = frameOf(7)
  expect(message.frame(encoder('a', () => frame))).toBe(frame)
})
