/** The server's opening handshake (RFC 6455 §4.2): rows WP-20 to WP-38 and what peers got wrong. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { HandshakeError } from '../../src/codec/errors.ts'
import type { OutgoingEvent, Request } from '../../src/codec/event.ts'
import { HANDSHAKE_TRANSITIONS } from '../../src/codec/handshake-state.ts'
import type { HeaderList } from '../../src/codec/header.ts'
import {
  acceptHeaders,
  acceptKey,
  checkUpgradeRequest,
  isWebSocketUpgrade,
  ServerHandshake,
} from '../../src/codec/server-handshake.ts'
import {
  ACCEPT,
  changed,
  feed,
  head,
  KEY,
  latin1,
  misuse,
  processorTime,
  REQUEST_HEADERS,
  refusal,
  requestWire,
  splits,
  TestExtension,
  textOf,
} from './handshake-wire.ts'

const ACCEPTED = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n`

/** A handshake that has its request. */
function requested(headers: HeaderList = REQUEST_HEADERS): ServerHandshake {
  const handshake = new ServerHandshake()
  expect(feed(handshake, requestWire(headers))).toHaveLength(1)
  return handshake
}

/** Checks a request in each of the three ways in: parsed, given as parsed, from bytes. */
function refused(headers: HeaderList, line = 'GET / HTTP/1.1'): HandshakeError {
  const [method = '', , version = ''] = line.split(' ')
  const error = refusal(() => checkUpgradeRequest({ method, httpVersion: version.slice(5), headers }))
  const fromBytes = refusal(() => new ServerHandshake().receiveData(latin1(requestWire(headers, line))))
  expect([fromBytes.status, fromBytes.message, fromBytes.headers]).toEqual([error.status, error.message, error.headers])
  if (line === 'GET / HTTP/1.1') {
    const given = refusal(() => new ServerHandshake().initiateUpgradeConnection(headers, '/'))
    expect([given.status, given.message]).toEqual([error.status, error.message])
  }
  return error
}

const without = (name: string): HeaderList => changed(REQUEST_HEADERS, { [name]: null })
const withHeader = (name: string, value: string): HeaderList => changed(REQUEST_HEADERS, { [name]: value })
const also = (...added: [string, string][]): HeaderList => [...REQUEST_HEADERS, ...added]

