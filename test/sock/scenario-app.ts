/**
 * An application with a route for every row about routes. It runs unchanged on every runtime; what happens inside is
 * read from outside, at `/log/:run`.
 */
import { type Connection, ConnectionClosed, Sock, upgrade } from 'fetch-sock'
import { type Context, Hono } from 'hono'
import { deleteCookie, setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { logger } from 'hono/logger'
import * as v from 'valibot'
import { z } from 'zod'

interface ScenarioEnv {
  Variables: { user: string }
}

export const app: Hono<ScenarioEnv> = new Hono<ScenarioEnv>()

const logs = new Map<string, string[]>()

/** Every client names its run, so that runs do not see each other. */
function note(c: Context, event: string): void {
  const run = c.req.query('run') ?? ''
  const log = logs.get(run) ?? []
  log.push(event)
  logs.set(run, log)
}

app.get('/log/:run', (c) => c.json(logs.get(c.req.param('run')) ?? []))

const sock = new Sock(app, {
  closeTimeout: 2000,
  onClose: (info, c) => note(c, `onClose ${info.code} ${info.wasClean} ${info.initiator}`),
  onError: (error, c) => note(c, `onError ${error instanceof Error ? error.message : String(error)}`),
})

// H3, H6: one handler, two paths, the loop of flask-sock.
const echo = sock.route('/echo', async (ws) => {
  for (;;) {
    const message = await ws.receive()
    void ws.send(message)
  }
})
sock.route('/echo-again', echo)
sock.route('/iterate', async (ws) => {
  for await (const message of ws) {
    if (message === 'stop') break
    await ws.send(message)
  }
})

// H2: routes first, applications later.
const late = new Sock<ScenarioEnv>()
late.route('/early/:x', (ws, c) => ws.send(`early ${c.req.param('x')}`))
const one = new Hono<ScenarioEnv>()
const two = new Hono<ScenarioEnv>()
late.mount(one).mount(two, { basePath: '/v2' })
late.route('/after', (ws) => ws.send('after'))
app.route('/one', one)
app.route('/two', two)

// H4: a blueprint, with options of its own.
const blueprint = new Hono<ScenarioEnv>()
sock.group(blueprint, { maxMessageSize: 8, subprotocols: ['group'] })
sock.route('/limited', { app: blueprint }, echo)
sock.route('/wider', { app: blueprint, maxMessageSize: 16 }, echo)
app.route('/bp/:tenant', blueprint)

// H5, H11: the context for the whole connection.
/** What each server gives beside a request: ours, Bun.serve, Deno.serve, workerd. */
const BINDINGS = ['incoming', 'requestIP', 'remoteAddr', 'BOUND']
app.use('/context/*', async (c, next) => {
  c.set('user', 'ada')
  await next()
})
sock.route('/context/:room/:seat', async (ws, c) => {
  for await (const _ of ws) {
    const { room, seat } = c.req.param()
    const bound = BINDINGS.some((name) => name in (c.env as object))
    await ws.sendJson([
      room,
      seat,
      c.var.user,
      c.req.query('q'),
      c.req.header('x-test'),
      c.req.raw.headers.get('x-test'),
      bound,
    ])
  }
})

// H11: what middleware keeps for the request, as tracing does.
interface BuiltinModules {
  readonly process?: { getBuiltinModule?(name: string): typeof import('node:async_hooks') | undefined }
}
const hooks = (globalThis as BuiltinModules).process?.getBuiltinModule?.('async_hooks')
if (hooks !== undefined) {
  const traces = new hooks.AsyncLocalStorage<string>()
  app.use('/traced', (c, next) => traces.run(`trace of ${c.req.query('run')}`, next))
  sock.route('/traced', async (ws) => {
    for await (const _ of ws) await ws.send(String(traces.getStore()))
  })
}

// H7, H10: what a handler returns.
sock.route('/return', () => {})
sock.route('/return-value', async () => ({ code: 4000, status: 500 }))
sock.route('/return-getter', () => ({
  get onMessage(): never {
    throw new Error('asked')
  },
}))
sock.route('/return-listeners', () => ({ onMessage: () => {} }))
sock.route('/return-generator', function* () {
  yield 'never sent'
})
sock.route('/return-async-generator', async function* (ws) {
  for await (const message of ws) yield message
})

// H8: whose end it is.
let victim: Connection | undefined
sock.route('/victim', async (ws, c) => {
  victim = ws
  await ws.send('ready')
  await ws.closed
  note(c, 'victim gone')
})
sock.route('/uses-victim', async (ws) => {
  await ws.receive()
  await victim?.send('anybody there?')
})
sock.route('/own-end', async (ws, c) => {
  try {
    for (;;) await ws.receive()
  } catch (error) {
    note(c, `own ${error instanceof ConnectionClosed && error.connection === ws}`)
    throw error
  }
})

// H9, R10: a handler that throws.
sock.route('/throws/:when', (ws, c) => {
  const fail = (): never => {
    throw new Error(`threw ${c.req.param('when')}`)
  }
  if (c.req.param('when') === 'at once') return fail()
  if (c.req.param('when') === 'as rejection') return Promise.reject('threw as rejection')
  return ws.receive().then(fail)
})
sock.route('/error-to-close', { errorToClose: (error) => ({ code: 4001, reason: `${error}é`.repeat(30) }) }, () => {
  throw new RangeError('mine')
})
sock.route('/bad-error-to-close', { errorToClose: () => ({ code: 1005 }) }, () => {
  throw new Error('first')
})
sock.route(
  '/bad-on-error',
  {
    onError(_error, c) {
      note(c, 'onError')
      throw new Error('in onError')
    },
    onClose(_info, c) {
      note(c, 'onClose')
      return Promise.reject(new Error('in onClose'))
    },
  },
  () => {
    throw new Error('first')
  },
)
sock.route('/last-words', { onError: (_error, _c, ws) => ws.send('sorry') }, () => {
  throw new Error('first')
})

// H12, R7: who may refuse, and how.
let handlersStarted = 0
const never = (): void => void handlersStarted++
app.get('/handlers-started', (c) => c.json(handlersStarted))
app.use('/guarded/*', async (c, next) => {
  if (c.req.header('authorization') !== 'let me in') return c.json({ error: 'who are you?' }, 401, { 'X-Why': 'guard' })
  await next()
})
sock.route('/guarded/ws', (ws) => ws.send('in'))
sock.route('/exception', { beforeUpgrade: () => refuse('thrown') }, never)
app.use('/exception-in-front', () => refuse('in front'))
sock.route('/exception-in-front', never)
function refuse(how: string): never {
  const res = new Response(`denied, ${how}`, { headers: { 'WWW-Authenticate': 'Basic realm="x"', 'X-How': how } })
  throw new HTTPException(401, { res })
}
sock.route('/response', { beforeUpgrade: (c) => c.json({ no: true }, 402, { 'X-Before': '1' }) }, never)
sock.route(
  '/thrown-response',
  {
    beforeUpgrade() {
      throw new Response('thrown', { status: 418, headers: { 'X-Thrown': '1' } })
    },
  },
  never,
)
sock.route(
  '/broken-before',
  {
    async beforeUpgrade() {
      throw new Error('broken')
    },
  },
  never,
)
// No instance of the global Response on Node, where `@hono/node-server` has replaced that.
sock.route('/fetched-response', { beforeUpgrade: () => fetch('data:text/plain,fetched') }, never)
sock.route(
  '/fetched-response-thrown',
  {
    async beforeUpgrade() {
      throw await fetch('data:text/plain,fetched')
    },
  },
  never,
)
// Not what the type allows, but what somebody without types may write.
const saysNo = (): undefined => false as unknown as undefined
sock.route('/says-false', { beforeUpgrade: saysNo }, never)
sock.route('/before', { beforeUpgrade: async (c) => c.set('user', `from ${c.req.query('name')}`) }, (ws, c) =>
  ws.send(c.var.user),
)
sock.route('/slow', { handshakeTimeout: 50, beforeUpgrade: () => new Promise(() => {}), maxConnections: 1 }, never)

// R1: a slow hook, and one place.
sock.route(
  '/vanish',
  {
    maxConnections: 1,
    async beforeUpgrade(c) {
      note(c, 'before')
      await new Promise((resolve) => setTimeout(resolve, 500))
      note(c, 'after')
    },
  },
  (ws, c) => {
    note(c, 'handler')
    return ws.send('here')
  },
)

// H12: origins, caps.
sock.route('/origin/same', (ws) => ws.send('in'))
sock.route('/origin/list', { origin: ['https://a.example', 'https://b.example:8443'] }, (ws) => ws.send('in'))
sock.route('/origin/any', { origin: '*' }, (ws) => ws.send('in'))
sock.route('/origin/function', { origin: async (origin, c) => origin === c.req.query('allowed') }, (ws) =>
  ws.send('in'),
)
const capped = new Hono<ScenarioEnv>()
const caps = sock.group(capped, { maxConnections: 3, connectionKey: (c) => c.req.query('key') })
caps.route('/a', { maxConnectionsPerKey: 1 }, echo)
caps.route('/b', { maxConnections: 2 }, echo)
caps.route('/fails', async (ws) => {
  await ws.receive()
  throw new Error('fails')
})
app.route('/caps', capped)

// H13, R6: what middleware adds reaches the 101.
const printed: string[] = []
app.get('/printed', (c) => c.json(printed))
app.use(
  '/dressed',
  logger((line) => printed.push(line)),
  cors({ origin: 'https://a.example', credentials: true, exposeHeaders: ['x-after'] }),
  async (c, next) => {
    c.header('X-Before', 'before')
    setCookie(c, 'a', '1', { httpOnly: true })
    setCookie(c, 'b', '2')
    await next()
    c.header('X-After', 'after')
    deleteCookie(c, 'c')
  },
)
sock.route('/dressed', { origin: '*' }, (ws) => ws.send('in'))
app.use('/plain-header', async (c, next) => {
  c.header('X-Only', 'before')
  setCookie(c, 'only', '1')
  setCookie(c, 'and', '2')
  await next()
})
sock.route('/plain-header', (ws) => ws.send('in'))
app.use('/inject', async (c, next) => {
  await next()
  c.header('X-Injected', 'a\r\nSet-Cookie: evil=1')
})
sock.route('/inject', never)
app.use('/replaced', async (c, next) => {
  await next()
  c.res = new Response('no, after all', { status: 409 })
})
sock.route('/replaced', { onClose: (_info, c) => note(c, 'closed') }, never)

// H14: options per connection.
sock.route('/options', (c) => ({ maxMessageSize: Number(c.req.query('max')) }), echo)
sock.route('/options-async', async (c) => ({ subprotocols: [c.req.query('sub') ?? ''] }), echo)
sock.route('/options-broken', () => ({ maxMesageSize: 1 }) as never, never)

// H15: what else answers on the path.
sock.route('/shared', (ws) => ws.send('socket'))
app.get('/shared', (c) => c.text('page'))
app.post('/shared', (c) => c.text('posted'))
sock.route('/shared-404', (ws) => ws.send('socket'))
app.get('/shared-404', (c) => c.text('no such thing', 404))
sock.route('/alone', (ws) => ws.send('socket'))
sock.route('/behind', (ws) => ws.send('socket'))
app.use('/behind', async (c, next) => {
  await next()
  c.header('X-Behind', '1')
})

// H1: the form of Hono, and no Sock at all.
app.get(
  '/native/:room',
  async (c, next) => {
    c.set('user', 'native')
    await next()
  },
  upgrade((ws, c: Context<ScenarioEnv, '/native/:room'>) => ws.send(`${c.var.user} ${c.req.param('room')}`)),
)
app.get(
  '/native-sock',
  sock.upgrade({ subprotocols: ['v1'] }, (ws) => ws.send(ws.protocol)),
)

// H18: cleanup on every path.
sock.route('/cleanup', async (ws, c) => {
  ws.signal.addEventListener('abort', () => note(c, 'signal'))
  void ws.closed.then(({ code }) => note(c, `closed ${code}`))
  try {
    for await (const message of ws) {
      if (message === 'return') return
      if (message === 'throw') throw new Error('thrown')
      if (message === 'close') await ws.close(4002, 'done')
      if (message === 'terminate') ws.terminate()
    }
  } finally {
    note(c, 'finally')
  }
})

// R22: once per upgrade.
let middlewareRuns = 0
app.use('/once', async (c, next) => {
  note(c, `middleware ${++middlewareRuns}`)
  await next()
})
sock.route('/once', { beforeUpgrade: (c) => note(c, 'before') }, (_ws, c) => note(c, 'handler'))

// S12: subprotocols.
sock.route('/sub/list', { subprotocols: ['b', 'a'] }, (ws) => ws.send(`protocol ${ws.protocol}`))
sock.route('/sub/required', { subprotocols: ['b', 'a'], requireSubprotocol: true }, (ws) => ws.send(ws.protocol))
sock.route(
  '/sub/function',
  { subprotocols: (offered, c) => offered.find((name) => name.endsWith(c.req.query('suffix') ?? '')) },
  (ws) => ws.send(`protocol ${ws.protocol}`),
)
sock.route('/sub/liar', { subprotocols: () => 'never offered' }, never)

// S1, S4: typed messages.
const Point = z.object({ x: z.number(), y: z.object({ deep: z.array(z.number()) }).optional() })
const Reply = z.object({ sum: z.number(), note: z.string().default('none') })
sock.route('/typed', { receive: Point, send: Reply }, async (ws, c) => {
  for await (const { x, y } of ws) {
    note(c, `got ${typeof x}`)
    await ws.send({ sum: x + (y?.deep[0] ?? 0) })
  }
})
sock.route(
  '/typed/answers',
  { receive: Point, onInvalid: (issues, ws) => ws.send(`invalid: ${issues[0]?.message}`) },
  async (ws) => {
    for await (const { x } of ws) await ws.send(`x ${x}`)
  },
)
const Slow = v.pipeAsync(
  v.object({ wait: v.number() }),
  v.transformAsync(async ({ wait }) => {
    await new Promise((resolve) => setTimeout(resolve, wait))
    return { waited: wait }
  }),
)
sock.route('/typed/async', { receive: Slow, send: Slow }, async (ws) => {
  const first = ws.receive()
  const second = ws.receive()
  await Promise.all([second, first])
  void ws.send({ wait: (await first).waited })
  await ws.send({ wait: (await second).waited })
  const gaveUp = await ws.receive({ timeout: 20 })
  const { waited } = await ws.receive()
  await ws.send({ wait: gaveUp === null ? waited : -1 })
})
sock.route('/typed/sends-wrong', { send: Reply }, async (ws) => {
  await ws.send({ sum: 'wrong' } as never)
})
const csv = {
  encode: (value: unknown): string => (value as unknown[]).join(','),
  decode: (message: unknown): unknown => String(message).split(','),
}
sock.route('/typed/codec', { receive: z.array(z.string()), send: z.array(z.string()), codec: csv }, async (ws) => {
  for await (const fields of ws) await ws.send(fields.reverse())
})
const typedSeen = new Map<Connection<unknown, never>, number>()
sock.route('/typed/identity', { receive: z.string() }, async (ws, c) => {
  typedSeen.set(ws as never, 1)
  try {
    for (;;) await ws.send(`${await ws.receive()} ${typedSeen.size}`)
  } catch (error) {
    note(c, `own ${error instanceof ConnectionClosed && error.connection === ws}`)
    throw error
  } finally {
    typedSeen.delete(ws as never)
    note(c, `left ${typedSeen.size}`)
  }
})
sock.route('/typed/around', { receive: z.string(), send: z.string() }, async (ws) => {
  const refused = await Promise.allSettled([
    ws.receiveText(),
    ws.receiveBytes(),
    ws.receiveJson(),
    ws.receiveStream(),
    ws.sendJson({}),
    ws.sendStream(new ReadableStream()),
  ])
  await ws.send(refused.map((result) => (result.status === 'rejected' ? result.reason.name : 'let through')).join(' '))
})
