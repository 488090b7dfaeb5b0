/** The header grammar of the opening handshake (RFC 9110 §5.6, RFC 6455 §9.1). */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { HandshakeError } from '../../src/codec/errors.ts'
import {
  assertExtraHeaders,
  assertHeader,
  type ExtensionOffer,
  formatExtension,
  hasToken,
  headerValues,
  isHost,
  isReservedHeader,
  isToken,
  parseExtensions,
  parseTokenList,
} from '../../src/codec/header.ts'
import { processorTime } from './handshake-wire.ts'

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

describe('tokens and lists', () => {
  test('P7 a token is made of exactly the characters of RFC 9110 §5.6.2', () => {
    for (let code = 0; code < 0x180; code++) {
      const character = String.fromCharCode(code)
      expect([code, isToken(character)]).toEqual([code, TOKEN_CHARACTERS.includes(character)])
    }
    expect(isToken('')).toBe(false)
    expect(isToken('permessage-deflate')).toBe(true)
    expect(isToken('a\n')).toBe(false)
  })

  test('P7 lines of one name are found without case and in order', () => {
    const headers = [
      ['Connection', 'a'],
      ['connectio', 'x'],
      ['CONNECTION', 'b'],
    ] as const
    expect(headerValues(headers, 'connection')).toEqual(['a', 'b'])
    expect(headerValues(headers, 'Connection')).toEqual(['a', 'b'])
    expect(headerValues(headers, 'upgrade')).toEqual([])
    const ofFetch = new Headers([
      ['Connection', 'a'],
      ['connection', 'b'],
    ])
    expect(headerValues(ofFetch, 'Connection')).toEqual(['a, b'])
    expect(headerValues(ofFetch, 'upgrade')).toEqual([])
    expect(hasToken(ofFetch, 'connection', 'B')).toBe(true)
  })

  test('R4 a list needs no space after its commas', () => {
    expect(parseTokenList('a,b')).toEqual(['a', 'b'])
    expect(parseTokenList('a, b')).toEqual(['a', 'b'])
  })

  test('WP-31 empty elements of a list are dropped', () => {
    expect(parseTokenList('')).toEqual([])
    expect(parseTokenList(', a ,\t, b\t,')).toEqual(['a', 'b'])
  })

  test('WP-29 a list may spread over several lines', () => {
    expect(parseTokenList(['a', '', 'b, c'])).toEqual(['a', 'b', 'c'])
  })

  test('P7 only space and tab are whitespace: U+00A0 belongs to its element', () => {
    expect(parseTokenList('\u00a0a')).toEqual(['\u00a0a'])
  })

  test('R5 a token of a list is compared without case and as a whole', () => {
    const headers = [
      ['Connection', 'keep-alive'],
      ['Connection', 'x, UPGRADE'],
    ] as const
    expect(hasToken(headers, 'connection', 'Upgrade')).toBe(true)
    expect(hasToken(headers, 'connection', 'Upgrad')).toBe(false)
    expect(hasToken([['Connection', 'Upgrade-Insecure']], 'connection', 'upgrade')).toBe(false)
  })

  test('R35 what a Host may be', () => {
    for (const host of ['a', 'a.b:80', 'a_b', '[::1]:8080', '[fe80::0]', '127.0.0.1', 'a:', 'xn--7ks3rz39bh7u']) {
      expect([host, isHost(host)]).toEqual([host, true])
    }
    for (const host of ['', ':80', 'a, b', 'a b', 'a/b', 'u@a', '[::1', 'a:b', 'ü', 'a:80:90', '[x]']) {
      expect([host, isHost(host)]).toEqual([host, false])
    }
  })
})

