/** What the compiler must infer and refuse; `tsc` is the test. */
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { hc } from 'hono/client'
import { createFactory, createMiddleware } from 'hono/factory'
import { validator } from 'hono/validator'
import * as v from 'valibot'
import { z } from 'zod'
import type { Connection, Received, Sendable } from '../../src/connection/connection.ts'
import type { DrainOptions } from '../../src/connection/live-connections.ts'
import type { ConnectionOptions } from '../../src/connection/options.ts'
import type { AcceptOptions } from '../../src/runtime/accept.ts'
import type { ReconnectOptions } from '../../src/runtime/reconnect.ts'
import type { ServeOptions } from '../../src/runtime/server-options.ts'
import type { MemoryClientOptions } from '../../src/runtime/testing.ts'
import type { ReconnectOptions as BrowserReconnectOptions } from '../../src/runtime/websocket-client.ts'
import type { Handler, RouteOptions, SockOptions } from '../../src/sock/route-options.ts'
import { type MountOptions, Sock } from '../../src/sock/sock.ts'
import { upgrade } from '../../src/sock/upgrade.ts'
import type { TopicsOptions } from '../../src/topic/topics.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_proof: Equal<A, B>): void {}

interface AppEnv {
  Bindings: { SECRET: string }
  Variables: { user: { name: string } }
}

const app = new Hono<AppEnv>()
const sock = new Sock(app)

// H5 H11: path parameters, Variables and Bindings.
const chat = sock.route('/chat/:room/:seat?', async (ws, c) => {
  same<typeof ws, Connection<Received, Sendable>>(true)
  same<ReturnType<typeof roomOf>, string>(true)
  function roomOf() {
    return c.req.param('room')
  }
  same<typeof c.var.user, { name: string }>(true)
  same<typeof c.env.SECRET, string>(true)
  const seat = c.req.param('seat')
  same<typeof seat, string | undefined>(true)
  const notRom = c.req.param('rom')
  same<typeof notRom, string | undefined>(true)
  // @ts-expect-error no such variable
  c.var.nobody
  // @ts-expect-error no such binding
  c.env.NOTHING
  for await (const message of ws) {
    same<typeof message, Received>(true)
    await ws.send(message)
  }
})

// H3: the handler comes back and serves another path.
sock.route('/also/:room', chat as never)
const echo = sock.route('/a', async (ws) => void (await ws.send('x')))
sock.route('/b', echo)

// H14: options are known by name.
sock.route(
  '/o',
  { maxMessageSize: 10, beforeUpgrade: (c) => (c.var.user.name ? undefined : c.text('no', 401)) },
  () => {},
)
// @ts-expect-error unknown option
sock.route('/o', { maxMesageSize: 10 }, () => {})
// @ts-expect-error wrong type
sock.route('/o', { maxMessageSize: '10' }, () => {})
// @ts-expect-error unknown option
new Sock(app, { maxMesageSize: 10 })
// @ts-expect-error schemas belong to routes
new Sock(app, { receive: z.string() })
new Sock(app, (c) => ({ maxMessageSize: c.env.SECRET.length }))
new Sock(app, { onError: (error, c) => console.error(error, c.var.user.name) })
sock.route(
  '/o/:id',
  (c) => ({ idleTimeout: c.req.param('id').length }),
  () => {},
)
sock.route(
  '/o/:id',
  async (c) => ({ origin: c.env.SECRET }),
  () => {},
)

// H5: base paths and groups.
const based = new Hono().basePath('/team/:team')
new Sock(based).route('/room/:room', (_ws, c) => {
  same<ReturnType<typeof team>, string>(true)
  function team() {
    return c.req.param('team')
  }
  const notTame = c.req.param('tame')
  same<typeof notTame, string | undefined>(true)
})
const admin = new Hono<{ Variables: { role: 'admin' } }>()
sock.route('/log/:level', { app: admin }, (_ws, c) => {
  same<typeof c.var.role, 'admin'>(true)
  c.req.param('level')
  const notLever = c.req.param('lever')
  same<typeof notLever, string | undefined>(true)
})
sock.group(admin, { maxConnections: 3 }).route('/x', (_ws, c) => {
  same<typeof c.var.role, 'admin'>(true)
})

