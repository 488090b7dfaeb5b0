/** `acceptWebSocket` on the `WebSocket` of this runtime, against our own server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import { acceptWebSocket } from '../../src/index.ts'
import { RAW_MODE } from '../../src/runtime/raw-mode.ts'
import { serve } from '../../src/runtime/server.ts'
import { Sock } from '../../src/sock/sock.ts'

const skip = 'WebSocket' in globalThis ? false : 'Node 20 has no WebSocket of its own'

test(`S17 ${RAW_MODE} a WebSocket that is open already`, { skip }, async () => {
  const app = new Hono()
  new Sock(app).route('/echo', { subprotocols: ['v1'] }, async (ws) => {
    for await (const message of ws) await ws.send(message)
  })
  await using server = await serve(app, { hostname: '127.0.0.1', port: 0 })
  const url = `${server.url.replace('http', 'ws')}/echo`
  const socket = new WebSocket(url, ['v1'])
  assert.throws(
    () => acceptWebSocket(socket),
    new TypeError('acceptWebSocket: the WebSocket must be open (readyState 1)'),
  )
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
  assert.throws(() => acceptWebSocket(socket, { maxMessageSize: -1 }), RangeError)
  assert.throws(() => acceptWebSocket(socket, { nonsense: 1 } as never), /nonsense/)
  const ws = acceptWebSocket(socket, { maxMessageSize: 100 })
  assert.deepEqual([ws.mode, ws.protocol, ws.url, ws.readyState, ws.connected], ['websocket', 'v1', url, 1, true])
  await ws.send('text')
  await ws.send(Uint8Array.of(1, 2))
  assert.equal(await ws.receive(), 'text')
  assert.deepEqual(await ws.receive(), Uint8Array.of(1, 2))
  await ws.send('x'.repeat(101))
  await assert.rejects(ws.receive(), { name: 'ConnectionClosed', code: 4009, initiator: 'local' })
  assert.throws(() => acceptWebSocket(socket), TypeError)
})

test(`S17 ${RAW_MODE} the end of an open WebSocket is told as everywhere`, { skip }, async () => {
  const app = new Hono()
  new Sock(app).route('/bye', async (ws) => {
    await ws.receive()
    await ws.close(4123, 'bye')
  })
  await using server = await serve(app, { hostname: '127.0.0.1', port: 0 })
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/bye`)
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }))
  const ws = acceptWebSocket(socket)
  await ws.send('go')
  assert.deepEqual(await ws.closed, { code: 4123, reason: 'bye', wasClean: true, initiator: 'remote' })
})
