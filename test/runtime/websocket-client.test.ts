/** The client of browsers and edges, over the `WebSocket` of this runtime, against our own server. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Hono } from 'hono'
import { HandshakeError } from '../../src/codec/errors.ts'
import type { Connection } from '../../src/connection/connection.ts'
import { WEBSOCKET_CAPABILITIES } from '../../src/runtime/accept-websocket.ts'
import { type Server, serve } from '../../src/runtime/server.ts'
import { type ClientOptions, connect, reconnect } from '../../src/runtime/websocket-client.ts'
import { Sock } from '../../src/sock/sock.ts'
import { ROOT } from '../subject/runtime.ts'

let server: Server
let url = ''
let ended: ((code: number) => void) | undefined

beforeAll(async () => {
  const app = new Hono()
  const sock = new Sock(app)
  sock.route('/echo', { subprotocols: ['v2'], onClose: ({ code }) => ended?.(code) }, async (ws) => {
    await ws.send('hello')
    for await (const message of ws) await ws.send(message)
  })
  sock.route('/bye', (ws) => ws.close(4123, 'bye'))
  app.get('/no', (c) => c.text('no', 403))
  server = await serve(app, { hostname: '127.0.0.1', port: 0 })
  url = server.url
})
afterAll(() => server.close())

test('S16 connect gives the connection of everywhere else', async () => {
  const ws: Connection = await connect(`${url}/echo`, { subprotocols: ['v1', 'v2'] })
  expect([ws.mode, ws.protocol, ws.readyState, ws.request]).toEqual(['websocket', 'v2', 1, undefined])
  expect(ws.capabilities).toEqual(WEBSOCKET_CAPABILITIES)
  expect(await ws.receive()).toBe('hello')
  await ws.send(new Uint8Array([1, 2]))
  await ws.send(new Blob(['blob']))
  expect(await ws.receive()).toEqual(new Uint8Array([1, 2]))
  expect(await ws.receiveBytes()).toEqual(new TextEncoder().encode('blob'))
  const told = new Promise<number>((resolve) => {
    ended = resolve
  })
  expect(await ws.close(1001)).toMatchObject({ code: 4001, wasClean: true, initiator: 'local' })
  expect(await told).toBe(4001)
})

test('S16 the end of the server is the end of iteration, with its code', async () => {
  const ws = await connect(`${url}/bye`)
  const end = await ws.receive().catch((error: unknown) => error)
  expect(end).toMatchObject({ name: 'ConnectionClosed', code: 4123, reason: 'bye', initiator: 'remote' })
})

test('S16 a refusal is a HandshakeError of status 0', async () => {
  const refused = await connect(`${url}/no`).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(HandshakeError)
  expect((refused as HandshakeError).status).toBe(0)
})

test('S16 connectTimeout and signal give up a server that says nothing', async () => {
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const target = `ws://127.0.0.1:${(silent.address() as { port: number }).port}/`
  await expect(connect(target, { connectTimeout: 30 })).rejects.toThrow('No connection within 30 ms')
  const reason = new Error('changed my mind')
  const abort = new AbortController()
  const dialling = connect(target, { signal: abort.signal })
  abort.abort(reason)
  await expect(dialling).rejects.toBe(reason)
  await expect(connect(target, { signal: abort.signal })).rejects.toBe(reason)
  silent.close()
})

test('S16 what a standard WebSocket cannot do is refused before a byte leaves, by name', async () => {
  for (const name of ['headers', 'tls', 'socketPath', 'maxRedirects']) {
    await expect(connect(`${url}/echo`, { [name]: 1 } as never)).rejects.toThrow(new RegExp(`^${name}: `))
  }
  await expect(connect('ws://user:secret@localhost/')).rejects.toThrow(TypeError)
  await expect(connect('ftp://localhost/')).rejects.toThrow(TypeError)
  await expect(connect(`${url}/echo`, { connectTimeout: -1 })).rejects.toThrow(
    new RangeError('connectTimeout must be a number of milliseconds from 1 to 2147483647, or Infinity; got -1'),
  )
})

test('S16 a wrong option is a TypeError before a byte leaves, and so it is at the call of reconnect', async () => {
  const wrong: [options: unknown, message: string][] = [
    [{ subprotocols: 'a b' }, 'subprotocols: not a token (RFC 6455 §4.1): "a b"'],
    [{ subprotocols: ['a', 'a'] }, 'subprotocols: one is listed twice (RFC 6455 §4.1)'],
    [{ subprotocols: 3 }, 'subprotocols: expected a string or a list of them, got number'],
    [{ foo: 1 }, 'Unknown option foo; known are subprotocols, connectTimeout, signal, maxMessageSize'],
    [{ signal: {} }, 'signal: expected an AbortSignal'],
    [null, 'must be an object, not null'],
    [['chat'], 'must be an object such as { subprotocols: [] }, not an array'],
  ]
  for (const [options, message] of wrong) {
    const refused = await connect(`${url}/echo`, options as ClientOptions).catch((error: unknown) => error)
    expect([refused instanceof TypeError, String(refused)]).toEqual([true, expect.stringContaining(message)])
    expect(() => reconnect(`${url}/echo`, options as ClientOptions)).toThrow(message)
  }
  expect(() => reconnect('ftp://localhost/')).toThrow(TypeError)
})

test('S16 reconnect yields one connection after the other', async () => {
  let turns = 0
  for await (const ws of reconnect(`${url}/echo`, { minDelay: 1 })) {
    expect(await ws.receive()).toBe('hello')
    if (++turns === 3) break
  }
  expect(turns).toBe(3)
})

test('S16 its bundle for browsers and edges holds no builtin', async () => {
  const built = await Bun.build({ entrypoints: [join(ROOT, 'src/runtime/websocket-client.ts')], target: 'browser' })
  const code = (await built.outputs[0]?.text()) ?? ''
  expect(code).toContain('HandshakeError')
  expect(code).not.toContain('node:')
})
