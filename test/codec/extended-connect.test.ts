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
    [{ ':method': 'GET' }, 405, 'Method must be CONNECT (RFC 8441 §5)'],
    [{ ':method': null }, 405, 'Method must be CONNECT (RFC 8441 §5)'],
    [{ ':protocol': 'connect-udp' }, 501, "Header ':protocol' must be 'websocket' (RFC 8441 §5)"],
    [{ ':protocol': 'WebSocket' }, 501, "Header ':protocol' must be 'websocket' (RFC 8441 §5)"],
    [{ ':protocol': null }, 501, "Header ':protocol' must be 'websocket' (RFC 8441 §5)"],
    [{ ':scheme': 'wss' }, 400, "Header ':scheme' must be 'https' or 'http' (RFC 8441 §5)"],
    [{ ':path': null }, 400, "Header ':path' must be a path (RFC 8441 §4)"],
    [{ ':path': '*' }, 400, "Header ':path' must be a path (RFC 8441 §4)"],
    [{ ':path': '/a#b' }, 400, "Header ':path' must be a path (RFC 8441 §4)"],
    [{ ':path': '/a b' }, 400, "Header ':path' must be a path (RFC 8441 §4)"],
    [{ ':path': 'https://example.com/' }, 400, "Header ':path' must be a path (RFC 8441 §4)"],
    [{ ':authority': null }, 400, "Header ':authority' must hold one host (RFC 8441 §4)"],
    [{ ':authority': 'a, b' }, 400, "Header ':authority' must hold one host (RFC 8441 §4)"],
    [{ 'sec-websocket-version': '8' }, 426, "Header 'Sec-WebSocket-Version' must be 13 (RFC 6455 §4.2.1)"],
    [{ 'sec-websocket-version': null }, 400, "Header 'Sec-WebSocket-Version' is missing (RFC 6455 §4.2.1)"],
    [{ connection: 'Upgrade' }, 400, "Header 'connection' must be absent (RFC 9113 §8.2.2)"],
    [{ upgrade: 'websocket' }, 400, "Header 'upgrade' must be absent (RFC 9113 §8.2.2)"],
    [{ 'transfer-encoding': 'chunked' }, 400, "Header 'transfer-encoding' must be absent (RFC 9113 §8.2.2)"],
    [{ 'keep-alive': 'timeout=5' }, 400, "Header 'keep-alive' must be absent (RFC 9113 §8.2.2)"],
    [{ 'proxy-connection': 'x' }, 400, "Header 'proxy-connection' must be absent (RFC 9113 §8.2.2)"],
    [{ host: 'example.com' }, 400, "Header 'host' must be as ':authority' (RFC 9113 §8.3.1)"],
    [{ host: '' }, 400, "Header 'host' must be as ':authority' (RFC 9113 §8.3.1)"],
    [
      { 'sec-websocket-protocol': 'a b' },
      400,
      "Header 'Sec-WebSocket-Protocol' must be a list of tokens (RFC 6455 §4.1)",
    ],
    [
      { 'sec-websocket-extensions': ';' },
      400,
      "Header 'Sec-WebSocket-Extensions' is malformed at character 0 (RFC 6455 §9.1)",
    ],
  ]
  for (const [change, status, message] of refusals) {
    test(`R35 ${JSON.stringify(change)} is refused with ${status}`, () => {
      const error = refusal(() => checkExtendedConnect(changed(HEADERS, change)))
      expect([error.status, error.message]).toEqual([status, message])
      if (status === 405) expect(error.headers).toEqual([['Allow', 'CONNECT']])
      // `Upgrade` and `Connection` would make the answer malformed (RFC 9113 §8.2.2).
      if (status === 426) expect(error.headers).toEqual([['Sec-WebSocket-Version', '13']])
    })
  }

  test('P21 a host that a gateway has kept may stand beside the same :authority (RFC 9113 §8.3.1)', () => {
    for (const host of ['example.com:8443', 'Example.COM:8443']) {
      expect(checkExtendedConnect([...HEADERS, ['host', host]]).host).toBe('example.com:8443')
    }
    const both = [...HEADERS, ['host', 'example.com:8443'], ['host', 'other']] as const
    expect(refusal(() => checkExtendedConnect(both)).status).toBe(400)
  })

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
