/** What fits into a Close frame (RFC 6455 §5.5.1). */
import { expect, test } from 'bun:test'
import { fitReason } from '../../src/codec/close-reason.ts'

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