// Typed messages: what comes is the output of the schema, what goes the input.
const From = z.object({ n: z.string().transform(Number) })
const To = z.object({ when: z.coerce.date(), note: z.string().default('') })
sock.route(
  '/typed/:id',
  { receive: From, send: To, onInvalid: (issues, ws) => void ws.send({ when: issues.length }) },
  async (ws, c) => {
    c.req.param('id')
    const message = await ws.receive()
    same<typeof message, { n: number }>(true)
    const maybe = await ws.receive({ timeout: 5 })
    same<typeof maybe, { n: number } | null>(true)
    for await (const each of ws) same<typeof each, { n: number }>(true)
    await ws.send({ when: 1 })
    // @ts-expect-error a string is no message here
    await ws.send('x')
    // @ts-expect-error wrong field
    await ws.send({ nope: 1 })
  },
)
sock.route('/valibot', { receive: v.object({ n: v.pipe(v.string(), v.transform(Number)) }) }, async (ws) => {
  const message = await ws.receive()
  same<typeof message, { n: number }>(true)
  await ws.send('without a send schema, anything goes')
  // @ts-expect-error no Sendable
  await ws.send(3)
})
sock.route(
  '/late',
  () => ({ receive: From }),
  async (ws) => {
    const message = await ws.receive()
    same<typeof message, { n: number }>(true)
  },
)
// @ts-expect-error no schema
sock.route('/none', { receive: { parse: JSON.parse } }, () => {})

// S12: the subprotocol is one of the list, or none.
sock.route('/sub', { subprotocols: ['v1', 'v2'] }, (ws) => {
  same<typeof ws.protocol, '' | 'v1' | 'v2'>(true)
  // @ts-expect-error not in the list
  ws.protocol === 'v3'
})
sock.route('/sub', { subprotocols: (offered) => offered[0] }, (ws) => {
  same<typeof ws.protocol, string>(true)
})

// H5 H11: the form of Hono. The handler knows the path, the variables of the application and what the middleware adds.
const session = createMiddleware<{ Variables: { session: { id: number } } }>(async (_c, next) => next())
const tenant = createMiddleware<{ Bindings: { TENANT: string } }>(async (_c, next) => next())
const plain: MiddlewareHandler = async (_c, next) => next()
const page = validator('query', () => ({ page: 1 }))
app.get(
  '/native/:room',
  upgrade((ws, c) => {
    same<typeof ws, Connection<Received, Sendable>>(true)
    const room = c.req.param('room')
    same<typeof room, string>(true)
    const notRom = c.req.param('rom')
    same<typeof notRom, string | undefined>(true)
    same<typeof c.var.user, { name: string }>(true)
    same<typeof c.env.SECRET, string>(true)
    // @ts-expect-error no such variable
    c.var.nobody
    // @ts-expect-error no such binding
    c.env.NOTHING
  }),
)
app.get(
  '/native/:room',
  async (c, next) => {
    const room = c.req.param('room')
    same<typeof room, string>(true)
    same<typeof c.var.user, { name: string }>(true)
    await next()
  },
  upgrade((_ws, c) => {
    const room = c.req.param('room')
    same<typeof room, string>(true)
    same<typeof c.var.user, { name: string }>(true)
  }),
)
app.get(
  '/native/:room/:seat?',
  session,
  upgrade((_ws, c) => {
    const room = c.req.param('room')
    same<typeof room, string>(true)
    const seat = c.req.param('seat')
    same<typeof seat, string | undefined>(true)
    same<typeof c.var.session, { id: number }>(true)
    same<typeof c.var.user, { name: string }>(true)
    // @ts-expect-error no such variable
    c.var.nobody
  }),
)
app.get(
  '/native/:room',
  plain,
  session,
  upgrade((_ws, c) => {
    const room = c.req.param('room')
    same<typeof room, string>(true)
    same<typeof c.var.session, { id: number }>(true)
    same<typeof c.var.user, { name: string }>(true)
  }),
)
app.get(
  '/native/:room',
  session,
  tenant,
  async (c, next) => {
    same<typeof c.var.session, { id: number }>(true)
    await next()
  },
  upgrade((_ws, c) => {
    const room = c.req.param('room')
    same<typeof room, string>(true)
    same<typeof c.var.session, { id: number }>(true)
    same<typeof c.env.TENANT, string>(true)
    same<typeof c.env.SECRET, string>(true)
  }),
)
app.get(
  '/native/:room',
  page,
  session,
  upgrade({ beforeUpgrade: (c) => void c.req.valid('query').page }, (_ws, c) => {
    same<ReturnType<typeof asked>, { page: number }>(true)
    function asked() {
      return c.req.valid('query')
    }
    const room = c.req.param('room')
    same<typeof room, string>(true)
    same<typeof c.var.session, { id: number }>(true)
    // @ts-expect-error not validated
    c.req.valid('json')
  }),
)

