import { describe, expect, test } from 'bun:test'
import { rotateKey, unmask, wordsOf } from '../../src/codec/mask.ts'
import { Protocol } from '../../src/codec/protocol.ts'

const KEY = [0x37, 0xfa, 0x21, 0x3d] as const
const PACKED = KEY[0] | (KEY[1] << 8) | (KEY[2] << 16) | (KEY[3] << 24)

describe('masking (RFC 6455 §5.3)', () => {
  test('P18 octet i is XORed with octet i modulo 4 of the key, at every alignment, length and phase', () => {
    for (let offset = 0; offset < 8; offset++) {
      for (const length of [0, 1, 2, 3, 4, 5, 23, 24, 25, 31, 63, 64, 65, 127]) {
        for (let phase = 0; phase < 4; phase++) {
          const bytes = new Uint8Array(offset + length).subarray(offset)
          for (let i = 0; i < length; i++) bytes[i] = i * 31
          const expected = bytes.map((byte, i) => byte ^ (KEY[(i + phase) & 3] as number))
          const seen = unmask(bytes, wordsOf(bytes), 0, length, rotateKey(PACKED, phase))
          expect(bytes).toEqual(expected)
          expect((seen & 0x80808080) === 0).toBe(expected.every((byte) => byte < 0x80))
        }
      }
    }
  })

  test('P14 a frame may come in views of one buffer, down to its last byte', () => {
    const client = new Protocol({ role: 'client' })
    const wire = client.send({ type: 'TextMessage', data: 'héllo' })
    for (let tail = 0; tail < 4; tail++) {
      const buffer = new Uint8Array(wire.length + tail)
      buffer.set(wire, tail)
      const server = new Protocol({ role: 'server' })
      let text = ''
      for (let at = tail; at < buffer.length; at++) {
        for (const event of server.receiveData(buffer.subarray(at, at + 1)))
          if (event.type === 'TextMessage') text += event.data
      }
      expect(text).toBe('héllo')
    }
  })
})
