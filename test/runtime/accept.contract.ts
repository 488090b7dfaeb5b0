/** `accept` on sockets of servers that are not ours, on any runtime. */
import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { HandshakeError } from '../../src/codec/errors.ts'
import type { Connection } from '../../src/connection/connection.ts'
import { type MemoryTransport, memoryTransportPair } from '../../src/connection/memory-transport.ts'
import { RAW_MODE } from '../../src/runtime/raw-mode.ts'
import { accept } from '../../src/runtime/server.ts'
import { closeFrame, frame, request, serverFrame, UPGRADE, WireClient } from './wire-client.ts'

const HEADERS = {
  host: 'example.org',
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function echo(ws: Connection): Promise<void> {
  for await (const message of ws) await ws.send(message)
}

test(`S17 ${RAW_MODE} (req, socket, head) of a server of node:http`, async () => {
  const server = createHttpServer()
  let connection: Connection | undefined
  let ended: Promise<void> | undefined
  server.on('upgrade', (incoming, socket, head) => {
    connection = accept(incoming, socket, head, {
      subprotocols: ['two', 'one'],
      permessageDeflate: true,
      responseHeaders: [['X-Own', 'yes']],
    })
    ended = echo(connection)
  })
  const client = await WireClient.open({ port: await listening(server) })
  const offers = ['Sec-WebSocket-Protocol: one, two', 'Sec-WebSocket-Extensions: permessage-deflate']
  client.send(request('/path?a=1', [...UPGRADE, ...offers]) + frame('early'))
  const { headers } = await client.response(101)
  assert.ok(headers.includes('x-own: yes'))
  assert.ok(headers.includes('sec-websocket-protocol: one'))
  assert.ok(headers.some((line) => line.startsWith('sec-websocket-extensions: permessage-deflate')))
  await client.until(serverFrame('early'))
  assert.equal(connection?.url, 'http://localhost/path?a=1')
  assert.equal(connection?.mode, RAW_MODE)
  assert.equal(connection?.protocol, 'one')
  assert.equal(connection?.remoteAddress, '127.0.0.1')
  client.send(closeFrame(1000))
  await client.untilEnd()
  await ended
  assert.equal((await connection?.closed)?.code, 1000)
  client.socket.destroy()
  server.close()
})

test(`S17 ${RAW_MODE} a socket of node:net and headers in an object`, async () => {
  let connection: Connection | undefined
  const server = createServer((socket: Socket) => {
    // Whoever has parsed the request took it off the socket; what came behind it is the head.
    connection = accept({ url: '/net', headers: HEADERS }, socket, Buffer.from(frame('head'), 'latin1'))
    void echo(connection).catch(() => {})
  })
  const client = await WireClient.open({ port: await listening(server) })
  await client.until('101 Switching Protocols')
  await client.until(serverFrame('head'))
  client.socket.destroy()
  assert.equal((await connection?.closed)?.code, 1006)
  server.close()
})

test(`S17 ${RAW_MODE} a Duplex that is no socket, and Headers`, async () => {
  const toPeer: Buffer[] = []
  let wake = (): void => {}
  const duplex = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      toPeer.push(chunk)
      wake()
      done()
    },
  })
  const connection = accept({ headers: new Headers(HEADERS) }, duplex)
  const until = async (wanted: string): Promise<void> => {
    while (!Buffer.concat(toPeer).toString('latin1').includes(wanted)) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  await until('101 Switching Protocols')
  duplex.push(Buffer.from(frame('in memory'), 'latin1'))
  assert.equal(await connection.receive(), 'in memory')
  await connection.send('answer')
  await until(serverFrame('answer'))
  await connection.send('second')
  // The chunk of the first answer is still held, and the second was encoded after it had left.
  await until(serverFrame('answer') + serverFrame('second'))
  duplex.push(null)
  assert.equal((await connection.closed).code, 1006)
})