describe('the request', () => {
  test('P7 a request gives its event, whole, byte by byte and cut at every place', () => {
    const wire = requestWire(
      also(
        ['Origin', 'https://example.com'],
        ['Sec-WebSocket-Protocol', 'a, b'],
        ['Sec-WebSocket-Extensions', 'x; y="1"; z , w'],
        ['Cookie', '\u00fc'],
      ),
    )
    const expected: Request = {
      type: 'Request',
      host: 'example.com',
      target: '/chat?a=b',
      extensions: ['x; y=1; z', 'w'],
      extraHeaders: [
        ['upgrade', 'websocket'],
        ['connection', 'Upgrade'],
        ['sec-websocket-key', KEY],
        ['sec-websocket-version', '13'],
        ['origin', 'https://example.com'],
        ['cookie', '\u00fc'],
      ],
      subprotocols: ['a', 'b'],
    }
    for (const chunks of splits(wire)) {
      const handshake = new ServerHandshake()
      expect(feed(handshake, ...chunks)).toEqual([expected])
      expect(handshake.state).toBe('CONNECTING')
      expect(handshake.nextEvent()).toBeNull()
    }
  })

  test('P7 checkUpgradeRequest says what is asked for', () => {
    const headers = also(['Origin', 'https://a'], ['Sec-WebSocket-Protocol', 'b'], ['Sec-WebSocket-Extensions', 'x; y'])
    const expected = {
      key: KEY,
      host: 'example.com',
      origin: 'https://a',
      subprotocols: ['b'],
      extensions: [{ name: 'x', parameters: [['y', true]] }],
    }
    expect(checkUpgradeRequest({ method: 'GET', httpVersion: '1.1', headers })).toEqual(expected as never)
    expect(checkUpgradeRequest({ method: 'GET', headers })).toEqual(expected as never)
    expect(checkUpgradeRequest({ method: 'GET', headers: REQUEST_HEADERS }).origin).toBeUndefined()
    const handshake = requested(headers)
    expect(handshake.request).toEqual(expected as never)
  })

  test('WP-20 bytes that are no request are 400, a head over the limit 431', () => {
    for (const wire of ['\u0016\u0003\u0001\r\n\r\n', 'hello\r\n\r\n', 'GET / HTTP/1.1\r\nX\r\n\r\n', '\n']) {
      expect(refusal(() => feed(new ServerHandshake(), wire)).status).toBe(400)
    }
    expect(refusal(() => feed(new ServerHandshake(), requestWire(also(['X', 'a'.repeat(20_000)])))).status).toBe(431)
    expect(refusal(() => feed(new ServerHandshake({ maxHeadSize: 100 }), requestWire())).status).toBe(431)
    expect(feed(new ServerHandshake({ maxHeadSize: requestWire().length }), requestWire())).toHaveLength(1)
  })

  test('WP-20 limits are checked at the call', () => {
    expect(() => new ServerHandshake({ maxHeadSize: 0 })).toThrow(/^maxHeadSize/)
    expect(() => new ServerHandshake({ maxTrailingData: -1 })).toThrow(/^maxTrailingData/)
  })

  for (const method of ['POST', 'HEAD', 'OPTIONS', 'get', 'CONNECT']) {
    test(`WP-21 R27 ${method} is 405 with Allow`, () => {
      const error = refused(REQUEST_HEADERS, `${method} / HTTP/1.1`)
      expect([error.status, error.headers]).toEqual([405, [['Allow', 'GET']]])
      expect(error.message).toBe('Method must be GET (RFC 6455 §4.2.1)')
    })
  }

  for (const target of ['*', 'example.com:80', 'ftp://example.com/', 'ws://example.com/', '/a#b', 'http:///a', '']) {
    test(`P7 the request target ${JSON.stringify(target)} is refused with 400 (RFC 9112 §3.2)`, () => {
      const message = 'Request target must be a path or an http URL (RFC 6455 §4.2.1)'
      const given = refusal(() => new ServerHandshake().initiateUpgradeConnection(REQUEST_HEADERS, target))
      expect([given.status, given.message]).toEqual([400, message])
      if (target === '') return
      const error = refusal(() => feed(new ServerHandshake(), requestWire(REQUEST_HEADERS, `GET ${target} HTTP/1.1`)))
      expect([error.status, error.message]).toEqual([400, message])
    })
  }

  test('P7 a request target is a path, or an http URL as for a proxy', () => {
    for (const target of ['/', '/a%20b?c=?/', '//a', 'http://example.com', 'HTTPS://example.com:80/?a']) {
      const [event] = feed(new ServerHandshake(), requestWire(REQUEST_HEADERS, `GET ${target} HTTP/1.1`))
      expect(event).toMatchObject({ type: 'Request', target })
    }
  })

  test('WP-22 Connection must contain Upgrade', () => {
    for (const headers of [
      without('Connection'),
      withHeader('Connection', 'keep-alive'),
      withHeader('Connection', ''),
    ]) {
      const error = refused(headers)
      expect([error.status, error.message]).toEqual([
        400,
        "Header 'Connection' must contain 'Upgrade' (RFC 6455 §4.2.1)",
      ])
    }
  })

  test('WP-22 R5 Connection is a list without case, over several lines', () => {
    for (const connection of [
      ['keep-alive, Upgrade'],
      ['UPGRADE'],
      ['upgrade', 'keep-alive'],
      ['keep-alive', 'Upgrade'],
    ]) {
      const lines = connection.map((value) => ['Connection', value] as [string, string])
      requested([...without('Connection'), ...lines])
    }
  })

  test('WP-23 R27 another version is 426 with Upgrade, an absent one 400; both name 13', () => {
    const named = [['Sec-WebSocket-Version', '13']]
    const answer = [...named, ['Upgrade', 'websocket'], ['Connection', 'Upgrade']]
    for (const version of ['12', '8', '14', 'not-a-digit', '', '13, 8', '013']) {
      const error = refused(withHeader('Sec-WebSocket-Version', version))
      expect([error.status, error.headers]).toEqual([426, answer as never])
      expect(error.message).toBe("Header 'Sec-WebSocket-Version' must be 13 (RFC 6455 §4.2.1)")
    }
    const twice = refused(also(['Sec-WebSocket-Version', '13']))
    expect([twice.status, twice.headers]).toEqual([426, answer as never])
    const absent = refused(without('Sec-WebSocket-Version'))
    expect([absent.status, absent.headers]).toEqual([400, named as never])
    expect(absent.message).toBe("Header 'Sec-WebSocket-Version' is missing (RFC 6455 §4.2.1)")
  })

  test('WP-24 R27 a key is there once and base64 of 16 bytes', () => {
    expect(refused(without('Sec-WebSocket-Key')).message).toBe(
      "Header 'Sec-WebSocket-Key' is missing (RFC 6455 §4.2.1)",
    )
    expect(refused(also(['Sec-WebSocket-Key', KEY])).message).toBe(
      "Header 'Sec-WebSocket-Key' must occur once (RFC 6455 §11.3.1)",
    )
    for (const key of [
      'x',
      '',
      `${KEY}, ${KEY}`,
      'dGhlIHNhbXBsZSBub25jZQ=',
      'dGhlIHNhbXBsZSBub25jZQAA',
      'dGhlIHNhbXBsZSBub25j',
      `${KEY}=`,
    ]) {
      const error = refused(withHeader('Sec-WebSocket-Key', key))
      expect([error.status, error.message]).toEqual([
        400,
        "Header 'Sec-WebSocket-Key' must be base64 of 16 bytes (RFC 6455 §4.2.1)",
      ])
    }
  })

  test('WP-25 Upgrade must contain websocket', () => {
    for (const headers of [without('Upgrade'), withHeader('Upgrade', 'h2c'), withHeader('Upgrade', 'websockets')]) {
      const error = refused(headers)
      expect([error.status, error.message]).toEqual([
        400,
        "Header 'Upgrade' must contain 'websocket' (RFC 6455 §4.2.1)",
      ])
      expect(isWebSocketUpgrade(headers)).toBe(false)
    }
  })

  test('WP-25 R5 Upgrade is a list without case', () => {
    for (const value of ['websocket', 'WebSocket', 'WEBSOCKET', 'h2c, websocket', 'websocket,foo']) {
      const headers = withHeader('Upgrade', value)
      expect(isWebSocketUpgrade(headers)).toBe(true)
      requested(headers)
    }
    const lines = [...without('Upgrade'), ['Upgrade', 'h2c'], ['upgrade', 'WebSocket']] as HeaderList
    requested(lines)
  })

  test('WP-26 R35 no Host, two of them, or one that is none, is 400', () => {
    expect(refused(without('Host')).message).toBe("Header 'Host' is missing (RFC 6455 §4.2.1)")
    const many = [
      also(['Host', 'example.com']),
      withHeader('Host', 'a, b'),
      withHeader('Host', ''),
      withHeader('Host', 'a/b'),
    ]
    for (const headers of many) {
      const error = refused(headers)
      expect([error.status, error.message]).toEqual([400, "Header 'Host' must hold one host (RFC 9112 §3.2)"])
    }
  })

  test('WP-26 a Fetch host may withhold Host, and joins two lines with a comma', () => {
    expect(checkUpgradeRequest({ method: 'GET', headers: without('Host') }).host).toBe('')
    expect(refusal(() => checkUpgradeRequest({ method: 'GET', headers: withHeader('Host', 'a, b') })).status).toBe(400)
  })

  for (const version of ['1.0', '0.9', '2.0', '3.0']) {
    test(`WP-27 R27 HTTP/${version} is 400`, () => {
      const error = refused(REQUEST_HEADERS, `GET / HTTP/${version}`)
      expect([error.status, error.message]).toEqual([400, 'HTTP version must be 1.1 (RFC 6455 §4.2.1)'])
    })
  }

  test('WP-28 Origin is reported, and refused when there are two', () => {
    expect(requested(also(['Origin', 'null'])).request?.origin).toBe('null')
    const error = refused(also(['Origin', 'https://a'], ['Origin', 'https://b']))
    expect([error.status, error.message]).toEqual([400, "Header 'Origin' must occur once (RFC 6454 §7.3)"])
  })

  test('WP-29 R4 subprotocols and extensions over several lines keep their order', () => {
    const handshake = requested(
      also(
        ['Sec-WebSocket-Protocol', 'a,b'],
        ['Sec-WebSocket-Extensions', 'x'],
        ['sec-websocket-protocol', 'c'],
        ['sec-websocket-extensions', 'y; z, x'],
      ),
    )
    expect(handshake.request?.subprotocols).toEqual(['a', 'b', 'c'])
    expect(handshake.request?.extensions.map(({ name }) => name)).toEqual(['x', 'y', 'x'])
  })

  test('WP-30 no byte of a header is anything but an event or 400', () => {
    for (let code = 0; code < 0x100; code++) {
      for (const name of [
        'Host',
        'Sec-WebSocket-Protocol',
        'Sec-WebSocket-Extensions',
        'Cookie',
        'Sec-WebSocket-Key',
      ]) {
        const wire = requestWire(withHeader(name, `${String.fromCharCode(code)}`))
        try {
          feed(new ServerHandshake(), wire)
        } catch (error) {
          expect(error).toBeInstanceOf(HandshakeError)
          expect((error as HandshakeError).status).toBe(400)
        }
      }
    }
    expect(refused(withHeader('Host', '\u00fc')).status).toBe(400)
    expect(refused(withHeader('Sec-WebSocket-Protocol', '\u00fc')).status).toBe(400)
  })

  test('WP-31 an empty list of subprotocols is no subprotocol', () => {
    expect(requested(also(['Sec-WebSocket-Protocol', ''])).request?.subprotocols).toEqual([])
    expect(requested(also(['Sec-WebSocket-Extensions', ''])).request?.extensions).toEqual([])
  })

  test('P7 subprotocols that are no tokens, or named twice, are 400', () => {
    for (const value of ['a b', 'a, (b)']) {
      const error = refused(withHeader('Sec-WebSocket-Protocol', value))
      expect([error.status, error.message]).toEqual([
        400,
        "Header 'Sec-WebSocket-Protocol' must be a list of tokens (RFC 6455 §4.1)",
      ])
    }
    for (const lines of [['a, a'], ['a', 'a'], ['b, a', 'a']]) {
      const error = refused(also(...lines.map((value): [string, string] => ['Sec-WebSocket-Protocol', value])))
      expect([error.status, error.message]).toEqual([
        400,
        "Header 'Sec-WebSocket-Protocol' must not name a subprotocol twice (RFC 6455 §4.1)",
      ])
    }
  })

  test('P7 extensions against the grammar are 400', () => {
    expect(refused(withHeader('Sec-WebSocket-Extensions', 'permessage-deflate; a="')).status).toBe(400)
  })

  test('R26 a request with a body is 400', () => {
    for (const header of [
      ['Content-Length', '5'],
      ['Content-Length', 'x'],
      ['Content-Length', ''],
      ['Content-Length', '0, 5'],
      ['Content-Length', '+0'],
      ['Transfer-Encoding', 'chunked'],
      ['Transfer-Encoding', ''],
    ] as [string, string][]) {
      const error = refused(also(header))
      expect([error.status, error.message]).toEqual([
        400,
        `Header '${header[0]}' must be absent${header[0] === 'Content-Length' ? ' or 0' : ''}`,
      ])
    }
    expect(refused(also(['Content-Length', '0'], ['Content-Length', '1'])).status).toBe(400)
    requested(also(['Content-Length', '0']))
  })

  test('R26 no byte of a body is kept as a frame', () => {
    const handshake = new ServerHandshake()
    expect(refusal(() => feed(handshake, `${requestWire(also(['Content-Length', '5']))}\u0081\u0083abc`)).status).toBe(
      400,
    )
    feed(handshake, 'more')
    expect(handshake.trailingData).toHaveLength(0)
  })

  test('P7 H16 the first broken rule is the one reported, in the order of WP-21 to WP-26', () => {
    const rules: [string, HeaderList, string][] = []
    const all = ['Connection', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key', 'Upgrade', 'Host'] as const
    let headers = REQUEST_HEADERS
    for (const name of [...all].reverse()) {
      headers = changed(headers, { [name]: null })
      rules.push([name, headers, 'GET / HTTP/1.1'])
    }
    for (const [name, left, line] of rules) expect(refused(left, line).message).toContain(`'${name}'`)
    expect(refused([], 'POST / HTTP/1.0').status).toBe(405)
    expect(refused([], 'GET / HTTP/1.0').message).toContain('HTTP version')
  })
})

describe('the answer', () => {
  test('WP-34 the 101 has its headers in order', () => {
    expect(textOf(requested().send({ type: 'AcceptConnection' }))).toBe(`${ACCEPTED}\r\n`)
    const handshake = requested(also(['Sec-WebSocket-Protocol', 'a, b'], ['Sec-WebSocket-Extensions', 'x']))
    const extension = new TestExtension('x')
    const bytes = handshake.send({
      type: 'AcceptConnection',
      subprotocol: 'b',
      extensions: [extension],
      extraHeaders: [
        ['Set-Cookie', 'a=\u00fc'],
        ['Set-Cookie', 'b'],
      ],
    })
    expect(textOf(bytes)).toBe(
      `${ACCEPTED}Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Extensions: x\r\nSet-Cookie: a=\u00fc\r\nSet-Cookie: b\r\n\r\n`,
    )
    expect(handshake.state).toBe('OPEN')
    expect(handshake.extensions).toEqual([extension])
  })

  test('WP-34 acceptKey is the example of RFC 6455 §1.3', () => {
    expect(acceptKey(KEY)).toBe(ACCEPT)
  })

  test('P10 R28 extra headers that would split the response or belong to the handshake are refused', () => {
    const bad: [string, string][] = [
      ['X', 'a\r\nSet-Cookie: b'],
      ['X', '\0'],
      ['X\r\n', 'a'],
      ['X', '\u010a'],
      ['Connection', 'close'],
      ['Upgrade', 'x'],
      ['Transfer-Encoding', 'chunked'],
      ['Content-Length', '1'],
      ['Sec-WebSocket-Protocol', 'x'],
      ['sec-websocket-accept', 'x'],
    ]
    for (const header of bad) {
      const handshake = requested()
      expect(() => handshake.send({ type: 'AcceptConnection', extraHeaders: [header] })).toThrow(TypeError)
      expect(() => acceptHeaders({ key: KEY, extraHeaders: [header] })).toThrow(TypeError)
      // Nothing has changed: the answer can still be given.
      expect(handshake.state).toBe('CONNECTING')
      expect(textOf(handshake.send({ type: 'AcceptConnection' }))).toBe(`${ACCEPTED}\r\n`)
    }
  })

  test('P10 a refused header leaves the extensions as they were', () => {
    const extension = new TestExtension('x')
    const handshake = requested(also(['Sec-WebSocket-Extensions', 'x']))
    const event = { type: 'AcceptConnection', extensions: [extension], extraHeaders: [['X', 'a\n']] } as const
    expect(() => handshake.send(event)).toThrow(TypeError)
    expect([extension.given, extension.enabled]).toEqual([undefined, false])
  })

  test('P10 acceptHeaders refuses a subprotocol or extension that is no header', () => {
    expect(() => acceptHeaders({ key: KEY, subprotocol: 'a b' })).toThrow(/Subprotocol "a b"/)
    expect(() => acceptHeaders({ key: KEY, extensions: 'a\r\n' })).toThrow(/Sec-WebSocket-Extensions/)
    expect(acceptHeaders({ key: KEY, subprotocol: null })).toEqual(acceptHeaders({ key: KEY }))
  })

  test('WP-35 a subprotocol that was not asked for is refused locally', () => {
    const handshake = requested(also(['Sec-WebSocket-Protocol', 'a']))
    for (const subprotocol of ['b', 'A', '']) {
      expect(misuse(() => handshake.send({ type: 'AcceptConnection', subprotocol }))).toMatchObject({
        message: `Client did not ask for subprotocol "${subprotocol}"`,
        section: 'RFC 6455 §4.2.2',
      })
    }
    expect(handshake.state).toBe('CONNECTING')
    expect(textOf(handshake.send({ type: 'AcceptConnection', subprotocol: null }))).toBe(`${ACCEPTED}\r\n`)
  })

  test('WP-36 accepting before there is a request is refused locally', () => {
    expect(misuse(() => new ServerHandshake().send({ type: 'AcceptConnection' }))).toMatchObject({
      message: 'There is no valid request to accept',
      section: 'RFC 6455 §4.2.2',
    })
  })

  test('WP-36 accepting a request that was refused is an error', () => {
    const handshake = new ServerHandshake()
    expect(refusal(() => feed(handshake, requestWire(without('Upgrade')))).status).toBe(400)
    misuse(() => handshake.send({ type: 'AcceptConnection' }))
    const flooded = new ServerHandshake({ maxTrailingData: 1 })
    expect(refusal(() => feed(flooded, `${requestWire()}ab`)).status).toBe(400)
    misuse(() => flooded.send({ type: 'AcceptConnection' }))
    expect(flooded.nextEvent()).toBeNull()
  })

  test('P12 offers are negotiated in the order of the client, each name once', () => {
    const x = new TestExtension('x', [], [['ok', '1']])
    const declined = new TestExtension('declined', [], null)
    const handshake = requested(also(['Sec-WebSocket-Extensions', 'unknown, declined, x; a=1, x']))
    const bytes = handshake.send({ type: 'AcceptConnection', extensions: [declined, x] })
    expect(textOf(bytes)).toContain('\r\nSec-WebSocket-Extensions: x; ok=1\r\n')
    expect(handshake.extensions).toEqual([x])
    expect(x.given).toEqual([['a', '1']])
  })

  test('WP-32 after a refusal by the rules the state is unchanged and the hint can be sent', () => {
    const handshake = new ServerHandshake()
    const error = refusal(() => feed(handshake, requestWire(withHeader('Sec-WebSocket-Version', '8'))))
    expect(handshake.state).toBe('CONNECTING')
    expect(textOf(handshake.send(error.eventHint))).toBe(
      'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n',
    )
    expect(handshake.state).toBe('CLOSED')
  })

  test('WP-32 after an error all input is dropped', () => {
    const handshake = new ServerHandshake()
    expect(refusal(() => feed(handshake, 'x\r\n\r\n')).status).toBe(400)
    expect(feed(handshake, requestWire(), null)).toEqual([])
    misuse(() => handshake.initiateUpgradeConnection(REQUEST_HEADERS, '/'))
  })

  test('WP-33 R2 a request that was parsed elsewhere', () => {
    const handshake = new ServerHandshake()
    handshake.initiateUpgradeConnection(also(['Sec-WebSocket-Protocol', 'a'], ['X-Y', 'z']), '/chat')
    const event = handshake.nextEvent() as Request
    expect([event.target, event.host, event.subprotocols]).toEqual(['/chat', 'example.com', ['a']])
    expect(event.extraHeaders).toContainEqual(['x-y', 'z'])
    feed(handshake, 'early')
    expect(misuse(() => handshake.initiateUpgradeConnection(REQUEST_HEADERS, '/'))).toMatchObject({
      message: 'The handshake has a request already',
      section: 'RFC 6455 §4.2',
    })
    expect(textOf(handshake.send({ type: 'AcceptConnection' }))).toBe(`${ACCEPTED}\r\n`)
    expect(textOf(handshake.trailingData)).toBe('early')
  })

  test('WP-37 P9 a refusal without a body ends the handshake', () => {
    const handshake = requested()
    expect(textOf(handshake.send({ type: 'RejectConnection' }))).toBe(
      'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n',
    )
    expect(handshake.state).toBe('CLOSED')
    expect(feed(handshake, 'more', null)).toEqual([])
    const late: OutgoingEvent[] = [
      { type: 'RejectConnection' },
      { type: 'RejectData', data: latin1('x') },
      { type: 'AcceptConnection' },
    ]
    for (const event of late) {
      expect(misuse(() => handshake.send(event))).toMatchObject({
        message: `Cannot send ${event.type} in state CLOSED`,
        section: 'RFC 6455 §4.2.2',
      })
    }
  })

  test('WP-37 P9 a server may refuse before it has read the request', () => {
    const handshake = new ServerHandshake()
    expect(textOf(handshake.send({ type: 'RejectConnection', statusCode: 503 }))).toContain('503 Service Unavailable')
    expect(handshake.state).toBe('CLOSED')
  })

  test('WP-37 P9 a body with a length, in several parts', () => {
    const handshake = requested()
    const headers: HeaderList = [
      ['Content-Type', 'text/plain'],
      ['Content-Length', '5'],
    ]
    expect(textOf(handshake.send({ type: 'RejectConnection', statusCode: 403, headers, hasBody: true }))).toBe(
      'HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n',
    )
    expect(handshake.state).toBe('REJECTING')
    expect(textOf(handshake.send({ type: 'RejectData', data: latin1('abc'), bodyFinished: false }))).toBe('abc')
    expect(handshake.state).toBe('REJECTING')
    expect(misuse(() => handshake.send({ type: 'RejectData', data: latin1('d') }))).toMatchObject({
      message: 'The body of the refusal differs from its Content-Length',
      section: 'RFC 9112 §6.2',
    })
    misuse(() => handshake.send({ type: 'RejectData', data: latin1('def'), bodyFinished: false }))
    expect(feed(handshake, 'ignored')).toEqual([])
    expect(textOf(handshake.send({ type: 'RejectData', data: latin1('de') }))).toBe('de')
    expect(handshake.state).toBe('CLOSED')
  })

  for (const headers of [[], [['Transfer-Encoding', 'chunked']]] as HeaderList[]) {
    test(`WP-37 P9 a body in chunks, ${headers.length === 0 ? 'by default' : 'when the headers say so'}`, () => {
      const handshake = requested()
      expect(textOf(handshake.send({ type: 'RejectConnection', statusCode: 401, headers, hasBody: true }))).toBe(
        'HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
      const parts = [
        handshake.send({ type: 'RejectData', data: latin1('a'.repeat(26)), bodyFinished: false }),
        handshake.send({ type: 'RejectData', data: latin1(''), bodyFinished: false }),
        handshake.send({ type: 'RejectData', data: latin1('b') }),
      ]
      expect(parts.map(textOf)).toEqual([`1a\r\n${'a'.repeat(26)}\r\n`, '', '1\r\nb\r\n0\r\n\r\n'])
      expect(handshake.state).toBe('CLOSED')
    })
  }

  test('WP-37 P9 a refusal whose headers contradict its body is refused locally', () => {
    const chunked: [string, string] = ['Transfer-Encoding', 'chunked']
    const wrong: [fault: string, hasBody: boolean, headers: HeaderList, statusCode?: number][] = [
      ['A refusal with hasBody false has no body', false, [['Content-Length', '5']]],
      ['A refusal with hasBody false has no body', false, [chunked]],
      ['A refusal with status 204 has no body', true, [], 204],
      ['A refusal with status 304 has no body', true, [], 304],
      ["Header 'Content-Length' must be a number", true, [['Content-Length', 'x']]],
      ["Header 'Transfer-Encoding' must be 'chunked'", true, [['Transfer-Encoding', 'gzip']]],
      ['A refusal must not frame its body twice', true, [['Content-Length', '5'], chunked]],
      ['A refusal must not frame its body twice', true, [chunked, chunked]],
      ["Header 'X' must not contain CR, LF or NUL", false, [['X', 'a\r\nb']]],
    ]
    const handshake = requested()
    for (const [fault, hasBody, headers, statusCode] of wrong) {
      const event = { type: 'RejectConnection', hasBody, headers, ...(statusCode && { statusCode }) } as const
      expect(() => handshake.send(event)).toThrow(new TypeError(fault))
    }
    for (const statusCode of [101, 199, 600, 200.5, Number.NaN]) {
      expect(() => handshake.send({ type: 'RejectConnection', statusCode })).toThrow(
        new RangeError(`statusCode must be an integer from 200 to 599, not ${statusCode}`),
      )
    }
    expect(handshake.state).toBe('CONNECTING')
    expect(textOf(handshake.send({ type: 'RejectConnection', headers: [['content-length', '0']] }))).toBe(
      'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n',
    )
  })

  test('WP-37 P9 any status from 200 to 599 refuses, and a coding is named without case', () => {
    for (const statusCode of [200, 599]) {
      expect(textOf(requested().send({ type: 'RejectConnection', statusCode }))).toStartWith(`HTTP/1.1 ${statusCode} `)
    }
    const headers: HeaderList = [['transfer-encoding', 'Chunked']]
    expect(textOf(requested().send({ type: 'RejectConnection', hasBody: true, headers }))).toEndWith(
      ': Chunked\r\n\r\n',
    )
  })

  test('WP-37 P9 a status that has no body announces none (RFC 9110 §8.6)', () => {
    expect(textOf(requested().send({ type: 'RejectConnection', statusCode: 204 }))).toBe('HTTP/1.1 204 \r\n\r\n')
  })

  test('P5 the transition table, cell by cell', () => {
    expect(HANDSHAKE_TRANSITIONS).toEqual({
      CONNECTING: { accept: 'OPEN', reject: 'CLOSED', rejectWithBody: 'REJECTING' },
      OPEN: {},
      REJECTING: { bodyPart: 'REJECTING', bodyEnd: 'CLOSED' },
      CLOSED: {},
    })
    const events: OutgoingEvent[] = [
      { type: 'AcceptConnection' },
      { type: 'RejectConnection' },
      { type: 'RejectConnection', hasBody: true },
      { type: 'RejectData', data: latin1('x'), bodyFinished: false },
      { type: 'RejectData', data: latin1('x') },
    ]
    const into: Record<string, (handshake: ServerHandshake) => void> = {
      CONNECTING: () => {},
      OPEN: (handshake) => void handshake.send({ type: 'AcceptConnection' }),
      REJECTING: (handshake) => void handshake.send({ type: 'RejectConnection', hasBody: true }),
      CLOSED: (handshake) => void handshake.send({ type: 'RejectConnection' }),
    }
    const expected: Record<string, (string | null)[]> = {
      CONNECTING: ['OPEN', 'CLOSED', 'REJECTING', null, null],
      OPEN: [null, null, null, null, null],
      REJECTING: [null, null, null, 'REJECTING', 'CLOSED'],
      CLOSED: [null, null, null, null, null],
    }
    for (const [state, enter] of Object.entries(into)) {
      events.forEach((event, i) => {
        const handshake = requested()
        enter(handshake)
        expect(handshake.state).toBe(state as never)
        const next = expected[state]?.[i]
        if (next === null) misuse(() => handshake.send(event))
        else handshake.send(event)
        expect(handshake.state).toBe((next ?? state) as never)
      })
    }
  })

  test('P6 an event that a server cannot send in the handshake is a LocalProtocolError', () => {
    const events: OutgoingEvent[] = [
      { type: 'Request', host: 'a', target: '/' },
      { type: 'TextMessage', data: 'x' },
      { type: 'Ping' },
      { type: 'CloseConnection', code: 1000 },
    ]
    for (const event of events) {
      expect(misuse(() => requested().send(event))).toMatchObject({
        message: `A server cannot send ${event.type} during the handshake`,
        section: 'RFC 6455 §4.2',
      })
    }
  })
})

describe('bytes around the handshake', () => {
  test('WP-38 P20 R3 bytes behind the request are kept, however they come', () => {
    for (const chunks of splits(`${requestWire()}early \u0000\u00ff bytes`)) {
      const handshake = new ServerHandshake()
      expect(feed(handshake, ...chunks)).toHaveLength(1)
      handshake.send({ type: 'AcceptConnection' })
      expect(textOf(handshake.trailingData)).toBe('early \u0000\u00ff bytes')
    }
  })

  test('WP-38 P20 what is kept is a copy', () => {
    const chunk = latin1(`${requestWire()}early`)
    const handshake = new ServerHandshake()
    feed(handshake, chunk)
    chunk.fill(0)
    handshake.trailingData.fill(0)
    expect(textOf(handshake.trailingData)).toBe('early')
  })

  test('P20 early bytes are bounded: one over the limit is 400', () => {
    const handshake = new ServerHandshake({ maxTrailingData: 10 })
    feed(handshake, `${requestWire()}12345`, '67890')
    const error = refusal(() => feed(handshake, '!'))
    expect([error.status, error.message]).toEqual([
      400,
      'Client sent more than 10 bytes before the answer (RFC 6455 §4.1)',
    ])
    expect(handshake.trailingData).toHaveLength(0)
    expect(textOf(handshake.send(error.eventHint))).toContain('HTTP/1.1 400 ')
  })

  test('P20 the limit is 64 KiB unless said otherwise, and lifted by Infinity', () => {
    const early = new Uint8Array(65_536)
    const handshake = new ServerHandshake()
    feed(handshake, requestWire(), early)
    expect(refusal(() => feed(handshake, 'x')).status).toBe(400)
    const unlimited = new ServerHandshake({ maxTrailingData: Number.POSITIVE_INFINITY })
    feed(unlimited, requestWire(), early, early)
    expect(unlimited.trailingData).toHaveLength(131_072)
  })

  test('R1 the end of the transport before the answer is an error, once', () => {
    for (const before of ['', 'GET / HTTP/1.1\r\n', requestWire()]) {
      const handshake = new ServerHandshake()
      feed(handshake, before)
      expect(refusal(() => feed(handshake, null)).message).toBe('Client left during the handshake')
      expect(feed(handshake, null)).toEqual([])
      misuse(() => handshake.send({ type: 'AcceptConnection' }))
    }
  })

  test('P3 an open handshake takes no more bytes: they are frames', () => {
    const handshake = requested()
    handshake.send({ type: 'AcceptConnection' })
    for (const data of [latin1('x'), null]) {
      expect(misuse(() => handshake.receiveData(data))).toMatchObject({
        message: 'The handshake is over',
        section: 'RFC 6455 §4.2',
      })
    }
    expect([...handshake.events()]).toEqual([])
  })

  test('P7 any bytes in any split give the same events or the same HandshakeError, and nothing else', () => {
    const line = fc.constantFrom(
      ...requestWire()
        .split('\r\n')
        .map((text) => `${text}\r\n`),
      'Connection: x\r\n',
      'Host: b\r\n',
      'Sec-WebSocket-Extensions: a; b="c"\r\n',
      'Sec-WebSocket-Protocol: a,b\r\n',
      'Content-Length: 1\r\n',
      '\n',
      '\r',
    )
    const request = fc.constantFrom(requestWire(), requestWire(also(['Sec-WebSocket-Extensions', 'a; b="c\\""'])))
    const noise = fc.uint8Array({ maxLength: 8 }).map(textOf)
    const wires = fc.array(fc.oneof(line, noise, request), { maxLength: 12 }).map((pieces) => pieces.join(''))
    const run = (chunks: Uint8Array[]): unknown => {
      const handshake = new ServerHandshake({ maxHeadSize: 400, maxTrailingData: 50 })
      try {
        const events = feed(handshake, ...chunks)
        return [events, textOf(handshake.trailingData)]
      } catch (error) {
        expect(error).toBeInstanceOf(HandshakeError)
        expect(textOf(handshake.send((error as HandshakeError).eventHint))).toStartWith('HTTP/1.1 4')
        return (error as HandshakeError).message
      }
    }
    fc.assert(
      fc.property(wires, fc.nat(), (wire, at) => {
        const bytes = latin1(wire)
        const cut = at % (bytes.length + 1)
        const whole = run([bytes])
        expect(run([bytes.slice(0, cut), bytes.slice(cut)])).toEqual(whole)
        expect(run(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(whole)
      }),
      { numRuns: 1_500 },
    )
  })

  test('P7 any header list gives a request or a HandshakeError', () => {
    const name = fc.oneof(fc.constantFrom(...REQUEST_HEADERS.map(([field]) => field)), fc.string())
    const value = fc.oneof(fc.constantFrom(...REQUEST_HEADERS.map(([, text]) => text)), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value)),
        fc.option(fc.string(), { nil: undefined }),
        (headers, httpVersion) => {
          try {
            expect(
              checkUpgradeRequest({ method: 'GET', httpVersion, headers: [...REQUEST_HEADERS, ...headers] }).key,
            ).toBe(KEY)
          } catch (error) {
            expect(error).toBeInstanceOf(HandshakeError)
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('P7 time is linear in the number of headers, elements and offers', () => {
    const hostile: HeaderList[] = [
      also(['Sec-WebSocket-Protocol', Array.from({ length: 100_000 }, (_, i) => `p${i}`).join(',')]),
      also(['Sec-WebSocket-Extensions', 'a; b=c, '.repeat(100_000)]),
      also(['Sec-WebSocket-Extensions', `a; b="${'\\c'.repeat(200_000)}"`]),
      also(['Connection', ', '.repeat(300_000)]),
      also(['X', `${' '.repeat(600_000)}x`]),
      also(...Array.from({ length: 100_000 }, (_, i): [string, string] => [`X-${i}`, 'y'])),
    ]
    for (const headers of hostile) {
      const handshake = new ServerHandshake({ maxHeadSize: Number.POSITIVE_INFINITY })
      const wire = head('GET / HTTP/1.1', headers)
      expect(processorTime(() => expect(feed(handshake, wire)).toHaveLength(1))).toBeLessThan(1_500)
    }
  })
})
