/** What fits into a Close frame (RFC 6455 §5.5.1). */
import { expect, test } from 'bun:test'
import { assertClose, fitReason } from '../../src/codec/close-reason.ts'

test('S6 a reason is cut to 123 bytes between characters', () => {
  const cases: [text: string, fitted: string][] = [
    ['short', 'short'],
    ['x'.repeat(123), 'x'.repeat(123)],
    ['x'.repeat(124), 'x'.repeat(123)],
    ['é'.repeat(62), 'é'.repeat(61)],
    ['€'.repeat(41), '€'.repeat(41)],
    ['€'.repeat(42), '€'.repeat(41)],
    [`${'x'.repeat(120)}😀`, 'x'.repeat(120)],
    ['😀'.repeat(40), '😀'.repeat(30)],
  ]
  for (const [text, fitted] of cases) expect(fitReason(text)).toBe(fitted)
})

test('S6 what an application may not close with is refused, by name', () => {
  for (const code of [1000, 1003, 1007, 1014, 3000, 4999]) expect(() => assertClose(code, '€'.repeat(41))).not.toThrow()
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, Number.NaN]) {
    expect(() => assertClose(code, '')).toThrow(
      new RangeError(`Cannot close with code ${code}: not 1000–1003, 1007–1014 or 3000–4999`),
    )
  }
  expect(() => assertClose('1000' as never, '')).toThrow(new TypeError('Close code must be a number, not string'))
  expect(() => assertClose(1000, 5 as never)).toThrow(new TypeError('Close reason must be a string, not number'))
  expect(() => assertClose(1000, '€'.repeat(42))).toThrow(
    new RangeError('Cannot send a close reason of 126 bytes: the limit is 123'),
  )
})