/** What the other end of a transport in memory has got. */
function collect(transport: MemoryTransport): { until(wanted: string): Promise<void>; readonly ended: Promise<void> } {
  let text = ''
  let wake = (): void => {}
  const ended = new Promise<void>((resolve) => {
    transport.attach({
      onData: (chunk) => {
        text += Buffer.from(chunk).toString('latin1')
        wake()
      },
      onDrain: () => {},
      onEnd: resolve,
      onClose: () => {},
    })
  })
  const until = async (wanted: string): Promise<void> => {
    while (!text.includes(wanted)) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { until, ended }
}

const { host: _, ...WITHOUT_HOST } = HEADERS

test(`S17 ${RAW_MODE} a Request of Fetch and a transport of bytes`, async () => {
  const [ours, theirs] = memoryTransportPair()
  const peer = collect(theirs)
  const asked = new Request('https://example.org/path?a=1', { headers: WITHOUT_HOST })
  const head = Buffer.from(frame('early'), 'latin1')
  const connection = accept(asked, ours, head, { responseHeaders: [['X-Own', 'yes']] })
  const ended = echo(connection)
  await peer.until('HTTP/1.1 101 Switching Protocols\r\n')
  await peer.until('X-Own: yes\r\n')
  await peer.until(serverFrame('early'))
  theirs.write(Buffer.from(frame('later'), 'latin1'))
  await peer.until(serverFrame('later'))
  assert.equal(connection.url, 'https://example.org/path?a=1')
  assert.equal(connection.request, asked)
  theirs.write(Buffer.from(closeFrame(1000), 'latin1'))
  await ended
  await peer.ended
  assert.equal((await connection.closed).code, 1000)
})

test(`S17 R27 ${RAW_MODE} a Request that cannot be upgraded is refused on its transport, and thrown`, async () => {
  const [ours, theirs] = memoryTransportPair()
  const peer = collect(theirs)
  const wrong = new Request('http://example.org/', { headers: { ...WITHOUT_HOST, 'sec-websocket-version': '8' } })
  assert.throws(() => accept(wrong, ours), { name: 'HandshakeError', status: 426 })
  await peer.until('HTTP/1.1 426 Upgrade Required\r\n')
  await peer.ended
})

test(`S17 R27 ${RAW_MODE} a request that cannot be upgraded is refused and thrown`, async () => {
  const cases: [string, number, RegExp][] = [
    [request('/', UPGRADE, 'POST'), 405, /allow: get/i],
    [request('/', UPGRADE).replace('Version: 13', 'Version: 12'), 426, /sec-websocket-version: 13/i],
    [request('/', UPGRADE).replace('Version: 13', 'Version: 12'), 426, /\r\nupgrade: websocket\r\n/i],
    [request('/', UPGRADE).replace('Version: 13', 'Version: 12'), 426, /\r\nconnection: upgrade\r\n/i],
    [request('/', [...UPGRADE, 'Sec-WebSocket-Key: x']), 400, /'Sec-WebSocket-Key' must occur once/],
  ]
  for (const [text, status, said] of cases) {
    const server = createHttpServer()
    const thrown = new Promise<unknown>((resolve) => {
      server.on('upgrade', (incoming, socket, head) => {
        try {
          accept(incoming, socket, head)
        } catch (error) {
          resolve(error)
        }
      })
    })
    const client = await WireClient.open({ port: await listening(server) })
    await client.send(text).response(status)
    assert.match(await client.untilEnd(), said)
    const error = await thrown
    assert.ok(error instanceof HandshakeError)
    assert.equal(error.status, status)
    client.socket.destroy()
    server.close()
  }
})

test(`S17 ${RAW_MODE} a request target that is none is refused and thrown`, async () => {
  const server = createServer((socket) => {
    assert.throws(() => accept({ url: '*', headers: HEADERS }, socket), HandshakeError)
  })
  using client = await WireClient.open({ port: await listening(server) })
  await client.response(400)
  assert.match(await client.untilEnd(), /Request target must be a path/)
  server.close()
})

test(`S17 ${RAW_MODE} wrong options are thrown, and nothing is sent`, async () => {
  const server = createServer((socket) => {
    assert.throws(() => accept({ headers: HEADERS }, socket, undefined, { maxMessageSize: -1 }), RangeError)
    const subprotocols = 'chat.v2' as unknown as string[]
    assert.throws(() => accept({ headers: HEADERS }, socket, undefined, { subprotocols }), /must be a list of tokens/)
    const responseHeaders = [['X-Bad', 'a\r\nb']] as const
    assert.throws(() => accept({ headers: HEADERS }, socket, undefined, { responseHeaders }), TypeError)
    socket.end('nothing')
  })
  const port = await listening(server)
  const socket = connect(port, '127.0.0.1')
  let text = ''
  for await (const chunk of socket) text += chunk
  assert.equal(text, 'nothing')
  server.close()
})