// Options are typed as well.
app.get(
  '/native/:room',
  session,
  upgrade(
    {
      receive: From,
      send: To,
      subprotocols: ['v1', 'v2'],
      connectionKey: (c) => `${c.req.param('room').length} ${c.var.session.id}`,
      beforeUpgrade: (c) => (c.var.user.name ? undefined : c.text(c.env.SECRET, 401)),
      onError: (_error, c, ws) => {
        void c.req.param('room').length
        void ws.send({ when: 1 })
      },
    },
    async (ws, c) => {
      const message = await ws.receive()
      same<typeof message, { n: number }>(true)
      same<typeof ws.protocol, '' | 'v1' | 'v2'>(true)
      // @ts-expect-error a string is no message here
      await ws.send('x')
      const room = c.req.param('room')
      same<typeof room, string>(true)
      same<typeof c.var.session, { id: number }>(true)
    },
  ),
)
app.get(
  '/native/:room',
  upgrade(
    (c) => ({ receive: From, idleTimeout: c.req.param('room').length }),
    async (ws, c) => {
      const message = await ws.receive()
      same<typeof message, { n: number }>(true)
      const room = c.req.param('room')
      same<typeof room, string>(true)
    },
  ),
)
app.get(
  '/native/:room',
  // @ts-expect-error unknown option
  upgrade({ maxMesageSize: 1 }, () => {}),
)

// Every method of the application that takes a handler.
app.all(
  '/native/:room',
  upgrade((_ws, c) => void c.req.param('room').length),
)
app.on(
  'GET',
  '/native/:room',
  upgrade((_ws, c) => void [c.req.param('room').length, c.var.user.name]),
)
app.on(
  ['GET', 'POST'],
  '/native/:room',
  session,
  upgrade((_ws, c) => {
    same<typeof c.var, Context<AppEnv & { Variables: { session: { id: number } } }>['var']>(true)
    void c.req.param('room').length
  }),
)
app.use(
  '/native/:room',
  upgrade((_ws, c) => void [c.req.param('room').length, c.var.user.name]),
)
app.use(
  '/native/:room',
  session,
  upgrade((_ws, c) => void [c.req.param('room').length, c.var.user.name, c.var.session.id]),
)
app
  .get('/native/:room', session)
  .get(upgrade((_ws, c) => void [c.req.param('room').length, c.var.user.name]))
  .get(
    session,
    upgrade((_ws, c) => void [c.req.param('room').length, c.var.user.name, c.var.session.id]),
  )

