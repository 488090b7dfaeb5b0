/** What the compiler must infer and refuse; `tsc` is the test. */
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { z } from 'zod'
import type { Connection, Received, Sendable } from '../../src/connection/connection.ts'
import { Sock } from '../../src/sock/sock.ts'
import { upgrade } from '../../src/sock/upgrade.ts'

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

// The form of Hono: the Sock, or an annotation, tells the types of the context.
app.get(
  '/native/:room',
  async (_c, next) => next(),
  sock.upgrade((ws, c) => {
    same<typeof ws, Connection<Received, Sendable>>(true)
    same<typeof c.var.user, { name: string }>(true)
  }),
)
app.get(
  '/native/:room',
  sock.upgrade({ receive: From, beforeUpgrade: (c) => void c.var.user.name }, async (ws, c) => {
    const message = await ws.receive()
    same<typeof message, { n: number }>(true)
    same<typeof c.var.user, { name: string }>(true)
  }),
)
app.get(
  '/native/:room',
  upgrade((ws, c: Context<AppEnv, '/native/:room'>) => {
    same<typeof ws, Connection<Received, Sendable>>(true)
    same<typeof c.var.user, { name: string }>(true)
    const room = c.req.param('room')
    same<typeof room, string>(true)
    // @ts-expect-error no such variable
    c.var.nobody
  }),
)
app.get(
  '/native/:room',
  upgrade<AppEnv, '/native/:room'>((_ws, c) => {
    same<typeof c.var.user, { name: string }>(true)
  }),
)
app.get(
  '/native',
  upgrade({ receive: From, send: To }, async (ws, c) => {
    const message = await ws.receive()
    same<typeof message, { n: number }>(true)
    // @ts-expect-error a string is no message here
    await ws.send('x')
    c.req.param('room')
  }),
)
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
