import { expect, test } from 'bun:test'
import { assertSupported, RAW_MODE } from '../../src/runtime/raw-mode.ts'

test('H17 a runtime whose upgraded sockets do not work is refused, by version', () => {
  expect(RAW_MODE).toBe('bun')
  expect(() => assertSupported()).not.toThrow()
  for (const [mode, version] of [
    ['node', '18.19.0'],
    ['bun', '1.3.14'],
    ['deno', '2.7.13'],
    ['deno', '1.46.3'],
  ] as const) {
    expect(() => assertSupported(mode, version)).toThrow(new RegExp(`needs ${mode} .* this is ${version}`))
  }
  for (const [mode, version] of [
    ['node', '20.0.0'],
    ['node', '26.10.0'],
    ['bun', '1.4.0'],
    ['bun', '2.0.0'],
    ['deno', '2.9.6'],
  ] as const) {
    expect(() => assertSupported(mode, version)).not.toThrow()
  }
})
