/** How the connections of a Sock end together, in memory. What a server makes of it is in the contract for runtimes. */
import { describe, expect, test } from 'bun:test'
import { Hono } from 'hono'
import type { DrainOptions } from '../../src/connection/live-connections.ts'
import { connectInMemory } from '../../src/runtime/testing.ts'
import { Sock } from '../../src/sock/sock.ts'
import { upgrade } from '../../src/sock/upgrade.ts'
import { MemoryUpgrader, UPGRADE_HEADERS } from './memory-connection.ts'

const asUpgrade = { headers: UPGRADE_HEADERS }
const EMPTY = { clean: 0, terminated: 0, lost: 0, unfinished: 0 }

function endless(): Promise<void> {
  return new Promise(() => {})
}

describe('sock.drain', () => {
  test('R29 ends the connections of a Sock and of its groups, and nobody else’s', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    const sub = new Hono()
    const wait = async (ws: { readonly closed: Promise<unknown> }): Promise<void> => void (await ws.closed)
    sock.route('/own', wait)
    sock.group(sub, { maxConnections: 5 }).route('/group', wait)
    app.route('/sub', sub)
    app.get('/middleware', sock.upgrade(wait))
    app.get('/bare', upgrade(wait))
    new Sock(app).route('/other', wait)
    const open = async (path: string) => (await connectInMemory(app, path)).ws
    const [own, group, middleware] = [await open('/own'), await open('/sub/group'), await open('/middleware')]
    const [bare, other] = [await open('/bare'), await open('/other')]
    const report = await sock.drain({ code: 1012, reason: 'restart' })
    expect(report).toEqual({ ...EMPTY, clean: 3 })
    for (const ws of [own, group, middleware]) expect([ws.code, ws.reason]).toEqual([1012, 'restart'])
    for (const ws of [bare, other]) expect(ws.connected).toBe(true)
    for (const path of ['/own', '/sub/group', '/middleware']) {
      await expect(open(path)).rejects.toMatchObject({ status: 503 })
    }
    for (const path of ['/bare', '/other']) expect((await open(path)).connected).toBe(true)
  })

  test('R29 a connection that opens while the others end is closed as well, and counted', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    const work = Promise.withResolvers<void>()
    sock.route('/busy', () => work.promise)
    sock.route('/late', async (ws) => void (await ws.closed))
    const { ws: busy } = await connectInMemory(app, '/busy')
    const upgrader = new MemoryUpgrader()
    expect((await app.request('/late', asUpgrade, upgrader.env)).status).toBe(101)
    const report = sock.drain()
    await busy.closed
    const late = upgrader.open()
    expect((await late.closed).code).toBe(1001)
    work.resolve()
    expect(await report).toEqual({ ...EMPTY, clean: 2 })
  })

  test('R29 a connection that opens when the deadline is over is dropped; the report stays as it is', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    sock.route('/endless', endless)
    const { ws } = await connectInMemory(app, '/endless')
    const upgrader = new MemoryUpgrader()
    await app.request('/endless', asUpgrade, upgrader.env)
    const report = await sock.drain({ deadline: 20 })
    expect(report).toEqual({ ...EMPTY, clean: 1, unfinished: 1 })
    expect(ws.code).toBe(1001)
    expect((await upgrader.open().closed).code).toBe(1006)
    expect(await sock.drain()).toEqual({ ...EMPTY, clean: 1, unfinished: 1 })
  })

  test('R29 a peer that has left is lost; one that ended before, with its handler at work, is no more than unfinished', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    sock.route('/endless', endless)
    const { ws: gone } = await connectInMemory(app, '/endless')
    await gone.close()
    const { ws: leaving, transport } = await connectInMemory(app, '/endless')
    const report = sock.drain({ deadline: 50, spread: 40 })
    transport.reset()
    expect((await leaving.closed).code).toBe(1006)
    expect(await report).toEqual({ ...EMPTY, lost: 1, unfinished: 2 })
  })

  test('R29 the answer of an application that refuses stands, and from then on it is not asked', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    const [said, seen] = [Promise.withResolvers<Response | undefined>(), Promise.withResolvers<void>()]
    const beforeUpgrade = (): Promise<Response | undefined> => {
      seen.resolve()
      return said.promise
    }
    sock.route('/ask', { beforeUpgrade }, endless)
    const asked = app.request('/ask', asUpgrade, new MemoryUpgrader().env)
    await seen.promise
    expect(await sock.drain()).toEqual(EMPTY)
    said.resolve(new Response('who are you', { status: 401 }))
    expect((await asked).status).toBe(401)
    expect(await (await app.request('/ask', asUpgrade, new MemoryUpgrader().env)).text()).toBe(
      'Server is shutting down\n',
    )
  })

  test('H18 ws.signal is aborted for every handler, with how the connection ended', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    const reasons: unknown[] = []
    sock.route('/signal', async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      reasons.push(signal.reason)
    })
    for (let i = 0; i < 2; i++) await connectInMemory(app, '/signal')
    expect(await sock.drain({ code: 4000 })).toEqual({ ...EMPTY, clean: 2 })
    expect(reasons).toMatchObject([{ code: 4000 }, { code: 4000 }])
  })

  test('H14 a drain that cannot be is refused, and nothing ends', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    sock.route('/endless', endless)
    const { ws } = await connectInMemory(app, '/endless')
    const wrong: DrainOptions[] = [
      { code: 1006 },
      { reason: 'x'.repeat(124) },
      { deadline: -1 },
      { spread: Number.POSITIVE_INFINITY },
    ]
    for (const options of wrong) await expect(sock.drain(options)).rejects.toThrow(RangeError)
    expect(ws.connected).toBe(true)
    expect((await connectInMemory(app, '/endless')).ws.connected).toBe(true)
  })
})
