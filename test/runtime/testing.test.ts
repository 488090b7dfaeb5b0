import { describe, expect, test } from 'bun:test'
import { type CloseInfo, type Connection, ConnectionClosed, HandshakeError, Sock } from 'fetch-sock'
import { connectInMemory } from 'fetch-sock/testing'
import { Hono } from 'hono'
import { setCookie } from 'hono/cookie'
import { FakeClock } from '../connection/fake-clock.ts'

const app = new Hono<{ Bindings: { greeting: string } }>()
const sock = new Sock(app, { permessageDeflate: true })
const ends: CloseInfo[] = []
const seen: Connection[] = []

app.use('/private/*', async (c) => c.json({ error: 'who are you' }, 401))
app.use('/room/*', async (c, next) => {
  await next()
  setCookie(c, 'seen', 'yes')
})
sock.route('/echo', { subprotocols: ['b', 'a'], onClose: (info) => void ends.push(info) }, async (ws) => {
  seen.push(ws)
  for await (const message of ws) await ws.send(message)
})
sock.route('/private/echo', async (ws) => void (await ws.receive()))
sock.route('/room/:name', async (ws, c) => {
  await ws.send(`${c.env.greeting} ${c.req.param('name')}`)
})
sock.route('/silent', { pingInterval: 1000, pongTimeout: 500, onClose: (info) => void ends.push(info) }, async (ws) => {
  await ws.receive()
})

async function nextEnd(): Promise<CloseInfo> {
  while (ends.length === 0) await new Promise((resolve) => setImmediate(resolve))
  return ends.shift() as CloseInfo
}

describe('handlers in memory', () => {
  test('H21 a real handler answers over the real codec, whatever the chunks', async () => {
    for (const split of [1, 7, 4096]) {
      const { ws, response } = await connectInMemory(app, '/echo', {
        subprotocols: ['x', 'a', 'b'],
        serverTransport: { split },
        clientTransport: { split },
      })
      expect(response.status).toBe(101)
      expect([ws.protocol, ws.extensions, ws.mode]).toEqual(['a', '', 'memory'])
      await ws.send('héllo')
      expect(await ws.receive()).toBe('héllo')
      await ws.send(new Uint8Array(70_000).fill(7))
      expect(((await ws.receive()) as Uint8Array).length).toBe(70_000)
      expect(await ws.close(3001, 'bye')).toMatchObject({ code: 3001, wasClean: true, initiator: 'local' })
      expect(await nextEnd()).toMatchObject({ code: 3001, reason: 'bye', initiator: 'remote' })
    }
  })

  test('H21 permessage-deflate is negotiated and used as over a socket', async () => {
    const { ws } = await connectInMemory(app, '/echo', { permessageDeflate: true })
    expect(ws.extensions).toStartWith('permessage-deflate')
    const text = 'the same words '.repeat(500)
    await ws.send(text)
    expect(await ws.receive()).toBe(text)
    await ws.close()
    expect(await nextEnd()).toMatchObject({ code: 1000 })
  })

  test('H21 parameters, bindings, middleware and its cookies are those of the route', async () => {
    const { ws, response } = await connectInMemory(app, '/room/lobby', { env: { greeting: 'welcome to' } })
    expect(await ws.receive()).toBe('welcome to lobby')
    expect(response.headers.getSetCookie()).toEqual(['seen=yes; Path=/'])
    expect(await ws.closed).toMatchObject({ code: 1000, initiator: 'remote' })
  })

  test('H21 a refusal is a HandshakeError with its answer', async () => {
    const refusal = await connectInMemory(app, '/private/echo').catch((error) => error)
    expect(refusal).toBeInstanceOf(HandshakeError)
    expect(refusal.status).toBe(401)
    expect(JSON.parse(new TextDecoder().decode(refusal.body))).toEqual({ error: 'who are you' })
    expect((await connectInMemory(app, '/nowhere').catch((error) => error)).status).toBe(404)
    await expect(connectInMemory(app, '/echo#part')).rejects.toThrow(TypeError)
  })

  test('H21 what concerns a network, and what is no application, is a TypeError that says so', async () => {
    const wrong: object = { connectTimeout: 5 }
    await expect(connectInMemory(app, '/echo', wrong)).rejects.toThrow('Unknown option connectTimeout')
    await expect(connectInMemory({} as typeof app, '/echo')).rejects.toThrow('must have a fetch method')
  })

  test('H21 faults of the network are at hand: a reset is 1006 on both sides', async () => {
    const { ws, transport } = await connectInMemory(app, '/echo')
    transport.reset()
    expect(await ws.receive().catch((error) => error)).toBeInstanceOf(ConnectionClosed)
    expect(await nextEnd()).toMatchObject({ code: 1006, initiator: 'transport' })
  })

  test('H21 time is the test’s: a silent peer is given up after the ping and its timeout', async () => {
    const clock = new FakeClock()
    const { transport } = await connectInMemory(app, '/silent', { clock, pingInterval: Number.POSITIVE_INFINITY })
    await clock.settle()
    transport.hold()
    clock.advance(1000)
    await clock.settle()
    clock.advance(1000)
    expect(await nextEnd()).toMatchObject({ code: 1006, reason: 'Ping timeout', initiator: 'local' })
  })

  test('R11 the handler holds one object for its whole life', async () => {
    seen.length = 0
    const { ws } = await connectInMemory(app, '/echo')
    await ws.send('x')
    await ws.receive()
    expect(new Set(seen).size).toBe(1)
    await ws.close()
    expect(await nextEnd()).toMatchObject({ code: 1000 })
  })
})
