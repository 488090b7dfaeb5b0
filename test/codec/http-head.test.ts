/** Heads of HTTP/1.1 messages, from bytes and to bytes (RFC 9112). */

import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { STATUS_CODES } from 'node:http'
import fc from 'fast-check'
import { HandshakeError } from '../../src/codec/errors.ts'
import {
  formatHead,
  formatStatusLine,
  HeadReader,
  parseRequestHead,
  parseResponseHead,
} from '../../src/codec/http-head.ts'
import { processorTime } from './handshake-wire.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')

/** Feeds chunks. Returns the head and what was left, or `null` when it is incomplete. */
function read(chunks: Iterable<Uint8Array>, maxSize = 16_384, kind: 'request' | 'response' = 'request') {
  const reader = new HeadReader(kind, maxSize)
  const rest: Uint8Array[] = []
  let text: string | null = null
  for (const chunk of chunks) {
    if (text !== null) {
      rest.push(chunk)
      continue
    }
    const taken = reader.push(chunk)
    if (taken === -1) continue
    text = reader.text
    rest.push(chunk.subarray(taken))
  }
  return text === null ? null : { text, rest: Buffer.concat(rest).toString('latin1') }
}

function failure(run: () => unknown): [number, string] {
  try {
    run()
  } catch (error) {
    if (error instanceof HandshakeError) return [error.status, error.message]
    throw error
  }
  throw new Error('Nothing was thrown')
}

describe('HeadReader', () => {
  const wire = 'GET / HTTP/1.1\r\nHost: a\r\nX: \u00ff\r\n\r\nframe\r\n\r\n'
  const expected = { text: 'GET / HTTP/1.1\r\nHost: a\r\nX: \u00ff', rest: 'frame\r\n\r\n' }

  test('WP-20 a head is found whole, byte by byte and cut at every place', () => {
    const all = bytes(wire)
    expect(read([all])).toEqual(expected)
    expect(read(Array.from(all, (byte) => Uint8Array.of(byte)))).toEqual(expected)
    for (let i = 0; i <= all.length; i++) expect(read([all.subarray(0, i), all.subarray(i)])).toEqual(expected)
  })

  test('WP-20 an incomplete head asks for more', () => {
    expect(read([bytes('GET / HTTP/1.1\r\nHost: a\r\n')])).toBeNull()
    expect(read([new Uint8Array(0)])).toBeNull()
  })

  test('WP-20 empty lines before the request line are skipped (RFC 9112 §2.2)', () => {
    const all = bytes(`\r\n\r\n${wire}`)
    for (let i = 0; i <= all.length; i++) expect(read([all.subarray(0, i), all.subarray(i)])).toEqual(expected)
  })

  test('WP-20 a line that ends in LF alone is refused at once, wherever the chunks are cut', () => {
    for (const text of ['\n', 'GET / HTTP/1.1\nHost: a', 'GET / HTTP/1.1\r\n\nHost', 'GET / HTTP/1.1\r\nX: y\n\r\n']) {
      const all = bytes(text)
      for (let i = 0; i <= all.length; i++) {
        expect(failure(() => read([all.subarray(0, i), all.subarray(i)]))).toEqual([400, 'A line must end in CRLF'])
      }
    }
  })

  test('WP-20 a head of exactly the limit passes, one more byte is 431, wherever the chunks are cut', () => {
    const all = bytes(wire)
    const size = wire.indexOf('frame')
    for (let i = 0; i <= all.length; i++) {
      const chunks = [all.subarray(0, i), all.subarray(i)]
      expect(read(chunks, size)).toEqual(expected)
      expect(failure(() => read(chunks, size - 1))).toEqual([431, `Head is longer than ${size - 1} bytes`])
    }
  })

  test('WP-20 a megabyte without an end is refused as soon as the limit is reached', () => {
    const reader = new HeadReader('request', 16_384)
    let fed = 0
    expect(
      failure(() => {
        for (; fed < 1_000_000; fed++) reader.push(Uint8Array.of(0x61))
      })[0],
    ).toBe(431)
    expect(fed).toBe(16_383)
    expect(failure(() => read([new Uint8Array(1_000_000)]))[0]).toBe(431)
  })

  test('WP-20 time is linear, byte by byte and without a limit', () => {
    const reader = new HeadReader('request', Number.POSITIVE_INFINITY)
    const one = Uint8Array.of(0x61)
    const time = processorTime(() => {
      for (let i = 0; i < 500_000; i++) reader.push(one)
    })
    expect(time).toBeLessThan(2_000)
  })

  test('P8 a client has no status to answer with', () => {
    expect(failure(() => read([bytes('\n')], 100, 'response'))[0]).toBe(0)
    expect(failure(() => read([new Uint8Array(100)], 100, 'response'))[0]).toBe(0)
  })
})

