/** The client's opening handshake (RFC 6455 §4.1): rows WP-40 to WP-48. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { ClientHandshake } from '../../src/codec/client-handshake.ts'
import { HandshakeError } from '../../src/codec/errors.ts'
import type { HandshakeEvent, OutgoingEvent } from '../../src/codec/event.ts'
import type { HeaderList } from '../../src/codec/header.ts'
import { acceptKey } from '../../src/codec/server-handshake.ts'
import {
  changed,
  feed,
  head,
  latin1,
  misuse,
  processorTime,
  refusal,
  splits,
  TestExtension,
  textOf,
} from './handshake-wire.ts'

type Asked = Omit<Extract<OutgoingEvent, { type: 'Request' }>, 'type' | 'host' | 'target'>

/** A client that has sent its request, and the headers of a 101 that it accepts. */
function asked(request: Asked = {}): { client: ClientHandshake; answer: HeaderList; wire: string } {
  const client = new ClientHandshake()
  const wire = textOf(client.send({ type: 'Request', host: 'example.com', target: '/', ...request }))
  const key = /\r\nSec-WebSocket-Key: (.*)\r\n/.exec(wire)?.[1] ?? ''
  const answer: HeaderList = [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', acceptKey(key)],
  ]
  return { client, answer, wire }
}

const SWITCHING = 'HTTP/1.1 101 Switching Protocols'

/** What the client makes of a 101 with `changes` to its headers. */
function answered(changes: Readonly<Record<string, string | null>>, request?: Asked): HandshakeEvent[] {
  const { client, answer } = asked(request)
  return feed(client, head(SWITCHING, changed(answer, changes)))
}

function unacceptable(changes: Readonly<Record<string, string | null>>, request?: Asked): HandshakeError {
  const { client, answer } = asked(request)
  const error = refusal(() => feed(client, head(SWITCHING, changed(answer, changes))))
  expect(error.status).toBe(101)
  expect(client.state).toBe('CONNECTING')
  expect(feed(client, 'more', null)).toEqual([])
  return error
}

