/** WebSocket over HTTP/2 (RFC 8441): the handshake that needs no key. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  checkExtendedConnect,
  connectHeaders,
  HandshakeError,
  type HeaderList,
  PerMessageDeflate,
  Protocol,
  serverExtensionsHandshake,
} from '../../src/codec/index.ts'
import { changed, refusal } from './handshake-wire.ts'

const HEADERS: HeaderList = [
  [':method', 'CONNECT'],
  [':protocol', 'websocket'],
  [':scheme', 'https'],
  [':path', '/chat?a=b'],
  [':authority', 'example.com:8443'],
  ['sec-websocket-version', '13'],
]

describe('extended CONNECT', () => {
  test('P21 the request of RFC 8441 §5.1 is read', () => {
    const headers: HeaderList = [
      ...HEADERS,
      ['sec-websocket-protocol', 'chat, superchat'],
      ['sec-websocket-extensions', 'permessage-deflate'],
      ['origin', 'https://example.com'],
    ]
    expect(checkExtendedConnect(headers)).toEqual({
      host: 'example.com:8443',
      target: '/chat?a=b',
      origin: 'https://example.com',
      subprotocols: ['chat', 'superchat'],
      extensions: [{ name: 'permessage-deflate', parameters: [] }],
    })
  })

  const refusals: [Readonly<Record<string, string | null>>, number, string][] = [
    [{ ':method': 'GET' }, 405, 'CONNECT'],
    [{ ':method': null }, 405, 'CONNECT'],
    [{ ':protocol': 'connect-udp' }, 501, ':protocol'],
    [{ ':protocol': 'WebSocket' }, 501, ':protocol'],
    [{ ':protocol': null }, 501, ':protocol'],
    [{ ':scheme': 'wss' }, 400, ':scheme'],
    [{ ':path': null }, 400, ':path'],
    [{ ':path': '*' }, 400, ':path'],
    [{ ':authority': null }, 400, ':authority'],
    [{ ':authority': 'a, b' }, 400, ':authority'],
    [{ 'sec-websocket-version': '8' }, 426, 'Sec-WebSocket-Version'],
    [{ 'sec-websocket-version': null }, 400, 'Sec-WebSocket-Version'],
    [{ connection: 'Upgrade' }, 400, 'connection'],
    [{ upgrade: 'websocket' }, 400, 'upgrade'],
    [{ 'transfer-encoding': 'chunked' }, 400, 'transfer-encoding'],
    [{ host: 'example.com' }, 400, 'host'],
    [{ 'sec-websocket-protocol': 'a b' }, 400, 'Sec-WebSocket-Protocol'],
    [{ 'sec-websocket-extensions': ';' }, 400, 'Sec-WebSocket-Extensions'],
  ]
  for (const [change, status, what] of refusals) {
    test(`R35 ${JSON.stringify(change)} is refused with ${status}`, () => {
      const error = refusal(() => checkExtendedConnect(changed(HEADERS, change)))
      expect([error.status, error.message.includes(what)]).toEqual([status, true])
    })
  }

  test('R35 a pseudo-header that occurs twice is refused', () => {
    for (const header of HEADERS) expect(() => checkExtendedConnect([...HEADERS, header])).toThrow(HandshakeError)
  })

  test('P21 the answer is a 200 with names in lower case', () => {
    expect(connectHeaders({})).toEqual([[':status', '200']])
    expect(connectHeaders({ subprotocol: 'chat', extensions: 'x', extraHeaders: [['Set-Cookie', 'a']] })).toEqual([
      [':status', '200'],
      ['sec-websocket-protocol', 'chat'],
      ['sec-websocket-extensions', 'x'],
      ['set-cookie', 'a'],
    ])
    expect(() => connectHeaders({ extraHeaders: [['upgrade', 'x']] })).toThrow(TypeError)
    expect(() => connectHeaders({ extraHeaders: [['x', 'a\r\nb']] })).toThrow(TypeError)
  })

  test('P2 P21 the parts make a connection: check, negotiate, answer, protocol', () => {
    const request = checkExtendedConnect([...HEADERS, ['sec-websocket-extensions', 'permessage-deflate']])
    const { accepted, header } = serverExtensionsHandshake(request.extensions, [new PerMessageDeflate()])
    expect(connectHeaders({ extensions: header })[1]?.[1]).toStartWith('permessage-deflate')
    const server = new Protocol({ role: 'server', extensions: accepted })
    const client = new Protocol({ role: 'client' })
    expect([...server.receiveData(client.send({ type: 'TextMessage', data: 'over HTTP/2' }))]).toMatchObject([
      { type: 'TextMessage', data: 'over HTTP/2' },
    ])
  })

  test('R35 any headers give a request or a HandshakeError', () => {
    const name = fc.oneof(fc.constantFrom(...HEADERS.map(([field]) => field), 'origin'), fc.string())
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), fc.boolean(), (headers, valid) => {
        try {
          expect(checkExtendedConnect(valid ? [...HEADERS, ...headers] : headers).host).not.toBe('')
        } catch (error) {
          expect(error).toBeInstanceOf(HandshakeError)
        }
      }),
    )
  })
})
