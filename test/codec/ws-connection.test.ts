/** A whole connection over no transport at all: two `WSConnection`s that are handed each other's bytes. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type AcceptConnection,
  type BytesMessage,
  type CloseConnection,
  type Event,
  HandshakeError,
  type OutgoingEvent,
  PerMessageDeflate,
  type Ping,
  Protocol,
  ProtocolError,
  type Request,
  response,
  type TextMessage,
  WebSocketError,
  WSConnection,
} from '../../src/codec/index.ts'
import {
  changed,
  latin1,
  misuse,
  REQUEST_HEADERS,
  refusal,
  requestWire,
  TestExtension,
  textOf,
} from './handshake-wire.ts'

const REQUEST: OutgoingEvent = { type: 'Request', host: 'a', target: '/' }

/** Hands bytes over, in pieces of `size` bytes, and returns the events. The receiver owns them, so each is a copy. */
function pass(to: WSConnection, bytes: Uint8Array, size: number = bytes.length): Event[] {
  const events: Event[] = []
  for (let at = 0; at < bytes.length; at += size) events.push(...to.receiveData(bytes.slice(at, at + size)))
  return events
}

/** Two connections with the handshake done, byte by byte. */
function open(server: Partial<AcceptConnection> = {}, client: Partial<Request> = {}): [WSConnection, WSConnection] {
  const a = new WSConnection('client')
  const b = new WSConnection('server')
  expect(pass(b, a.send({ ...REQUEST, ...client } as OutgoingEvent), 1)).toMatchObject([{ type: 'Request' }])
  expect(pass(a, b.send({ type: 'AcceptConnection', ...server }), 1)).toMatchObject([{ type: 'AcceptConnection' }])
  expect([a.state, b.state]).toEqual(['OPEN', 'OPEN'])
  return [a, b]
}

describe('from handshake to messages', () => {
  test('P1 a session, whole and byte by byte', () => {
    for (const size of [1, 3, 1_000]) {
      const [client, server] = open()
      const text = pass(server, client.send({ type: 'TextMessage', data: 'héllo' }), size)
      expect(text.map((event) => (event as TextMessage).data).join('')).toBe('héllo')
      const bytes = pass(client, server.send({ type: 'BytesMessage', data: latin1('abc') }), size)
      expect(bytes.map((event) => textOf((event as BytesMessage).data)).join('')).toBe('abc')
      const [ping] = pass(client, server.send({ type: 'Ping', payload: latin1('x') }), size) as Ping[]
      expect(pass(server, client.send(response(ping as Ping)), size)).toEqual([{ type: 'Pong', payload: latin1('x') }])
      const [close] = pass(server, client.send({ type: 'CloseConnection', code: 3000, reason: 'bye' }), size)
      expect([client.state, server.state]).toEqual(['LOCAL_CLOSING', 'REMOTE_CLOSING'])
      expect(close).toEqual({ type: 'CloseConnection', code: 3000, reason: 'bye' })
      expect(pass(client, server.send(response(close as CloseConnection)), size)).toEqual([close as Event])
      expect([client.state, server.state]).toEqual(['CLOSED', 'CLOSED'])
    }
  })

  test('P1 role, handshake and connection can be looked at', () => {
    const server = new WSConnection('server')
    expect([server.role, server.connection, server.state]).toEqual(['server', null, 'CONNECTING'])
    const [client] = open()
    expect(client.connection).toBeInstanceOf(Protocol)
    expect(client.handshake.state).toBe('OPEN')
  })

  test('P20 R3 frames in the packet of the request come after the request', () => {
    const frame = '\u0081\u0085\u0000\u0000\u0000\u0000hello'
    const wire = latin1(`${requestWire()}${frame}`)
    for (let cut = 0; cut <= wire.length; cut++) {
      const server = new WSConnection('server')
      const events = [...server.receiveData(wire.slice(0, cut)), ...server.receiveData(wire.slice(cut))]
      expect(events).toMatchObject([{ type: 'Request' }])
      server.send({ type: 'AcceptConnection' })
      expect([...server.events()]).toEqual([
        { type: 'TextMessage', data: 'hello', frameFinished: true, messageFinished: true },
      ])
    }
  })

  test('P20 early bytes are bounded', () => {
    const server = new WSConnection('server', { maxTrailingData: 4 })
    expect(refusal(() => server.receiveData(latin1(`${requestWire()}12345`))).status).toBe(400)
    expect(
      new WSConnection('server', { maxTrailingData: 5 }).receiveData(latin1(`${requestWire()}12345`)),
    ).toBeDefined()
  })

  test('WP-46 SW-87 a frame in the packet of the 101 comes right after the answer', () => {
    const client = new WSConnection('client')
    const server = new WSConnection('server')
    pass(server, client.send(REQUEST))
    const answer = server.send({ type: 'AcceptConnection' })
    const frame = server.send({ type: 'TextMessage', data: 'first' })
    const events = pass(client, latin1(textOf(answer) + textOf(frame)))
    expect(events).toMatchObject([{ type: 'AcceptConnection' }, { type: 'TextMessage', data: 'first' }])
  })

  test('WP-33 a request that was parsed elsewhere', () => {
    const server = new WSConnection('server')
    server.initiateUpgradeConnection(REQUEST_HEADERS, '/chat')
    expect([...server.events()]).toMatchObject([{ type: 'Request', target: '/chat' }])
    expect(textOf(server.send({ type: 'AcceptConnection' }))).toStartWith('HTTP/1.1 101 ')
    expect(server.state).toBe('OPEN')
    expect(misuse(() => new WSConnection('client').initiateUpgradeConnection(REQUEST_HEADERS, '/'))).toMatchObject({
      message: 'A client cannot begin with a request that it received',
      section: 'RFC 6455 §4.1',
    })
  })

  test('P13 permessage-deflate is negotiated by both and used', () => {
    const [client, server] = open(
      { extensions: [new PerMessageDeflate({ threshold: 0 })] },
      { extensions: [new PerMessageDeflate({ threshold: 0 })] },
    )
    const data = 'again and '.repeat(1_000)
    const frame = client.send({ type: 'TextMessage', data })
    expect(frame.length).toBeLessThan(500)
    expect((frame[0] as number) & 0x40).toBe(0x40)
    expect(
      pass(server, frame)
        .map((event) => (event as TextMessage).data)
        .join(''),
    ).toBe(data)
  })

  test('P11 an extension of somebody else is negotiated by both', () => {
    const ours = new TestExtension('x')
    const [client, server] = open({ extensions: [new TestExtension('x')] }, { extensions: [ours] })
    expect(client.handshake.extensions).toEqual([ours])
    expect(server.connection?.extensions).toHaveLength(1)
  })

  test('P2 limits reach the protocol', () => {
    const server = new WSConnection('server', { maxMessageSize: 3 })
    server.initiateUpgradeConnection(REQUEST_HEADERS, '/')
    server.send({ type: 'AcceptConnection' })
    const client = new Protocol({ role: 'client' })
    server.receiveData(client.send({ type: 'TextMessage', data: 'abcd' }))
    expect(() => [...server]).toThrow(ProtocolError)
  })
})