describe('the request', () => {
  test('WP-40 the headers stand in order and the key is base64 of 16 bytes', () => {
    const { wire } = asked()
    expect(wire).toMatch(
      /^GET \/ HTTP\/1\.1\r\nHost: example\.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: [0-9A-Za-z+/]{21}[AQgw]==\r\nSec-WebSocket-Version: 13\r\n\r\n$/,
    )
  })

  test('WP-40 P10 subprotocols, extensions and extra headers follow', () => {
    const { wire } = asked({
      subprotocols: ['a', 'b'],
      extensions: [
        new TestExtension('x', [
          [
            ['y', '1'],
            ['z', true],
          ],
          [],
        ]),
      ],
      extraHeaders: [
        ['Origin', 'https://a'],
        ['X-\u0041', '\u00fc'],
      ],
    })
    expect(wire).toEndWith(
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: x; y=1; z, x\r\nOrigin: https://a\r\nX-A: \u00fc\r\n\r\n',
    )
  })

  test('WP-40 one subprotocol and one offer are lists too', () => {
    expect(asked({ subprotocols: ['a'], extensions: [new TestExtension('x')] }).wire).toEndWith(
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Extensions: x\r\n\r\n',
    )
  })

  test('WP-40 every connection has another key', () => {
    const keys = Array.from({ length: 100 }, () => /Key: (.*)\r\n/.exec(asked().wire)?.[1])
    expect(new Set(keys).size).toBe(100)
  })

  test('WP-41 an extension that offers nothing is not offered, and none makes no header', () => {
    expect(asked({ extensions: [new TestExtension('x', [])] }).wire).not.toContain('Extensions')
    expect(asked({ extensions: [new TestExtension('x', []), new TestExtension('y')] }).wire).toContain(
      'Sec-WebSocket-Extensions: y\r\n',
    )
  })

  test('WP-30 SW-82 a host keeps its port, and one that is not ASCII is sent in its IDNA form', () => {
    const host = (value: string): string | undefined =>
      /\r\nHost: (.*)\r\n/.exec(textOf(new ClientHandshake().send({ type: 'Request', host: value, target: '/' })))?.[1]
    expect(host('127.0.0.1:55771')).toBe('127.0.0.1:55771')
    expect(host('[::1]:80')).toBe('[::1]:80')
    expect(host('芝士汉堡')).toBe('xn--7ks3rz39bh7u')
    expect(host('bücher.example:80')).toBe('xn--bcher-kva.example:80')
  })

  test('R28 P8 a host that is none is refused', () => {
    for (const host of [
      '',
      'a b',
      'a/b',
      'a\r\nX: y',
      'u@a',
      'ü/b',
      'ü:80:90',
      'ü\n',
      'ü#',
      'a, b',
      ':80',
      '\u0000ü',
    ]) {
      expect(() => new ClientHandshake().send({ type: 'Request', host, target: '/' })).toThrow(/^host .* is not a host/)
    }
  })

  test('WP-48 a target that is no request target is refused', () => {
    const send = (target: string) => new ClientHandshake().send({ type: 'Request', host: 'a', target })
    for (const target of ['', '?x', 'chat', '/a b', '/ü', '/a\r\nX: y', '/#x', '/\t', '*', 'ws://a/']) {
      expect(() => send(target)).toThrow(/^target .* must begin with '\/'/)
    }
    for (const target of ['/', '/a?b=%20', '/"~!', 'http://a/b']) {
      expect(textOf(send(target))).toStartWith(`GET ${target} HTTP/1.1\r\n`)
    }
  })

  test('P8 subprotocols are tokens and all different (§4.1)', () => {
    for (const subprotocols of [['a b'], [''], ['a', 'a'], ['a,b'], ['ü'], ['a\r\n']]) {
      expect(() => asked({ subprotocols })).toThrow(/ubprotocol/)
    }
  })

  test('R28 P10 extra headers that would split the request or belong to the handshake are refused', () => {
    const bad: [string, string][] = [
      ['X', 'a\r\nY: b'],
      ['X', '\0'],
      ['X: ', 'a'],
      ['X', 'ÿ\u0100'],
      ['Host', 'a'],
      ['Connection', 'close'],
      ['upgrade', 'x'],
      ['Content-Length', '0'],
      ['Transfer-Encoding', 'chunked'],
      ['Sec-WebSocket-Key', 'x'],
      ['sec-websocket-protocol', 'x'],
    ]
    for (const header of bad) expect(() => asked({ extraHeaders: [header] })).toThrow(TypeError)
  })

  test('P8 an offer is an extension, not a text', () => {
    expect(() => asked({ extensions: ['permessage-deflate'] })).toThrow(/'permessage-deflate' must be an object/)
  })

  test('P8 what was refused can be sent once it is right, and only once', () => {
    const client = new ClientHandshake()
    expect(() => client.send({ type: 'Request', host: '', target: '/' })).toThrow(TypeError)
    client.send({ type: 'Request', host: 'a', target: '/' })
    expect(misuse(() => client.send({ type: 'Request', host: 'a', target: '/' }))).toMatchObject({
      message: 'The request was sent already',
      section: 'RFC 6455 §4.1',
    })
  })

  test('P6 any other event is a LocalProtocolError', () => {
    const events: OutgoingEvent[] = [
      { type: 'AcceptConnection' },
      { type: 'RejectConnection' },
      { type: 'RejectData', data: latin1('') },
      { type: 'TextMessage', data: '' },
    ]
    for (const event of events) {
      expect(misuse(() => new ClientHandshake().send(event))).toMatchObject({
        message: `A client cannot send ${event.type} during the handshake`,
        section: 'RFC 6455 §4.1',
      })
    }
  })

  test('P8 limits are checked at the call', () => {
    expect(() => new ClientHandshake({ maxHeadSize: -1 })).toThrow(/^maxHeadSize/)
  })
})