describe('request heads', () => {
  test('WP-20 a request line and its fields, names in lower case', () => {
    expect(
      parseRequestHead('GET /a?b HTTP/1.1\r\nHost: a:80\r\nX-Y:\t b c \t\r\nTight:x\r\nEmpty:\r\nHOST: \u00fc'),
    ).toEqual({
      method: 'GET',
      target: '/a?b',
      httpVersion: '1.1',
      headers: [
        ['host', 'a:80'],
        ['x-y', 'b c'],
        ['tight', 'x'],
        ['empty', ''],
        ['host', '\u00fc'],
      ],
    })
  })

  test('WP-20 a method is any token, a target any visible ASCII', () => {
    const method = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    const target = String.fromCharCode(...Array.from({ length: 0x7e - 0x20 }, (_, i) => 0x21 + i))
    expect(parseRequestHead(`${method} ${target} HTTP/1.1`)).toMatchObject({ method, target })
  })

  for (const line of [
    '',
    'GET',
    'GET /',
    'GET  / HTTP/1.1',
    'GET / HTTP/1.1 ',
    ' GET / HTTP/1.1',
    'GET / http/1.1',
    'GET / HTTP/1',
    'GET / HTTP/11.1',
    'G(T / HTTP/1.1',
    'GET /ü HTTP/1.1',
    'GET /\u0001 HTTP/1.1',
    'GET\t/ HTTP/1.1',
    'GET / HTTP/1.1\r',
    'GET /a b HTTP/1.1',
  ]) {
    test(`WP-20 request line ${JSON.stringify(line)} is refused`, () => {
      expect(failure(() => parseRequestHead(line))).toEqual([400, 'Malformed request line (RFC 9112 §3)'])
    })
  }

  for (const line of ['X', ': y', 'X : y', ' X: y', '\tfolded', 'X Y: z', 'Ü: y', '']) {
    test(`WP-20 header line ${JSON.stringify(line)} is refused`, () => {
      const head = `GET / HTTP/1.1\r\nA: b\r\n${line}`
      expect(failure(() => parseRequestHead(head))).toEqual([400, 'Malformed header line (RFC 9112 §5)'])
    })
  }

  test('WP-20 control characters in a header are refused, but not a tab', () => {
    for (let code = 0; code < 0x100; code++) {
      const head = `GET / HTTP/1.1\r\nX: a${String.fromCharCode(code)}b`
      const control = (code < 0x20 && code !== 0x09) || code === 0x7f
      const refused = [400, 'A header line contains a control character (RFC 9110 §5.5)'] as [number, string]
      if (control) expect(failure(() => parseRequestHead(head))).toEqual(refused)
      else expect(parseRequestHead(head).headers).toEqual([['x', `a${String.fromCharCode(code)}b`]])
    }
  })
})

