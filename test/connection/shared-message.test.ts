/** A message for many connections: who gets which frame. */
import { expect, test } from 'bun:test'
import { type MessageEncoder, SharedMessage } from '../../src/connection/shared-message.ts'

function encoder(outboundKey: string | undefined, encodeMessage: () => Uint8Array): MessageEncoder {
  return { outboundKey, encodeMessage }
}

test('H20 each kind of connection gets one frame, also when the kinds take turns', () => {
  let encoded = 0
  const message = new SharedMessage('text')
  const frames = ['a', 'b', undefined, 'a', 'b', 'a'].map((key) =>
    message.frame(encoder(key, () => new Uint8Array([++encoded]))),
  )
  expect(frames.map((frame) => frame?.[0])).toEqual([1, 2, undefined, 1, 2, 1])
})

test('H20 a connection that cannot encode takes nothing from the next of its kind', () => {
  const message = new SharedMessage('text')
  const failing = encoder('a', () => {
    throw new Error('cannot')
  })
  expect(() => message.frame(failing)).toThrow('cannot')
  expect(message.frame(encoder('a', () => new Uint8Array([7])))).toEqual(new Uint8Array([7]))
})
