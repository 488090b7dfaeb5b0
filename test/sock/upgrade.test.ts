import { afterEach, beforeEach, describe, expect, mock, spyOn, test } from 'bun:test'
import { createServer } from 'node:http'
import { Hono } from 'hono'
import { Sock } from '../../src/sock/sock.ts'
import { upgrade } from '../../src/sock/upgrade.ts'
import { MemoryUpgrader, UPGRADE_HEADERS } from './memory-connection.ts'

const asUpgrade = { headers: UPGRADE_HEADERS }

function restoreConsole(): void {
  mock.restore()
}

let reported: unknown[][] = []
beforeEach(() => {
  reported = []
  spyOn(console, 'error').mockImplementation((...line: unknown[]) => void reported.push(line))
})
afterEach(restoreConsole)

describe('without a connection', () => {
  test('H17 no adapter: 501 whose body says what to do', async () => {
    const app = new Hono()
    new Sock(app).route('/x', () => {})
    // The last is that of @hono/node-server, to which nobody has attached.
    for (const env of [undefined, {}, { other: 1 }, { incoming: { socket: { server: createServer() } } }]) {
      const answer = await app.request('/x', asUpgrade, env)
      expect(answer.status).toBe(501)
      const body = await answer.text()
      expect(body).toContain('No adapter')
      expect(body).toContain('serve() from fetch-sock/server')
      expect(body).toContain('docs/runtimes.md')
    }
  })

  test('R1 the peer leaves before the 101: the handler never starts and the place is free', async () => {
    const app = new Hono()
    let started = 0
    new Sock(app).route('/x', { maxConnections: 1 }, () => void started++)
    for (let i = 0; i < 3; i++) {
      const upgrader = new MemoryUpgrader()
      expect((await app.request('/x', asUpgrade, upgrader.env)).status).toBe(101)
      expect((await app.request('/x', asUpgrade, upgrader.env)).status).toBe(503)
      upgrader.drop()
      await upgrader.handled
    }
    expect(started).toBe(0)
  })

  test('H17 an upgrader that fails late is reported, and the place is free', async () => {
    const app = new Hono()
    new Sock(app).route('/x', { maxConnections: 1 }, () => {})
    const upgrader = new MemoryUpgrader()
    await app.request('/x', asUpgrade, upgrader.env)
    upgrader.fail(new Error('socket trouble'))
    await upgrader.handled
    expect(reported).toEqual([[expect.stringContaining('/x'), new Error('socket trouble')]])
    expect((await app.request('/x', asUpgrade, new MemoryUpgrader().env)).status).toBe(101)
  })

  test('H17 an upgrader that throws is a 500, and the place is free', async () => {
    const app = new Hono()
    app.onError((error, c) => c.text(error.message, 500))
    new Sock(app).route('/x', { maxConnections: 1 }, () => {})
    const broken = new MemoryUpgrader()
    broken.upgrade = () => {
      throw new Error('cannot')
    }
    const answer = await app.request('/x', asUpgrade, broken.env)
    expect([answer.status, await answer.text()]).toEqual([500, 'cannot'])
    expect((await app.request('/x', asUpgrade, new MemoryUpgrader().env)).status).toBe(101)
  })

  test('H12 a connectionKey that is no string is an error, since it would count for nobody', async () => {
    const kinds: [key: () => unknown, got: string][] = [
      [() => Promise.resolve('ada'), 'a Promise'],
      [() => Promise.reject(new Error('no session')), 'a Promise'],
      [() => 7, 'number'],
      [() => null, 'null'],
    ]
    for (const [connectionKey, got] of kinds) {
      const app = new Hono()
      app.onError((error, c) => c.text(error.message, 500))
      const sock = new Sock(app, { maxConnections: 1 })
      sock.route('/x', { maxConnectionsPerKey: 1, connectionKey } as object, () => {})
      sock.route('/y', () => {})
      const answer = await app.request('/x', asUpgrade, new MemoryUpgrader().env)
      const message = `connectionKey must give a string or undefined, at once; got ${got}`
      expect([answer.status, await answer.text()]).toEqual([500, message])
      expect((await app.request('/y', asUpgrade, new MemoryUpgrader().env)).status).toBe(101)
    }
  })

  test('H12 what beforeUpgrade does after the deadline changes nothing', async () => {
    const app = new Hono()
    let fail = (_error: Error): void => {}
    const late = new Promise<void>((_, reject) => {
      fail = reject
    })
    new Sock(app).route('/x', { handshakeTimeout: 5, beforeUpgrade: () => late }, () => {})
    const upgrader = new MemoryUpgrader()
    expect((await app.request('/x', asUpgrade, upgrader.env)).status).toBe(503)
    fail(new Error('much later'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(upgrader.acceptances).toEqual([])
  })

  test('H12 a place taken after the deadline is none: origin and options may be slow as well', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    const asked = [Promise.withResolvers<boolean>(), Promise.withResolvers<boolean>()]
    let questions = 0
    const origin = (): Promise<boolean> | undefined => asked[questions++]?.promise
    sock.route('/x', { handshakeTimeout: 50, maxConnections: 1, origin: origin as never }, () => {})
    expect((await app.request('/x', asUpgrade, new MemoryUpgrader().env)).status).toBe(503)
    asked[0]?.resolve(true)
    await asked[0]?.promise
    asked[1]?.resolve(true)
    expect((await app.request('/x', asUpgrade, new MemoryUpgrader().env)).status).toBe(101)
    expect(questions).toBe(2)
  })
})

describe('subprotocols', () => {
  test('S12 a function is not asked when the client offers none, and cannot choose what it did not offer', async () => {
    const app = new Hono()
    app.onError((error, c) => c.text(error.message, 500))
    const asked: unknown[] = []
    const subprotocols = (offered: readonly string[]): string => {
      asked.push(offered)
      return 'mine'
    }
    new Sock(app).route('/x', { subprotocols }, () => {})
    const upgrader = new MemoryUpgrader()
    expect((await app.request('/x', asUpgrade, upgrader.env)).status).toBe(101)
    expect([asked, upgrader.acceptances[0]?.subprotocol]).toEqual([[], undefined])
    const headers = { ...UPGRADE_HEADERS, 'Sec-WebSocket-Protocol': 'a,b' }
    const answer = await app.request('/x', { headers }, upgrader.env)
    expect([answer.status, await answer.text()]).toEqual([
      500,
      'subprotocols chose "mine", which the client did not offer',
    ])
    expect(asked).toEqual([['a', 'b']])
    expect(upgrader.acceptances.length).toBe(1)
  })
})

describe('what else is on the path', () => {
  test('H15 HEAD gets 426 like GET', async () => {
    const app = new Hono()
    new Sock(app).route('/x', () => {})
    const answer = await app.request('/x', { method: 'HEAD' })
    expect([answer.status, answer.headers.get('upgrade')]).toEqual([426, 'websocket'])
  })

  test('H15 the 404 of an endpoint in a sub-application with an error handler of its own stands', async () => {
    const app = new Hono()
    new Sock(app).route('/sub/x', () => {})
    const sub = new Hono().onError((_error, c) => c.text('error', 500))
    sub.get('/x', (c) => c.text('gone', 404))
    app.route('/sub', sub)
    const answer = await app.request('/sub/x')
    expect([answer.status, await answer.text()]).toEqual([404, 'gone'])
  })

  test("H15 the application's own page for nobody becomes 426, and its headers stay", async () => {
    const app = new Hono()
    app.notFound((c) => c.html('<h1>Nobody</h1>', 404))
    app.use(async (c, next) => {
      c.header('X-Front', '1')
      await next()
    })
    new Sock(app).route('/x', () => {})
    app.use('*', (_c, next) => next())
    const answer = await app.request('/x')
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('x-front')]).toEqual([
      426,
      'text/plain; charset=UTF-8',
      '1',
    ])
    expect(await answer.text()).toContain('WebSocket')
  })

  test('H15 a static file behind the route is served', async () => {
    const app = new Hono()
    new Sock(app).route('/x', () => {})
    app.get('*', async (c, next) => (c.req.path === '/x' ? c.text('file') : next()))
    expect(await (await app.request('/x')).text()).toBe('file')
  })
})

