/** What a connection keeps alive while its handler waits. */
import { expect, test } from 'bun:test'
import { type Context, Hono } from 'hono'
import type { Connection } from '../../src/connection/connection.ts'
import { Sock } from '../../src/sock/sock.ts'
import { MemoryUpgrader, UPGRADE_HEADERS } from './memory-connection.ts'

const CONNECTIONS = 40
/** The collector takes what it finds on the stack for a reference, so a few may stay. */
const STRAYS = 8

async function receiveAll(ws: Connection): Promise<void> {
  for await (const _ of ws);
}

/** How many contexts live on while so many handlers of a route wait for a message. */
async function contextsKept(register: (sock: Sock) => void): Promise<number> {
  const app = new Hono()
  const contexts: WeakRef<Context>[] = []
  app.use(async (c, next) => {
    contexts.push(new WeakRef(c))
    await next()
  })
  register(new Sock(app))
  const clients: Connection[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    const upgrader = new MemoryUpgrader()
    expect((await app.request('/x', { headers: UPGRADE_HEADERS }, upgrader.env)).status).toBe(101)
    clients.push(upgrader.open())
  }
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    Bun.gc(true)
  }
  const kept = contexts.filter((context) => context.deref() !== undefined).length
  expect(clients.every((client) => client.connected)).toBe(true)
  for (const client of clients) client.terminate()
  return kept
}

test('S23 a handler that waits and takes no context keeps none alive', async () => {
  expect(await contextsKept((sock) => sock.route('/x', receiveAll))).toBeLessThanOrEqual(STRAYS)
})

test('S23 a context that onError or the handler itself may want is kept', async () => {
  expect(await contextsKept((sock) => sock.route('/x', { onError: () => {} }, receiveAll))).toBe(CONNECTIONS)
  const late = async (ws: Connection, c: Context): Promise<void> => {
    await receiveAll(ws)
    c.get('name' as never)
  }
  expect(await contextsKept((sock) => sock.route('/x', late))).toBe(CONNECTIONS)
})
