/** Compressed conversations over sockets, with the deflate of `ws` and the one that Bun has built in, on both sides. */
import { afterAll, expect, test } from 'bun:test'
import { once } from 'node:events'
import net from 'node:net'
// By path: a bare 'ws' is Bun's own.
import WebSocketOfWs, { WebSocketServer } from '../../node_modules/ws/wrapper.mjs'
import type { DeflateOptions } from '../../src/codec/deflate-parameters.ts'
import { PerMessageDeflate } from '../../src/codec/permessage-deflate.ts'
import { WSConnection } from '../../src/codec/ws-connection.ts'
import { TAKEOVER } from './deflate-pair.ts'

const MESSAGES: string[] = [
  'Hello',
  '',
  '{"id":1,"name":"user"}'.repeat(7),
  '{"id":1,"name":"user"}'.repeat(7),
  '{"id":1,"name":"user"}'.repeat(60),
  Array.from({ length: 9_000 }, (_, i) => `${(i * 7_919) % 10_007},`).join(''),
  'ä€𐍈'.repeat(10_000),
  'a'.repeat(900_000),
  'Hello',
]

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/** Sends every message through an echo with a client of ours; returns what came back, and the extensions. */
async function converse(port: number, options: DeflateOptions): Promise<{ echoes: string[]; extensions: number }> {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const connection = new WSConnection('client')
  const extension = new PerMessageDeflate({ threshold: 0, ...options })
  const write = (bytes: Uint8Array): void => {
    if (bytes.length > 0) socket.write(Buffer.from(bytes))
  }
  write(connection.send({ type: 'Request', host: `127.0.0.1:${port}`, target: '/', extensions: [extension] }))
  const echoes: string[] = []
  let text = ''
  let extensions = 0
  const done = new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const event of connection.receiveData(Buffer.from(chunk))) {
          if (event.type === 'AcceptConnection') {
            extensions = event.extensions.length
            for (const data of MESSAGES) write(connection.send({ type: 'TextMessage', data }))
          } else if (event.type === 'TextMessage') {
            text += event.data
            if (!event.messageFinished) continue
            echoes.push(text)
            text = ''
            if (echoes.length === MESSAGES.length) write(connection.send({ type: 'CloseConnection', code: 1000 }))
          } else if (event.type === 'CloseConnection') {
            socket.end()
          }
        }
      } catch (error) {
        reject(error)
      }
    })
  })
  await done
  return { echoes, extensions }
}

/** Echo server of ours. Returns its port, and counts what it agreed on. */
async function ourServer(options: DeflateOptions): Promise<{ port: number; agreed: () => number }> {
  let agreed = 0
  const server = net.createServer((socket) => {
    const connection = new WSConnection('server')
    let text = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      for (const event of connection.receiveData(Buffer.from(chunk))) {
        if (event.type === 'Request') {
          const extensions = [new PerMessageDeflate({ threshold: 0, ...options })]
          socket.write(Buffer.from(connection.send({ type: 'AcceptConnection', extensions })))
          agreed += connection.connection?.extensions.length ?? 0
        } else if (event.type === 'TextMessage') {
          text += event.data
          if (!event.messageFinished) continue
          socket.write(Buffer.from(connection.send({ type: 'TextMessage', data: text })))
          text = ''
        } else if (event.type === 'CloseConnection') {
          socket.end(Buffer.from(connection.send(event)))
        }
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  return { port: (server.address() as net.AddressInfo).port, agreed: () => agreed }
}

for (const [name, options] of [
  ['without takeover', {}],
  ['with takeover', TAKEOVER],
] as const) {
  test(`S13 P13 R15 a client of ours and Bun.serve, ${name}`, async () => {
    for (const perMessageDeflate of [true, { compress: 'dedicated', decompress: 'dedicated' } as const]) {
      const server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        fetch: (request, host) => (host.upgrade(request) ? undefined : new Response(null, { status: 400 })),
        websocket: { perMessageDeflate, message: (socket, message) => void socket.send(message, true) },
      })
      const { echoes, extensions } = await converse(server.port as number, options)
      await server.stop(true)
      expect(extensions).toBe(1)
      expect(echoes).toEqual(MESSAGES)
    }
  })

  test(`S13 P13 a client of ours and a server of ws, ${name}`, async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } })
    await once(server, 'listening')
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))))
    const { echoes, extensions } = await converse((server.address() as net.AddressInfo).port, options)
    await new Promise((resolve) => server.close(resolve))
    expect(extensions).toBe(1)
    expect(echoes).toEqual(MESSAGES)
  })

  test(`S13 P13 a server of ours and clients of ws and Bun, ${name}`, async () => {
    const { port, agreed } = await ourServer(options)
    for (const [i, Client] of [WebSocketOfWs, WebSocket].entries()) {
      const client = new Client(`ws://127.0.0.1:${port}/`) as WebSocket
      const echoes: unknown[] = []
      await new Promise<void>((resolve, reject) => {
        client.onerror = () => reject(new Error('The client failed'))
        client.onclose = () => resolve()
        client.onopen = () => {
          for (const message of MESSAGES) client.send(message)
        }
        client.onmessage = ({ data }) => {
          if (echoes.push(data) === MESSAGES.length) client.close()
        }
      })
      expect(echoes).toEqual(MESSAGES)
      expect(agreed()).toBe(i + 1)
    }
  })
}