describe('with a connection', () => {
  test('H14 S12 the upgrader gets the options of all layers and the subprotocol', async () => {
    const app = new Hono<{ Bindings: { limit: number } }>()
    const sub = new Hono<{ Bindings: { limit: number } }>()
    const sock = new Sock(app, (c) => ({ maxMessageSize: c.env.limit, idleTimeout: 1, pingInterval: 1 }))
    const group = sock.group(sub, { idleTimeout: 2, pingInterval: 2 })
    group.route('/x', { pingInterval: 3, subprotocols: ['b'] }, () => {})
    app.route('/sub', sub)
    const upgrader = new MemoryUpgrader()
    const headers = { ...UPGRADE_HEADERS, 'Sec-WebSocket-Protocol': 'a, b' }
    await app.request('/sub/x', { headers }, { ...upgrader.env, limit: 77 })
    const [acceptance] = upgrader.acceptances
    expect(acceptance?.subprotocol).toBe('b')
    expect(acceptance?.options).toMatchObject({
      maxMessageSize: 77,
      idleTimeout: 2,
      pingInterval: 3,
      closeTimeout: 10_000,
    })
  })

  test('H18 handled resolves when the handler has ended, after the connection', async () => {
    const app = new Hono()
    let finish = (): void => {}
    app.get(
      '/x',
      upgrade(async (ws) => {
        await ws.closed
        await new Promise<void>((resolve) => {
          finish = resolve
        })
      }),
    )
    const upgrader = new MemoryUpgrader()
    await app.request('/x', asUpgrade, upgrader.env)
    let handled = false
    void upgrader.handled.then(() => {
      handled = true
    })
    const client = upgrader.open()
    await client.close()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(handled).toBe(false)
    finish()
    await upgrader.handled
    expect(handled).toBe(true)
  })

  test('H12 a place is free when the connection has ended, although its handler goes on', async () => {
    const app = new Hono()
    new Sock(app).route('/x', { maxConnections: 1 }, () => new Promise(() => {}))
    const upgrader = new MemoryUpgrader()
    await app.request('/x', asUpgrade, upgrader.env)
    const client = upgrader.open()
    expect((await app.request('/x', asUpgrade, new MemoryUpgrader().env)).status).toBe(503)
    await client.close()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await app.request('/x', asUpgrade, new MemoryUpgrader().env)).status).toBe(101)
  })

  test('H9 without onError an error is reported once, with the path, and so is one in onClose', async () => {
    const app = new Hono()
    const onClose = (): void => {
      throw new Error('in onClose')
    }
    new Sock(app, { onClose }).route('/room/:id', () => {
      throw new Error('in the handler')
    })
    const upgrader = new MemoryUpgrader()
    await app.request('/room/1', asUpgrade, upgrader.env)
    const client = upgrader.open()
    expect(await client.closed).toMatchObject({ code: 1011, reason: '' })
    await upgrader.handled
    expect(reported).toEqual([
      [expect.stringContaining('/room/1'), new Error('in the handler')],
      [expect.stringContaining('/room/1'), new Error('in onClose')],
    ])
  })

  test('H18 handled waits for an onError that takes its time', async () => {
    const app = new Hono()
    const written = Promise.withResolvers<void>()
    new Sock(app, { onError: () => written.promise }).route('/x', () => Promise.reject(new Error('x')))
    const upgrader = new MemoryUpgrader()
    await app.request('/x', asUpgrade, upgrader.env)
    const client = upgrader.open()
    let handled = false
    void upgrader.handled.then(() => {
      handled = true
    })
    await client.closed
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(handled).toBe(false)
    written.resolve()
    await upgrader.handled
  })

  test('R10 an error in onClose while the handler goes on is reported at once', async () => {
    const app = new Hono()
    const onClose = (): Promise<never> => Promise.reject(new Error('in onClose'))
    new Sock(app, { onClose }).route('/x', () => new Promise(() => {}))
    const upgrader = new MemoryUpgrader()
    await app.request('/x', asUpgrade, upgrader.env)
    await upgrader.open().close()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(reported).toEqual([[expect.stringContaining('/x'), new Error('in onClose')]])
  })

  test('H9 an onError that never ends holds nobody', async () => {
    const app = new Hono()
    new Sock(app, { onError: () => new Promise(() => {}) }).route('/x', () => Promise.reject(new Error('x')))
    const upgrader = new MemoryUpgrader()
    await app.request('/x', asUpgrade, upgrader.env)
    expect(await upgrader.open().closed).toMatchObject({ code: 1011 })
  })
})
