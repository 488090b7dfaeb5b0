import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { expectation } from '../../src/connection/option-table.ts'
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  DEFLATE_OPTIONS,
  resolveConnectionOptions,
} from '../../src/connection/options.ts'

/** What a caller without types can write. */
const untyped = (options: object): ConnectionOptions => options as ConnectionOptions

describe('layers', () => {
  test('H14 no layer gives the defaults', () => {
    expect(resolveConnectionOptions()).toEqual({
      maxMessageSize: 1_048_576,
      maxFragments: 131_072,
      inboxMessages: 16,
      inboxBytes: 65_536,
      highWaterMark: 65_536,
      maxBufferedAmount: 16_777_216,
      sendPolicy: 'wait',
      pingInterval: 20_000,
      pongTimeout: 20_000,
      idleTimeout: Infinity,
      maxLifetime: Infinity,
      closeTimeout: 10_000,
      permessageDeflate: false,
    })
  })

  test('H14 later layers win and undefined does not override', () => {
    const options = resolveConnectionOptions(
      { maxMessageSize: 1, pingInterval: 2 },
      undefined,
      untyped({ maxMessageSize: undefined, pingInterval: 3 }),
    )
    expect(options.maxMessageSize).toBe(1)
    expect(options.pingInterval).toBe(3)
  })

  test('H14 a result is its own object: changing it changes no default', () => {
    resolveConnectionOptions().maxMessageSize = 7
    expect(resolveConnectionOptions().maxMessageSize).toBe(1_048_576)
  })

  test('H14 callbacks and deflate parameters pass through', () => {
    const onPing = (): void => {}
    const permessageDeflate = { level: 1, threshold: 0 }
    expect(resolveConnectionOptions({ onPing, permessageDeflate })).toMatchObject({ onPing, permessageDeflate })
  })
})

describe('wrong options', () => {
  const wrong: [title: string, options: object, error: new (message: string) => Error, parts: string[]][] = [
    ['an unknown name', { maxMesageSize: 1 }, TypeError, ['maxMesageSize', 'maxMessageSize']],
    ['a name of Object.prototype', { toString: 1 }, TypeError, ['toString']],
    ['a string for a number', { maxMessageSize: '1' }, TypeError, ['maxMessageSize', 'bytes', 'from 1', '"1"']],
    ['null', { pingInterval: null }, TypeError, ['pingInterval', 'milliseconds', 'null']],
    ['zero', { maxMessageSize: 0 }, RangeError, ['maxMessageSize', 'bytes', 'from 1 to', 'Infinity', 'got 0']],
    ['a negative number', { inboxMessages: -1 }, RangeError, ['inboxMessages', 'messages', 'from 1', '-1']],
    ['NaN', { closeTimeout: Number.NaN }, RangeError, ['closeTimeout', 'milliseconds', 'from 0', 'NaN']],
    ['a fraction of a byte', { inboxBytes: 1.5 }, RangeError, ['inboxBytes', 'whole number of bytes', '1.5']],
    ['a delay that timers cannot hold', { idleTimeout: 2 ** 31 }, RangeError, ['idleTimeout', '2147483647']],
    ['minus Infinity', { maxLifetime: -Infinity }, RangeError, ['maxLifetime']],
    ['an unknown policy', { sendPolicy: 'lose' }, RangeError, ['sendPolicy', "'wait', 'close', 'drop'", '"lose"']],
    ['a policy that is no string', { sendPolicy: 1 }, TypeError, ['sendPolicy']],
    ['a callback that is none', { onPing: {} }, TypeError, ['onPing', 'a function', 'object']],
    ['deflate as a string', { permessageDeflate: '32KB' }, TypeError, ['permessageDeflate', 'true, false']],
    ['deflate as a list', { permessageDeflate: [] }, TypeError, ['permessageDeflate', 'array']],
    [
      'an unknown deflate option',
      { permessageDeflate: { windowBits: 9 } },
      TypeError,
      ['permessageDeflate.windowBits'],
    ],
    [
      'a window of 8 for our compressor',
      { permessageDeflate: { serverMaxWindowBits: 8 } },
      RangeError,
      ['permessageDeflate.serverMaxWindowBits', 'bits from 9 to 15', 'got 8'],
    ],
    [
      'an infinite level',
      { permessageDeflate: { level: Infinity } },
      RangeError,
      ['permessageDeflate.level', 'from 0 to 9'],
    ],
    [
      'a flag as a number',
      { permessageDeflate: { serverNoContextTakeover: 1 } },
      TypeError,
      ['permessageDeflate.serverNoContextTakeover', 'true or false'],
    ],
    [
      'marks the wrong way round',
      { highWaterMark: 2, maxBufferedAmount: 1 },
      RangeError,
      ['highWaterMark (2 bytes)', 'maxBufferedAmount (1 bytes)'],
    ],
  ]
  for (const [title, options, error, parts] of wrong) {
    test(`H14 ${title} is a ${error.name} that names it`, () => {
      let caught: unknown
      try {
        resolveConnectionOptions(untyped(options))
      } catch (thrown) {
        caught = thrown
      }
      expect(caught).toBeInstanceOf(error)
      for (const part of parts) expect((caught as Error).message).toContain(part)
    })
  }

  test('H14 layers that are no objects are a TypeError', () => {
    for (const layer of [null, 1, 'x', []]) {
      expect(() => resolveConnectionOptions(layer as never)).toThrow(TypeError)
    }
  })

  test('H14 an earlier layer is checked although a later one overrides it', () => {
    expect(() => resolveConnectionOptions({ maxMessageSize: 0 }, { maxMessageSize: 1 })).toThrow(RangeError)
  })
})