describe('the 101', () => {
  test('WP-42 WP-46 an answer opens, whole, byte by byte and cut at every place', () => {
    const extension = new TestExtension('x')
    for (let i = 0; ; i++) {
      const { client, answer } = asked({ subprotocols: ['a', 'b'], extensions: [extension] })
      const wire = head(SWITCHING, [
        ...answer,
        ['Sec-WebSocket-Protocol', 'b'],
        ['Sec-WebSocket-Extensions', 'x; y="1"'],
        ['Set-Cookie', '\u00fc'],
        ['Set-Cookie', 'c'],
      ])
      const chunks = splits(wire)[i]
      if (chunks === undefined) break
      expect(feed(client, ...chunks)).toEqual([
        {
          type: 'AcceptConnection',
          subprotocol: 'b',
          extensions: [extension],
          extraHeaders: [
            ['set-cookie', '\u00fc'],
            ['set-cookie', 'c'],
          ],
        },
      ])
      expect(client.state).toBe('OPEN')
      expect(client.extensions).toEqual([extension])
      expect(extension.given).toEqual([['y', '1']])
      expect(client.trailingData).toHaveLength(0)
    }
  })

  test('S20 what the server said of extensions can be read, over several lines', () => {
    const rows: [lines: string[], text: string][] = [
      [[], ''],
      [['x; y="1"'], 'x; y="1"'],
      [['x', 'z'], 'x, z'],
    ]
    for (const [lines, text] of rows) {
      const { client, answer } = asked({ extensions: [new TestExtension('x'), new TestExtension('z')] })
      expect(client.extensionsHeader).toBe('')
      feed(
        client,
        head(SWITCHING, [...answer, ...lines.map((line): [string, string] => ['Sec-WebSocket-Extensions', line])]),
      )
      expect(client.extensionsHeader).toBe(text)
    }
  })

  test('WP-42 Connection must contain Upgrade', () => {
    for (const value of [null, '', 'keep-alive']) {
      expect(unacceptable({ Connection: value }).message).toBe(
        "Server's 'Connection' does not contain 'Upgrade' (RFC 6455 §4.1)",
      )
    }
    expect(answered({ Connection: 'keep-alive, UPGRADE' })).toHaveLength(1)
  })

  test('WP-42 Upgrade must be websocket, without case', () => {
    for (const value of [null, '', 'h2c', 'websocket, foo']) {
      expect(unacceptable({ Upgrade: value }).message).toBe("Server's 'Upgrade' is not 'websocket' (RFC 6455 §4.1)")
    }
    expect(answered({ Upgrade: 'WebSocket' })).toHaveLength(1)
  })

  test('P8 WP-42 a server that folds its header lines is accepted (RFC 9112 §5.2)', () => {
    for (const fold of [(value: string) => `\r\n ${value}`, (value: string) => `${value}\r\n\t\r\n `]) {
      const { client, answer } = asked()
      const folded = answer.map(([name, value]) => [name, fold(value)] as const)
      expect(feed(client, head(SWITCHING, folded))[0]?.type).toBe('AcceptConnection')
    }
  })

  test('WP-42 Sec-WebSocket-Accept must answer the key, once', () => {
    for (const value of [null, '', 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=']) {
      expect(unacceptable({ 'Sec-WebSocket-Accept': value }).message).toBe(
        "Server's 'Sec-WebSocket-Accept' does not answer the key (RFC 6455 §4.1)",
      )
    }
    const { client, answer } = asked()
    expect(refusal(() => feed(client, head(SWITCHING, [...answer, ...answer.slice(2)]))).message).toContain('Accept')
  })

  test('WP-42 the subprotocol must be one that was requested', () => {
    for (const value of ['c', 'A', '', 'a, b']) {
      expect(unacceptable({ 'Sec-WebSocket-Protocol': value }, { subprotocols: ['a', 'b'] }).message).toBe(
        "Server's 'Sec-WebSocket-Protocol' is not one that was requested (RFC 6455 §4.1)",
      )
    }
    expect(unacceptable({ 'Sec-WebSocket-Protocol': 'a' }).message).toContain('Sec-WebSocket-Protocol')
    const { client, answer } = asked({ subprotocols: ['a', 'b'] })
    const twice: HeaderList = [...answer, ['Sec-WebSocket-Protocol', 'a'], ['Sec-WebSocket-Protocol', 'b']]
    expect(refusal(() => feed(client, head(SWITCHING, twice))).message).toContain('Sec-WebSocket-Protocol')
  })

  test('WP-43 a server that chooses no subprotocol is accepted', () => {
    expect(answered({}, { subprotocols: ['a'] })).toMatchObject([{ type: 'AcceptConnection', subprotocol: null }])
  })

  test('WP-42 P12 extensions must have been offered, fit, and follow the grammar', () => {
    const x = () => ({ extensions: [new TestExtension('x')] })
    expect(unacceptable({ 'Sec-WebSocket-Extensions': 'y' }, x()).message).toContain('was not offered')
    expect(unacceptable({ 'Sec-WebSocket-Extensions': 'x' }).message).toContain('was not offered')
    expect(unacceptable({ 'Sec-WebSocket-Extensions': 'x, x' }, x()).message).toContain('x')
    expect(unacceptable({ 'Sec-WebSocket-Extensions': 'x; a="' }, x()).message).toContain('malformed')
    const unfit = { extensions: [new TestExtension('x', [[]], null)] }
    expect(unacceptable({ 'Sec-WebSocket-Extensions': 'x' }, unfit).message).toContain('does not fit')
    expect(answered({}, x())).toMatchObject([{ extensions: [] }])
  })

  test('WP-27 a 101 in HTTP/1.0 is refused', () => {
    const { client, answer } = asked()
    expect(refusal(() => feed(client, head('HTTP/1.0 101 x', answer))).message).toBe(
      'Server switched protocols in HTTP/1.0 (RFC 6455 §4.1)',
    )
  })

  test('S15 the error of a bad 101 carries its headers', () => {
    expect(unacceptable({ Upgrade: 'x' }).headers).toContainEqual(['upgrade', 'x'])
  })

  test('WP-46 SW-87 bytes behind the 101 are kept, as a copy', () => {
    for (let cut = 0; cut < 12; cut++) {
      const { client, answer } = asked()
      const wire = latin1(`${head(SWITCHING, answer)}\u0081\u0005hello`)
      feed(client, wire.slice(0, 40), wire.slice(40, wire.length - cut))
      expect(client.state).toBe(cut > 7 ? 'CONNECTING' : 'OPEN')
      wire.fill(0)
      expect(textOf(client.trailingData)).toBe('\u0081\u0005hello'.slice(0, Math.max(0, 7 - cut)))
    }
    const { client, answer } = asked()
    const chunk = latin1(`${head(SWITCHING, answer)}x`)
    feed(client, chunk)
    chunk.fill(0)
    expect(textOf(client.trailingData)).toBe('x')
  })

  test('P3 an open handshake takes no more bytes: they are frames', () => {
    const { client, answer } = asked()
    client.receiveData(latin1(head(SWITCHING, answer)))
    expect([...client.events()]).toHaveLength(1)
    expect(client.nextEvent()).toBeNull()
    for (const data of [latin1('x'), null]) {
      expect(misuse(() => client.receiveData(data))).toMatchObject({
        message: 'The handshake is over',
        section: 'RFC 6455 §4.1',
      })
    }
    misuse(() => client.send({ type: 'Request', host: 'a', target: '/' }))
  })
})

describe('responses before the last', () => {
  test('WP-44 P8 1xx other than 101 are ignored, cut at every place', () => {
    for (let i = 0; ; i++) {
      const { client, answer } = asked()
      const wire = `${head('HTTP/1.1 103 Early Hints', [['Link', '</a>']])}${head('HTTP/1.1 102', [])}${head('HTTP/1.1 100 Continue', [])}${head(SWITCHING, answer)}`
      const chunks = splits(wire)[i]
      if (chunks === undefined) break
      expect(feed(client, ...chunks)).toMatchObject([{ type: 'AcceptConnection' }])
    }
  })

  test('WP-44 P8 a refusal may follow them', () => {
    const { client } = asked()
    const events = feed(client, `${head('HTTP/1.1 103', [])}${head('HTTP/1.1 403', [['Content-Length', '0']])}`)
    expect(events).toMatchObject([{ statusCode: 403 }, { type: 'RejectData', bodyFinished: true }])
  })
})

/** The body of the refusal in `events`, and whether it ended. */
function bodyOf(events: readonly HandshakeEvent[]): [string, boolean] {
  let text = ''
  let finished = false
  for (const event of events) {
    if (event.type !== 'RejectData') continue
    expect(finished).toBe(false)
    text += textOf(event.data)
    finished = event.bodyFinished
  }
  return [text, finished]
}

describe('a refusal', () => {
  const bodies: [string, string, string][] = [
    ['by Content-Length', `${head('HTTP/1.1 403 Forbidden', [['Content-Length', '5']])}hello`, 'hello'],
    [
      'by a repeated Content-Length',
      `${head('HTTP/1.1 403 x', [
        ['Content-Length', '5, 5'],
        ['Content-Length', '5'],
      ])}hello`,
      'hello',
    ],
    ['that is empty', head('HTTP/1.1 403 Forbidden', [['Content-Length', '0']]), ''],
    ['that 204 never has', head('HTTP/1.1 204 x', [['Content-Length', '5']]), ''],
    ['that 304 never has', head('HTTP/1.1 304 x', [['Transfer-Encoding', 'chunked']]), ''],
    [
      'in chunks',
      `${head('HTTP/1.1 401 x', [['Transfer-Encoding', 'chunked']])}5\r\nhello\r\n00A ;ext="x"\r\n0123456789\r\n1a\r\n${'x'.repeat(26)}\r\n0\r\n\r\n`,
      `hello0123456789${'x'.repeat(26)}`,
    ],
    [
      'in chunks with trailers',
      `${head('HTTP/1.1 500 x', [
        ['Transfer-Encoding', 'gzip, Chunked'],
        ['Content-Length', '3'],
      ])}1\r\na\r\n0;x\r\nX: y\r\nZ: w\r\n\r\n`,
      'a',
    ],
  ]
  for (const [name, wire, body] of bodies) {
    test(`WP-45 P9 with a body ${name}`, () => {
      for (const chunks of splits(wire)) {
        const { client } = asked()
        const events = feed(client, ...chunks)
        expect(events[0]).toMatchObject({ type: 'RejectConnection', hasBody: true })
        expect(bodyOf(events)).toEqual([body, true])
        expect(client.state).toBe('CLOSED')
        expect(feed(client, 'more', null)).toEqual([])
      }
    })
  }

  const endless: [why: string, headers: HeaderList][] = [
    ['when nothing frames it', []],
    ['in another coding', [['Transfer-Encoding', 'gzip']]],
    [
      'in another coding, which a length does not change',
      [
        ['Transfer-Encoding', 'gzip'],
        ['Content-Length', '3'],
      ],
    ],
  ]
  for (const [why, headers] of endless) {
    test(`WP-45 P9 with a body up to the end of the transport, ${why}`, () => {
      for (const chunks of splits(`${head('HTTP/1.1 503 x', headers)}hello`)) {
        const { client } = asked()
        const events = feed(client, ...chunks)
        expect(client.state).toBe('REJECTING')
        expect(bodyOf(events)).toEqual(['hello', false])
        expect(feed(client, null)).toEqual([{ type: 'RejectData', data: new Uint8Array(0), bodyFinished: true }])
        expect(client.state).toBe('CLOSED')
      }
    })
  }

  test('WP-45 status and headers are reported; a redirect is not followed', () => {
    const { client } = asked()
    const events = feed(
      client,
      head('HTTP/1.1 302 Found', [
        ['Location', '/x'],
        ['Set-Cookie', 'a'],
        ['Set-Cookie', 'b'],
        ['Content-Length', '0'],
      ]),
    )
    expect(events[0]).toEqual({
      type: 'RejectConnection',
      statusCode: 302,
      headers: [
        ['location', '/x'],
        ['set-cookie', 'a'],
        ['set-cookie', 'b'],
        ['content-length', '0'],
      ],
      hasBody: true,
    })
  })

  test('WP-45 a 200 is a refusal too', () => {
    const events = feed(asked().client, head('HTTP/1.1 200 OK', [['Content-Length', '0']]))
    expect(events[0]).toMatchObject({ type: 'RejectConnection', statusCode: 200 })
  })

  test('WP-45 the body is a copy', () => {
    const { client } = asked()
    const wire = latin1(`${head('HTTP/1.1 403 x', [['Content-Length', '5']])}hello`)
    const events = feed(client, wire)
    wire.fill(0)
    expect(bodyOf(events)).toEqual(['hello', true])
  })

  test('WP-47 a body cut short is an error with the status, once', () => {
    const chunked: HeaderList = [['Transfer-Encoding', 'chunked']]
    for (const wire of [
      `${head('HTTP/1.1 403 x', [['Content-Length', '5']])}hell`,
      head('HTTP/1.1 403 x', chunked),
      `${head('HTTP/1.1 403 x', chunked)}5\r\nhel`,
      `${head('HTTP/1.1 403 x', chunked)}5\r\nhello\r\n`,
      `${head('HTTP/1.1 403 x', chunked)}0\r\n`,
    ]) {
      const { client } = asked()
      feed(client, wire)
      const error = refusal(() => feed(client, null))
      expect([error.status, error.message]).toEqual([
        403,
        'Server refused with 403, and the body is incomplete (RFC 9112 §6)',
      ])
      expect(feed(client, null)).toEqual([])
    }
  })

  test('WP-45 a body that breaks its framing is an error with status and headers', () => {
    const chunked: HeaderList = [['Transfer-Encoding', 'chunked']]
    const rows: [HeaderList, string, string][] = [
      [[['Content-Length', 'x']], '', 'an invalid Content-Length'],
      [[['Content-Length', '-1']], '', 'an invalid Content-Length'],
      [
        [
          ['Content-Length', '5'],
          ['Content-Length', '6'],
        ],
        '',
        'an invalid Content-Length',
      ],
      [[['Content-Length', '9999999999999999']], '', 'an invalid Content-Length'],
      [chunked, 'x\r\n', 'a malformed chunk size'],
      [chunked, '\r\n', 'a malformed chunk size'],
      [chunked, '-5\r\n', 'a malformed chunk size'],
      [chunked, '12345678901234\r\n', 'a malformed chunk size'],
      [chunked, '5\nhello', 'a line that does not end in CRLF'],
      [chunked, '5\r\nhello!\r\n', 'a chunk longer than its size'],
      [chunked, '5;'.padEnd(20_000, 'x'), 'a chunk line that is too long'],
      [chunked, `0\r\n${'X: y\r\n'.repeat(5_000)}`, 'a chunk line that is too long'],
    ]
    for (const [headers, body, what] of rows) {
      const { client } = asked()
      const error = refusal(() => feed(client, `${head('HTTP/1.1 403 x', headers)}${body}`))
      expect([error.status, error.message]).toEqual([
        403,
        `Server refused with 403, and the body has ${what} (RFC 9112 §6)`,
      ])
      expect(error.headers).toEqual(headers.map(([name, value]) => [name.toLowerCase(), value]))
    }
  })

  test('WP-45 a chunk line may have 16,384 bytes, its end included, in the first chunk and after it', () => {
    const line = (length: number): string => `${'1;'.padEnd(length - 2, 'x')}\r\na\r\n`
    const chunked = head('HTTP/1.1 403 x', [['Transfer-Encoding', 'chunked']])
    for (const before of ['', '1\r\na\r\n']) {
      const [body] = bodyOf(feed(asked().client, `${chunked}${before}${line(16_384)}1\r\nb\r\n`))
      expect(body).toEndWith('ab')
      expect(refusal(() => feed(asked().client, `${chunked}${before}${line(16_385)}`)).message).toContain('too long')
    }
  })

  test('WP-45 trailers may have 16,384 bytes together, the empty line that ends them included', () => {
    const wire = (length: number): string =>
      `${head('HTTP/1.1 403 x', [['Transfer-Encoding', 'chunked']])}0\r\nX: y\r\n${'Z: '.padEnd(length - 10, 'w')}\r\n\r\n`
    expect(bodyOf(feed(asked().client, wire(16_384)))).toEqual(['', true])
    expect(refusal(() => feed(asked().client, wire(16_385))).message).toContain('too long')
  })

  test('WP-45 what stands in place of the end of a chunk is bounded too', () => {
    const wire = (length: number): string =>
      `${head('HTTP/1.1 403 x', [['Transfer-Encoding', 'chunked']])}1\r\na${'x'.repeat(length)}`
    expect(bodyOf(feed(asked().client, wire(16_384)))).toEqual(['a', false])
    expect(refusal(() => feed(asked().client, wire(16_385))).message).toContain('too long')
  })

  test('WP-45 a body of many chunks may be longer than the limit of a line', () => {
    const { client } = asked()
    const wire = `${head('HTTP/1.1 403 x', [['Transfer-Encoding', 'chunked']])}${'1;x=y\r\na\r\n'.repeat(10_000)}0\r\n\r\n`
    expect(bodyOf(feed(client, wire))).toEqual(['a'.repeat(10_000), true])
  })
})

describe('no answer', () => {
  test('WP-47 the end of the transport is an error without a status, once', () => {
    for (const before of ['', 'HTTP/1.1 101', head('HTTP/1.1 103', [])]) {
      const { client } = asked()
      feed(client, before)
      const error = refusal(() => feed(client, null))
      expect([error.status, error.message]).toEqual([0, 'Server left during the handshake'])
      expect(feed(client, null)).toEqual([])
    }
  })

  test('WP-47 a server that is none, or speaks first, is an error without a status', () => {
    expect(refusal(() => feed(asked().client, 'SSH-2.0-OpenSSH\r\n\r\n')).status).toBe(0)
    expect(refusal(() => feed(asked().client, '220 smtp\n')).status).toBe(0)
    expect(refusal(() => feed(asked().client, 'x'.repeat(20_000))).message).toBe('Head is longer than 16384 bytes')
    const early = refusal(() => feed(new ClientHandshake(), 'HTTP/1.1 101 x\r\n\r\n'))
    expect([early.status, early.message]).toEqual([0, 'Server spoke before the request'])
  })

  test('P8 any bytes in any split give the same events or the same HandshakeError, and nothing else', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'HTTP/1.1 101 x\r\n',
        'HTTP/1.1 403 x\r\n',
        'HTTP/1.1 103 x\r\n',
        'ANSWER',
        'Content-Length: 3\r\n',
        'Transfer-Encoding: chunked\r\n',
        '\r\n',
        '\r\n\r\n',
        '3\r\nabc\r\n',
        '0\r\n',
        ' folded\r\n',
        '\n',
      ),
      fc.uint8Array({ maxLength: 6 }).map(textOf),
    )
    const run = (text: string, split: (bytes: Uint8Array) => Uint8Array[]): unknown => {
      const client = new ClientHandshake({ maxHeadSize: 300 })
      const request = textOf(client.send({ type: 'Request', host: 'a', target: '/' }))
      const accept = acceptKey(/Key: (.*)\r\n/.exec(request)?.[1] ?? '')
      const answer = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`
      const events: HandshakeEvent[] = []
      // The accept value is another for each key.
      const result = (): string =>
        JSON.stringify([events.filter(({ type }) => type !== 'RejectData'), bodyOf(events), client.state]).replaceAll(
          accept,
          'ACCEPT',
        )
      try {
        for (const chunk of split(latin1(text.replaceAll('ANSWER', answer)))) {
          // An open handshake hands its bytes over to the protocol.
          if (client.state !== 'OPEN') events.push(...feed(client, chunk))
        }
      } catch (error) {
        expect(error).toBeInstanceOf(HandshakeError)
        return (error as Error).message
      }
      return result()
    }
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(), (pieces, at) => {
        const text = pieces.join('')
        const whole = run(text, (bytes) => [bytes])
        const inTwo = run(text, (bytes) => {
          const cut = at % (bytes.length + 1)
          return [bytes.slice(0, cut), bytes.slice(cut)]
        })
        const single = run(text, (bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte)))
        expect(inTwo).toEqual(whole)
        expect(single).toEqual(whole)
      }),
      { numRuns: 1_500 },
    )
  })

  test('P8 time is linear in the length of a refusal, in one chunk and in many', () => {
    const chunks = '1\r\na\r\n'.repeat(150_000)
    for (const size of [chunks.length, 30]) {
      const { client } = asked()
      feed(client, head('HTTP/1.1 403 x', [['Transfer-Encoding', 'chunked']]))
      const time = processorTime(() => {
        for (let at = 0; at < chunks.length; at += size) feed(client, chunks.slice(at, at + size))
      })
      feed(client, head('0', []))
      expect(client.state).toBe('CLOSED')
      expect(time).toBeLessThan(2_500)
    }
  })

  test('WP-45 a chunk gives its part of the body as one piece', () => {
    const { client } = asked()
    feed(client, head('HTTP/1.1 403 x', [['Transfer-Encoding', 'chunked']]))
    expect(feed(client, '1\r\na\r\n2\r\nbc\r\n3\r\nd')).toEqual([
      { type: 'RejectData', data: latin1('abcd'), bodyFinished: false },
    ])
  })
})