// Sub-applications and base paths.
const sub = new Hono<{ Variables: { role: 'admin' }; Bindings: { KEY: string } }>().basePath('/team/:team').get(
  '/log/:level',
  upgrade((_ws, c) => {
    const [team, level] = [c.req.param('team'), c.req.param('level')]
    same<typeof team, string>(true)
    same<typeof level, string>(true)
    const notTame = c.req.param('tame')
    same<typeof notTame, string | undefined>(true)
    same<typeof c.var.role, 'admin'>(true)
    same<typeof c.env.KEY, string>(true)
  }),
)
const whole = app.route('/sub', sub)

// The client of Hono finds the sockets of an application that is one expression.
hc<typeof whole>('http://localhost').sub.team[':team'].log[':level'].$ws({ param: { team: 'a', level: 'b' } })
const withText = new Hono()
  .get('/text', (c) => c.text('x'))
  .get(
    '/echo',
    session,
    upgrade(() => {}),
  )
hc<typeof withText>('http://localhost').echo.$ws()
// @ts-expect-error no socket
hc<typeof withText>('http://localhost').text.$ws()

// The Sock of an application knows it by itself; and what is written out holds.
app.get(
  '/native/:room',
  session,
  sock.upgrade({ receive: From, beforeUpgrade: (c) => void c.var.user.name }, async (ws, c) => {
    const message = await ws.receive()
    same<typeof message, { n: number }>(true)
    same<typeof c.var.user, { name: string }>(true)
    same<typeof c.var.session, { id: number }>(true)
    const room = c.req.param('room')
    same<typeof room, string>(true)
  }),
)
const apart = sock.upgrade((_ws, c) => {
  same<typeof c.var.user, { name: string }>(true)
})
app.get('/native/:room', apart)
app.get(
  '/native/:room',
  upgrade((_ws, c: Context<AppEnv, '/native/:room'>) => {
    const room = c.req.param('room')
    same<typeof room, string>(true)
  }),
)
const written = upgrade<AppEnv, '/native/:room'>((_ws, c) => {
  const room = c.req.param('room')
  same<typeof room, string>(true)
  same<typeof c.var.user, { name: string }>(true)
})
app.get('/native/:room', plain, plain, plain, plain, written)
createFactory<AppEnv>().createHandlers(plain, written)
const list: MiddlewareHandler[] = [plain, apart, written, upgrade(() => {})]
app.use(...list)

// Handlers that are none of ours are typed by Hono alone, with and without a socket behind or in front.
app.get('/native/:room', (c) => {
  const room = c.req.param('room')
  same<typeof room, string>(true)
  return c.text(c.var.user.name)
})
app.get(
  '/native/:room',
  session,
  createMiddleware(async (c, next) => {
    c.set('anything', 1)
    await next()
  }),
  (c) => c.text(`${c.var.session.id}`),
)
app.get('/native/:room', session, page, (c) => c.json(c.req.valid('query')))
app.get(
  '/native/:room',
  upgrade((_ws, c) => void c.req.param('room')),
  (c) => c.text(c.req.param('room')),
)
app.get(
  '/native',
  createMiddleware(async (c) => {
    c.set('anything', 1)
    return c.text('x')
  }),
)
app.get(
  '/native/:room',
  upgrade((_ws, c) => {
    const room = c.req.param('room')
    same<typeof room, string | undefined>(true)
  }),
  session,
  (c) => c.text(c.req.param('room') + c.var.session.id),
)
// @ts-expect-error a handler answers
app.get('/native', () => 3)
function takes(_app: Hono<AppEnv>): void {}
takes(app)
// @ts-expect-error an application of another kind
takes(new Hono<{ Variables: { other: 1 } }>())
// @ts-expect-error unknown option
upgrade({ maxMesageSize: 1 }, () => {})