describe('response heads', () => {
  test('WP-42 a status line with a reason, with an empty one and with none', () => {
    for (const line of ['HTTP/1.1 101 Switching Protocols', 'HTTP/1.1 101 ', 'HTTP/1.1 101', 'HTTP/1.1 101 \u00fc\t']) {
      expect(parseResponseHead(line)).toEqual({ httpVersion: '1.1', statusCode: 101, headers: [] })
    }
  })

  for (const line of [
    '',
    'HTTP/1.1',
    'HTTP/1.1 10',
    'HTTP/1.1 1000',
    'HTTP/1.1 099',
    'http/1.1 200',
    'HTTP/1.1  200',
    'HTTP/1.1 200x',
    'HTTP/1.1 200 \u0001',
    'SSH-2.0-x',
  ]) {
    test(`WP-42 status line ${JSON.stringify(line)} is refused`, () => {
      expect(failure(() => parseResponseHead(line))).toEqual([0, 'Malformed status line (RFC 9112 §4)'])
    })
  }

  test('P8 a client unfolds a folded line (RFC 9112 §5.2)', () => {
    expect(parseResponseHead('HTTP/1.1 200 OK\r\nX: a\r\n  b\r\n\tc').headers).toEqual([['x', 'a b c']])
    expect(failure(() => parseResponseHead('HTTP/1.1 200 OK\r\n folded'))[0]).toBe(0)
  })

  test('P8 whitespace around an unfolded value is no part of it (RFC 9112 §5.1)', () => {
    for (const value of ['\r\n a', ' a\r\n ', '\r\n\t\r\n a \r\n \t', ' \t\r\n\ta\t\r\n ']) {
      expect(parseResponseHead(`HTTP/1.1 200 OK\r\nX:${value}\r\nY: b`).headers).toEqual([
        ['x', 'a'],
        ['y', 'b'],
      ])
    }
    expect(parseResponseHead('HTTP/1.1 200 OK\r\nX:\r\n \r\n\t').headers).toEqual([['x', '']])
  })

  test('P8 time is linear in the lines of one value', () => {
    const head = `HTTP/1.1 200 OK\r\nX: a${'\r\n b'.repeat(200_000)}`
    let value = ''
    expect(processorTime(() => (value = parseResponseHead(head).headers[0]?.[1] ?? ''))).toBeLessThan(2_000)
    expect(value).toHaveLength(400_001)
  })
})

describe('writing', () => {
  test('WP-34 a head is written in Latin-1', () => {
    const head = formatHead(formatStatusLine(101), [
      ['A', 'b'],
      ['C', '\u00fc'],
    ])
    expect(Buffer.from(head).toString('latin1')).toBe('HTTP/1.1 101 Switching Protocols\r\nA: b\r\nC: \u00fc\r\n\r\n')
  })

  test('WP-32 a status without a phrase keeps the space before it (RFC 9112 §4)', () => {
    expect(formatStatusLine(426)).toBe('HTTP/1.1 426 Upgrade Required')
    expect(formatStatusLine(418)).toBe('HTTP/1.1 418 ')
  })

  test('WP-32 a phrase is that of its status, and what a handshake ends with has one', () => {
    for (const [status, phrase] of Object.entries(STATUS_CODES)) {
      expect([`HTTP/1.1 ${status} ${phrase}`, `HTTP/1.1 ${status} `]).toContain(formatStatusLine(Number(status)))
    }
    for (const status of [101, 400, 401, 403, 404, 405, 426, 429, 431, 500, 503]) {
      expect(formatStatusLine(status)).not.toEndWith(' ')
    }
  })

  test('WP-20 what is written is read back, for any header', () => {
    const name = fc.string({ unit: fc.constantFrom(...'abcXYZ-09_'), minLength: 1, maxLength: 8 })
    const value = fc.string({
      unit: fc
        .integer({ min: 0x21, max: 0xff })
        .filter((c) => c !== 0x7f)
        .map((c) => String.fromCharCode(c)),
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), fc.nat(), (headers, at) => {
        const wire = formatHead('GET / HTTP/1.1', headers)
        const cut = at % (wire.length + 1)
        const head = read([wire.subarray(0, cut), wire.subarray(cut)], Number.POSITIVE_INFINITY)
        expect(parseRequestHead(head?.text ?? '').headers).toEqual(headers.map(([n, v]) => [n.toLowerCase(), v]))
      }),
    )
  })

  test('WP-20 any bytes in any split give a head, a need for more, or a HandshakeError', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom('\r\n', '\r\n\r\n', 'GET / HTTP/1.1', 'A: b', '\n', '\r').map(bytes),
    )
    fc.assert(
      fc.property(fc.array(piece), (chunks) => {
        const outcomes = [chunks, [Buffer.concat(chunks)]].map((split) => {
          try {
            const head = read(split, 200)
            return head === null ? null : [head, parseRequestHead(head.text)]
          } catch (error) {
            expect(error).toBeInstanceOf(HandshakeError)
            return (error as Error).message
          }
        })
        expect(outcomes[0]).toEqual(outcomes[1])
      }),
      { numRuns: 2_000 },
    )
  })
})