describe('the end', () => {
  test('WP-32 a request that breaks the rules, and its answer', () => {
    const server = new WSConnection('server')
    const error = refusal(() => server.receiveData(latin1(requestWire(changed(REQUEST_HEADERS, { Upgrade: null })))))
    expect(server.state).toBe('CONNECTING')
    expect(textOf(server.send(error.eventHint))).toStartWith('HTTP/1.1 400 Bad Request\r\n')
    expect(server.state).toBe('CLOSED')
    expect([...server.receiveData(latin1('more'))]).toEqual([])
  })

  test('P9 a refusal with a body goes through', () => {
    const client = new WSConnection('client')
    const server = new WSConnection('server')
    pass(server, client.send(REQUEST))
    const events = pass(client, server.send({ type: 'RejectConnection', statusCode: 403, hasBody: true }))
    events.push(...pass(client, server.send({ type: 'RejectData', data: latin1('no'), bodyFinished: false })))
    events.push(...pass(client, server.send({ type: 'RejectData', data: latin1('!') })))
    expect(events).toMatchObject([
      { type: 'RejectConnection', statusCode: 403, hasBody: true },
      { type: 'RejectData', data: latin1('no'), bodyFinished: false },
      { type: 'RejectData', data: latin1('!'), bodyFinished: false },
      { type: 'RejectData', data: latin1(''), bodyFinished: true },
    ])
    expect([client.state, server.state]).toEqual(['CLOSED', 'CLOSED'])
    expect(client.connection).toBeNull()
  })

  test('P19 the end of the transport is 1006 once the handshake is over, and an error before', () => {
    const [client, server] = open()
    for (const connection of [client, server]) {
      expect([...connection.receiveData(null)]).toEqual([{ type: 'CloseConnection', code: 1006, reason: '' }])
      expect(connection.state).toBe('CLOSED')
      expect([...connection.receiveData(null)]).toEqual([])
    }
    expect(refusal(() => new WSConnection('server').receiveData(null)).status).toBe(400)
    expect(refusal(() => new WSConnection('client').receiveData(null)).status).toBe(0)
  })

  test('P6 events of the wrong phase or role are LocalProtocolErrors', () => {
    for (const role of ['client', 'server'] as const) {
      const connection = new WSConnection(role)
      misuse(() => connection.send({ type: 'TextMessage', data: 'x' }))
      misuse(() => connection.send({ type: 'CloseConnection' }))
    }
    misuse(() => new WSConnection('client').send({ type: 'AcceptConnection' }))
    misuse(() => new WSConnection('server').send(REQUEST))
    const [client, server] = open()
    for (const connection of [client, server]) {
      misuse(() => connection.send(REQUEST))
      misuse(() => connection.send({ type: 'AcceptConnection' }))
      misuse(() => connection.send({ type: 'RejectConnection' }))
      misuse(() => connection.send({ type: 'RejectData', data: latin1('') }))
    }
  })

  test('P23 any bytes in any split give events or one error of the family, on both sides', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc
        .constantFrom(
          requestWire(),
          'HTTP/1.1 403 x\r\n\r\n',
          '\u0081\u0085\u0000\u0000\u0000\u0000hello',
          '\u0081\u0005hello',
          '\u0088\u0000',
        )
        .map(latin1),
    )
    fc.assert(
      fc.property(fc.constantFrom('client', 'server'), fc.boolean(), fc.array(piece), (role, isOpen, chunks) => {
        const [a, b] = open()
        const connection = isOpen ? (role === 'client' ? a : b) : new WSConnection(role)
        if (!isOpen && role === 'client') connection.send(REQUEST)
        let failures = 0
        for (const chunk of [...chunks, null]) {
          try {
            for (const event of connection.receiveData(chunk === null ? null : chunk.slice())) {
              if (event.type === 'Request') connection.send({ type: 'AcceptConnection' })
            }
          } catch (error) {
            expect(error).toBeInstanceOf(WebSocketError)
            expect(error instanceof HandshakeError).toBe(connection.connection === null)
            failures++
          }
        }
        expect(failures).toBeLessThanOrEqual(1)
      }),
      { numRuns: 1_000 },
    )
  })
})