// H2: a Sock without an application, for applications of one kind.
const late = new Sock<AppEnv>()
late.route('/x/:id', (_ws, c) => {
  same<typeof c.var.user, { name: string }>(true)
  c.req.param('id')
})
late.mount(app)
late.mount(new Hono<AppEnv>().basePath('/v2'), { basePath: '/ws' })
// @ts-expect-error the handlers read variables that this application has not
late.mount(new Hono<{ Variables: { other: 1 } }>())
new Sock().mount(new Hono()).mount(new Hono<AppEnv>())

// An application that knows its own routes for the client of Hono.
const chained = new Hono<AppEnv>().get('/json', (c) => c.json({ ok: true })).basePath('/deep')
new Sock(chained).route('/x/:id', (_ws, c) => {
  const id = c.req.param('id')
  same<typeof id, string>(true)
})
new Sock().group(chained).route('/y', (_ws, c) => void c.var.user.name)

// H20: what joins a topic can send, by a way of its own if it is no connection of ours; schemas do not matter.
sock.route('/topic', { receive: From, send: To }, (ws) => void sock.topic('a').subscribe(ws))
function _joins(ws: Connection<unknown, never>, rest: Omit<Connection, 'trySend'>): void {
  sock.topic('a').subscribe(ws)
  // @ts-expect-error no way to send
  sock.topic('a').subscribe(rest)
}

// S1: only who gives up can get nothing.
sock.route('/kinds', async (ws) => {
  const text = await ws.receiveText()
  same<typeof text, string>(true)
  const maybeText = await ws.receiveText({ timeout: 5 })
  same<typeof maybeText, string | null>(true)
  const length = (await ws.receiveBytes()).length + ((await ws.receiveBytes({ timeout: 5 }))?.length ?? 0)
  same<typeof length, number>(true)
  await (await ws.receiveStream()).cancel()
  // @ts-expect-error there may be none
  await (await ws.receiveStream({ timeout: 5 })).cancel()
})

// R12: bytes own their whole buffer, so whatever takes a BufferSource takes them.
sock.route('/bytes', async (ws) => {
  for await (const message of ws) {
    new Response(message)
    new Blob([message])
    if (typeof message !== 'string') await crypto.subtle.digest('SHA-256', message)
  }
  const bytes = await ws.receiveBytes()
  same<typeof bytes.buffer, ArrayBuffer>(true)
  const maybe = await ws.receiveBytes({ timeout: 5 })
  same<typeof maybe, Uint8Array<ArrayBuffer> | null>(true)
})

// H14: undefined counts as left out, also for a compiler that is exact about optional properties.
type TakesUndefined<T> = { [K in keyof T]-?: undefined } extends T ? true : false
same<TakesUndefined<ConnectionOptions>, true>(true)
same<TakesUndefined<Omit<RouteOptions, 'receive' | 'send'>>, true>(true)
same<TakesUndefined<SockOptions<AppEnv>>, true>(true)
same<TakesUndefined<MountOptions>, true>(true)
same<TakesUndefined<DrainOptions>, true>(true)
same<TakesUndefined<TopicsOptions>, true>(true)
same<TakesUndefined<ServeOptions>, true>(true)
same<TakesUndefined<AcceptOptions>, true>(true)
same<TakesUndefined<ReconnectOptions>, true>(true)
same<TakesUndefined<BrowserReconnectOptions>, true>(true)
same<TakesUndefined<MemoryClientOptions>, true>(true)

// H11: a handler that stands alone fits every application, and one that says its own only that one.
const alone: Handler = async (ws, c) => void (await ws.send(String(c.get('anything'))))
sock.route('/alone', alone)
new Sock(new Hono()).route('/alone', alone)
app.get('/alone', upgrade(alone))
const particular: Handler<AppEnv> = (_ws, c) => void c.var.user.name
sock.route('/particular', particular)
// @ts-expect-error reads variables that this application has not
new Sock(new Hono<{ Variables: { other: 1 } }>()).route('/particular', particular)
