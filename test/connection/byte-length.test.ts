import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { byteLength } from '../../src/connection/byte-length.ts'

const encoder = new TextEncoder()

test.each([
  ['', 0],
  ['a', 1],
  ['\x7f', 1],
  ['\x80', 2],
  ['é', 2],
  ['\u07ff', 2],
  ['\u0800', 3],
  ['€', 3],
  ['\ud7ff', 3],
  ['\ue000', 3],
  ['\uffff', 3],
  ['\u{10000}', 4],
  ['😀', 4],
  ['\u{10ffff}', 4],
  ['aé€😀', 10],
  ['\ud800', 3],
  ['\udbff', 3],
  ['\udc00', 3],
  ['\udfff', 3],
  ['\ud83da', 4],
  ['\ud83d€', 6],
  ['\ude00\ud83d', 6],
  ['\ud83d\ud83d\ude00', 7],
  ['\ud83d\ude00\ude00', 7],
])('S22 the bytes of %j are %d', (text, bytes) => {
  expect(byteLength(text)).toBe(bytes)
  expect(encoder.encode(text).length).toBe(bytes)
})

test('S22 the bytes of any text are those that TextEncoder makes of it, and of bytes all of them', () => {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0xff }),
    fc.integer({ min: 0, max: 0xffff }),
    fc.integer({ min: 0xd700, max: 0xe0ff }),
  )
  const text = fc.array(unit, { maxLength: 40 }).map((units) => String.fromCharCode(...units))
  fc.assert(
    fc.property(text, (any) => {
      const bytes = encoder.encode(any)
      expect(byteLength(any)).toBe(bytes.length)
      expect(byteLength(bytes)).toBe(bytes.length)
    }),
    { numRuns: 2000 },
  )
})