describe('extensions', () => {
  const rows: [string, ExtensionOffer[]][] = [
    ['', []],
    [' ,\t,', []],
    ['a', [{ name: 'a', parameters: [] }]],
    [
      'a,b',
      [
        { name: 'a', parameters: [] },
        { name: 'b', parameters: [] },
      ],
    ],
    ['a;b', [{ name: 'a', parameters: [['b', true]] }]],
    [
      'a;b=c;d',
      [
        {
          name: 'a',
          parameters: [
            ['b', 'c'],
            ['d', true],
          ],
        },
      ],
    ],
    ['a;b="c"', [{ name: 'a', parameters: [['b', 'c']] }]],
    ['a;b="\\c\\d"', [{ name: 'a', parameters: [['b', 'cd']] }]],
    [
      ' a ; b = c ,\td ; e = "f" ',
      [
        { name: 'a', parameters: [['b', 'c']] },
        { name: 'd', parameters: [['e', 'f']] },
      ],
    ],
    [
      'a;b=1;b=2',
      [
        {
          name: 'a',
          parameters: [
            ['b', '1'],
            ['b', '2'],
          ],
        },
      ],
    ],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate',
      [
        {
          name: 'permessage-deflate',
          parameters: [
            ['client_max_window_bits', true],
            ['server_max_window_bits', '10'],
          ],
        },
        { name: 'permessage-deflate', parameters: [] },
      ],
    ],
  ]
  for (const [text, offers] of rows) {
    test(`P12 reads ${JSON.stringify(text)}`, () => {
      expect(parseExtensions(text)).toEqual(offers)
    })
  }

  const malformed = [
    ';',
    '=',
    'a;',
    'a;;b',
    'a;b=',
    'a;=c',
    'a b',
    'a;b c',
    'a;b=c d',
    'a;b="',
    'a;b="c',
    'a;b=""',
    'a;b="c d"',
    'a;b="c,d"',
    'a;b="c\\',
    'a;b="c"d',
    'a;b="\\"',
    '"a"',
    'a=b',
    'a;b=ü',
    'ü',
    'a;"b"',
    'a;b="c";',
    'a\u0000',
    'a;b="\u0000"',
  ]
  for (const text of malformed) {
    test(`P12 refuses ${JSON.stringify(text)} with 400`, () => {
      expect(() => parseExtensions(text)).toThrow(HandshakeError)
      expect(statusOf(() => parseExtensions(text))).toBe(400)
    })
  }

  test('P12 the error says where the text breaks the grammar', () => {
    expect(() => parseExtensions('a; b c')).toThrow(
      "Header 'Sec-WebSocket-Extensions' is malformed at character 5 (RFC 6455 §9.1)",
    )
    expect(() => parseExtensions('a; b="c d"')).toThrow('at character 6 ')
  })

  test('P12 lines are read in order and none reaches into the next', () => {
    expect(parseExtensions(['a;b', '', 'c'])).toEqual([
      { name: 'a', parameters: [['b', true]] },
      { name: 'c', parameters: [] },
    ])
    expect(() => parseExtensions(['a;b="c', 'd"'])).toThrow(HandshakeError)
  })

  test("P12 on a client the error carries the server's status", () => {
    expect(statusOf(() => parseExtensions(';', 101))).toBe(101)
  })

  test('P12 what is formatted is read back, for any tokens', () => {
    const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS), minLength: 1, maxLength: 8 })
    const parameters = fc.array(fc.tuple(token, fc.oneof(token, fc.constant(true as const))), { maxLength: 4 })
    const offers = fc.array(fc.record({ name: token, parameters }), { maxLength: 4 })
    fc.assert(
      fc.property(offers, (list) => {
        const lines = list.map((offer) => formatExtension(offer.name, offer.parameters))
        expect(parseExtensions(lines.join(', '))).toEqual(list)
        expect(parseExtensions(lines)).toEqual(list)
      }),
    )
  })

  test('P12 any text gives offers of tokens or one HandshakeError', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'a;=," \\\t') }))
    fc.assert(
      fc.property(text, (value) => {
        let offers: ExtensionOffer[]
        try {
          offers = parseExtensions(value)
        } catch (error) {
          expect(error).toBeInstanceOf(HandshakeError)
          return
        }
        for (const { name, parameters } of offers) {
          expect(parseExtensions(formatExtension(name, parameters))).toEqual([{ name, parameters }])
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('P12 time is linear: a megabyte of any one piece is read in a moment', () => {
    for (const piece of ['a', ',', ';', ' ', 'a,', 'a;b=c,', 'a;', 'a;b="', '\\', 'a;b="c",']) {
      const text = `a;b="${piece.repeat(1_000_000 / piece.length)}`
      const time = processorTime(() => {
        for (const value of [text, text.slice(5)]) {
          try {
            parseExtensions(value)
          } catch (error) {
            expect(error).toBeInstanceOf(HandshakeError)
          }
        }
      })
      expect(time).toBeLessThan(1_500)
    }
  })

  test('P12 what is not a token is not formatted', () => {
    expect(
      formatExtension('a', [
        ['b', true],
        ['c', '1'],
      ]),
    ).toBe('a; b; c=1')
    expect(() => formatExtension('a b', [])).toThrow(new TypeError('Extension: "a b" is not a token (RFC 6455 §9.1)'))
    expect(() => formatExtension('a', [['b c', true]])).toThrow(TypeError)
    expect(() => formatExtension('a', [['b', 'c\r\nd']])).toThrow(TypeError)
    expect(() => formatExtension('a', [['b', '']])).toThrow(TypeError)
  })
})

describe('headers that are written', () => {
  test('R28 CR, LF and NUL are refused, and the error names the header', () => {
    for (const value of ['a\rb', 'a\nb', 'a\r\nSet-Cookie: x', 'a\0b', '\n', 'b\r']) {
      expect(() => assertHeader('X-Test', value)).toThrow(/^Header 'X-Test' must not contain CR, LF or NUL$/)
    }
  })

  test('R28 a character that would become another byte is refused', () => {
    // As one byte, U+560D is CR and U+010A is LF.
    for (const value of ['a\u560d\u560aX: y', '\u010a', '\u0100', '😀']) {
      expect(() => assertHeader('X-Test', value)).toThrow("Header 'X-Test' must not contain characters above U+00FF")
    }
  })

  test('R28 every Latin-1 character but those three is kept', () => {
    for (let code = 1; code < 0x100; code++) {
      if (code !== 0x0a && code !== 0x0d) expect(() => assertHeader('X', String.fromCharCode(code))).not.toThrow()
    }
  })

  test('R28 a name that is not a token is refused', () => {
    for (const name of ['', 'a b', 'a:', 'a\r\n', 'ü', 'a\0']) {
      expect(() => assertHeader(name, 'x')).toThrow(TypeError)
    }
    expect(() => assertHeader(undefined as never, 'x')).toThrow(TypeError)
    expect(() => assertHeader('X', undefined as never)).toThrow(/'X'/)
  })

  test('R28 headers of the handshake and of a hop cannot be added', () => {
    const reserved = [
      'Connection',
      'upgrade',
      'Transfer-Encoding',
      'Content-Length',
      'Sec-WebSocket-Accept',
      'sec-websocket-x',
    ]
    for (const name of reserved) {
      expect(isReservedHeader(name)).toBe(true)
      expect(() => assertExtraHeaders([[name, 'x']])).toThrow(
        new TypeError(`Header '${name}' belongs to the handshake and cannot be added`),
      )
    }
    expect(isReservedHeader('Set-Cookie')).toBe(false)
    expect(() =>
      assertExtraHeaders([
        ['Set-Cookie', 'a'],
        ['Set-Cookie', 'b'],
      ]),
    ).not.toThrow()
    expect(() => assertExtraHeaders([['X', 'a\n']])).toThrow(TypeError)
  })
})

function statusOf(run: () => unknown): number {
  try {
    run()
  } catch (error) {
    if (error instanceof HandshakeError) return error.status
    throw error
  }
  throw new Error('Nothing was thrown')
}
