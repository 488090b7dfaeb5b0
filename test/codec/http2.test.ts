/** WebSocket over HTTP/2 (RFC 8441), worked through over a real connection: the codec's parts on `node:http2` streams. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import {
  checkExtendedConnect,
  clientExtensionsHandshake,
  connectHeaders,
  formatExtension,
  HandshakeError,
  type HeaderList,
  PerMessageDeflate,
  Protocol,
  type ProtocolEvent,
  parseExtensions,
  response,
  serverExtensionsHandshake,
} from '../../src/codec/index.ts'

/** Echoes messages on a stream that asks for a WebSocket, and refuses any other. */
function onStream(stream: ServerHttp2Stream, raw: readonly string[]): void {
  const headers: HeaderList = Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i] ?? '', raw[2 * i + 1] ?? ''])
  try {
    const request = checkExtendedConnect(headers)
    const supported = [new PerMessageDeflate({ threshold: 0 })]
    const { accepted, header } = serverExtensionsHandshake(request.extensions, supported)
    stream.respond(Object.fromEntries(connectHeaders({ subprotocol: request.subprotocols[0], extensions: header })))
    const protocol = new Protocol({ role: 'server', extensions: accepted })
    stream.on('data', (chunk: Uint8Array) => {
      for (const event of protocol.receiveData(new Uint8Array(chunk))) {
        if (event.type === 'CloseConnection') stream.end(protocol.send(response(event)))
        else if (event.type === 'Ping') stream.write(protocol.send(response(event)))
        else stream.write(protocol.send(event))
      }
    })
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    stream.respond({ ':status': error.status })
    stream.end(error.message)
  }
}

const CONNECT = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'http',
  ':path': '/chat',
  'sec-websocket-version': '13',
} as const

describe('on HTTP/2', () => {
  let server: Http2Server
  let session: ClientHttp2Session

  beforeAll(async () => {
    server = createServer({ settings: { enableConnectProtocol: true } })
    server.on('stream', (stream, _headers, _flags, raw) =>
      onStream(stream as ServerHttp2Stream, raw as unknown as string[]),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await once(session, 'remoteSettings')
  })

  afterAll(() => {
    session.destroy()
    server.close()
  })

  async function request(headers: Record<string, string>): Promise<[ClientHttp2Stream, IncomingHttpHeaders]> {
    const stream = session.request(headers)
    const [answer] = await once(stream, 'response')
    return [stream, answer]
  }

  /** Reads events until the stream ends or one is a Close. */
  async function events(stream: ClientHttp2Stream, protocol: Protocol): Promise<ProtocolEvent[]> {
    const seen: ProtocolEvent[] = []
    for await (const chunk of stream) seen.push(...protocol.receiveData(new Uint8Array(chunk)))
    return seen
  }

  test('P21 streams of one session carry one connection each, with subprotocol and compression', async () => {
    const talk = async (text: string): Promise<void> => {
      const offer = new PerMessageDeflate({ threshold: 0 })
      const [stream, answer] = await request({
        ...CONNECT,
        'sec-websocket-protocol': 'a, b',
        'sec-websocket-extensions': offer
          .offer()
          .map((list) => formatExtension(offer.name, list))
          .join(', '),
      })
      expect([answer[':status'] as unknown, answer['sec-websocket-protocol']]).toEqual([200, 'a'])
      const agreed = clientExtensionsHandshake(parseExtensions(answer['sec-websocket-extensions'] ?? ''), [offer])
      expect(agreed).toEqual([offer])
      const protocol = new Protocol({ role: 'client', extensions: agreed })
      stream.write(protocol.send({ type: 'TextMessage', data: text }))
      stream.write(protocol.send({ type: 'Ping', payload: new Uint8Array([7]) }))
      stream.write(protocol.send({ type: 'CloseConnection', code: 3000, reason: 'done' }))
      const seen = await events(stream, protocol)
      const echo = seen.map((event) => (event.type === 'TextMessage' ? event.data : '')).join('')
      expect(echo).toBe(text)
      expect(seen.slice(-2)).toEqual([
        { type: 'Pong', payload: new Uint8Array([7]) },
        { type: 'CloseConnection', code: 3000, reason: 'done' },
      ])
      expect(protocol.state).toBe('CLOSED')
    }
    await Promise.all([talk('over HTTP/2'), talk('x'.repeat(100_000)), talk('')])
  })

  test('R35 another :protocol is refused, and the session lives on', async () => {
    const [stream, answer] = await request({ ...CONNECT, ':protocol': 'connect-udp' })
    expect(answer[':status'] as unknown).toBe(501)
    stream.end()
    let body = ''
    for await (const chunk of stream) body += chunk
    expect(body).toBe("Header ':protocol' must be 'websocket' (RFC 8441 §5)")
    const [next, accepted] = await request(CONNECT)
    expect(accepted[':status'] as unknown).toBe(200)
    next.close()
  })
})