describe('the table', () => {
  const rules = Object.entries(CONNECTION_OPTIONS)

  test('S11 every limit is on by default and Infinity switches it off', () => {
    const { maxMessageSize, maxFragments, inboxMessages, inboxBytes, highWaterMark, maxBufferedAmount } =
      resolveConnectionOptions()
    for (const limit of [maxMessageSize, maxFragments, inboxMessages, inboxBytes, highWaterMark, maxBufferedAmount]) {
      expect(Number.isFinite(limit)).toBe(true)
    }
    const numbers = rules.filter(([, rule]) => rule.kind === 'number').map(([name]) => [name, Infinity])
    expect(numbers.length).toBe(11)
    expect(resolveConnectionOptions(untyped(Object.fromEntries(numbers)))).toMatchObject(Object.fromEntries(numbers))
  })

  test('H14 each option has a sentence of documentation and a default that passes its own rule', () => {
    for (const [name, rule] of rules) {
      expect(rule.doc).toMatch(/^[A-Z`p].*\.$/)
      expect(expectation(rule)).not.toBe('')
      if (rule.default !== undefined) resolveConnectionOptions(untyped({ [name]: rule.default }))
    }
    expect(() =>
      resolveConnectionOptions({
        permessageDeflate: Object.fromEntries(Object.entries(DEFLATE_OPTIONS).map(([k, r]) => [k, r.default])),
      }),
    ).not.toThrow()
  })

  test('H14 the defaults in the doc comments are those of the table', () => {
    const source = readFileSync(new URL('../../src/connection/options.ts', import.meta.url), 'utf8')
    const documented = new Map<string, string>()
    for (const [, value, name] of source.matchAll(/@default (\S+)[^/]*\*\/\s+(\w+)\?:/g)) {
      documented.set(name ?? '', value ?? '')
    }
    for (const [name, rule] of rules) {
      const value = documented.get(name)?.replaceAll('_', '').replaceAll("'", '')
      expect([name, value]).toEqual([name, rule.default === undefined ? undefined : String(rule.default)])
    }
  })
})
