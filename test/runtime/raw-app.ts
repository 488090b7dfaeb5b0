/**
 * A server for tests of `serve` alone: a Hono app that uses the upgrader itself, without routes of fetch-sock.
 *
 * Arguments: the port, then options of `serve` as JSON; `tls: true` stands for the test certificate.
 */
import process from 'node:process'
import { type ServeOptions, serve } from 'fetch-sock/server'
import { type Context, Hono } from 'hono'
import { setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { logger } from 'hono/logger'
import { secureHeaders } from 'hono/secure-headers'
import { checkUpgradeRequest } from '../../src/codec/upgrade-request.ts'
import type { Connection } from '../../src/connection/connection.ts'
import { resolveConnectionOptions } from '../../src/connection/options.ts'
import { UPGRADER, type Upgrader } from '../../src/runtime/upgrader.ts'
import { CERTIFICATE, KEY } from './certificate.ts'

const NEVER = new Promise<never>(() => {})

/** What the test asks for at `/state`. */
const state = {
  /** Middleware runs, per path. */
  requests: {} as Record<string, number>,
  /** Handlers that began and ended. */
  started: 0,
  ended: 0,
  /** Upgrades that came to nothing. */
  unopened: 0,
  /** Aborts of `Request.signal` seen by `/slow` and `/never`. */
  aborted: 0,
  /** What `onError` was told, and the log lines. */
  errors: [] as string[],
  log: [] as string[],
  closes: [] as number[],
}

const app = new Hono()

/** Upgrades, and runs the handler as a route would. */
function upgrade(c: Context, handler: (ws: Connection) => Promise<void>): Response {
  const upgrader = (c.env as { [UPGRADER]?: Upgrader })[UPGRADER]
  if (upgrader === undefined) return c.text('no upgrader', 426)
  const { response, opened, stay } = upgrader.upgrade(c.req.raw, {
    asked: checkUpgradeRequest({ method: c.req.method, headers: c.req.raw.headers }),
    subprotocol: undefined,
    options: resolveConnectionOptions({ maxBufferedAmount: 64 * 1024 * 1024 }),
  })
  void opened.then(async (ws) => {
    if (ws === null) {
      state.unopened++
      return
    }
    state.started++
    await handler(ws).catch((error) => state.errors.push(String(error)))
    stay?.leave()
    state.ended++
    state.closes.push((await ws.closed).code)
  })
  return response
}

async function echo(ws: Connection): Promise<void> {
  try {
    for await (const message of ws) await ws.send(message)
  } catch {
    // The close code is in `state.closes`.
  }
}

app.use(async (c, next) => {
  const { pathname } = new URL(c.req.url)
  state.requests[pathname] = (state.requests[pathname] ?? 0) + 1
  await next()
})
app.get('/state', (c) => c.json({ ...state, connections: server.connections, rss: process.memoryUsage.rss() }))
app.get('/ws', (c) => upgrade(c, echo))
app.get('/page', (c) => c.text(`page ${c.req.url}`, 200, { 'X-Page': 'yes' }))
app.post('/page', async (c) => c.text(`posted ${await c.req.text()}`))
app.get('/slow', async (c) => {
  c.req.raw.signal.addEventListener('abort', () => state.aborted++)
  await new Promise((resolve) => setTimeout(resolve, Number(c.req.query('ms'))))
  return c.req.header('upgrade') === undefined ? c.text('slow page') : upgrade(c, echo)
})
app.get('/never', (c) => {
  c.req.raw.signal.addEventListener('abort', () => state.aborted++)
  return NEVER
})
app.get('/refuse', () => {
  const headers = [
    ['WWW-Authenticate', 'Basic realm="test"'],
    ['Content-Type', 'application/json'],
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
  ] as [string, string][]
  throw new HTTPException(401, { res: new Response('{"error":"who are you"}', { status: 401, headers }) })
})
app.get('/old', (c) => c.text('another version', 426, { Upgrade: 'websocket', Connection: 'Upgrade' }))
app.get('/stream', (c) => {
  let part = 0
  const body = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (part++ < 3) controller.enqueue(new TextEncoder().encode(`part ${part};`))
      else controller.close()
    },
  })
  return c.body(body, 403)
})
app.get('/big', (c) => c.body('x'.repeat(3_000_000), 413))
app.get('/replaced', async (c) => {
  upgrade(c, echo)
  return c.text('replaced', 403)
})
app.get('/bare-101', () => Object.defineProperty(new Response(null), 'status', { value: 101 }))
app.use(
  '/middleware',
  logger((line) => state.log.push(line)),
  cors({ origin: 'https://example.org' }),
  secureHeaders(),
  async (c, next) => {
    c.header('X-Before', 'before')
    await next()
    c.header('X-After', 'after')
    setCookie(c, 'one', '1')
    setCookie(c, 'two', '2')
    c.res = new Response(c.res.body, c.res)
    c.header('X-Rebuilt', 'rebuilt')
    c.header('Connection', 'close')
    c.header('Content-Length', '7')
    c.header('Sec-WebSocket-Accept', 'forged')
    c.header('Sec-WebSocket-Protocol', 'forged')
  },
)
app.get('/middleware', (c) => upgrade(c, echo))
app.get('/inject', async (c) => {
  const response = upgrade(c, echo)
  response.headers.set('X-Injected', 'a\r\nSet-Cookie: evil=1')
  return response
})
app.get('/deaf', (c) =>
  upgrade(c, async (ws) => {
    await ws.closed
  }),
)
app.get('/flood', (c) =>
  upgrade(c, async (ws) => {
    const block = new Uint8Array(1024 * 1024)
    for (let sent = 0; sent < 24; sent++) {
      await ws.send(block)
      if (ws.bufferedAmount > 65_536) throw new Error(`send resolved with ${ws.bufferedAmount} bytes unsent`)
    }
    await ws.send('done')
    await ws.closed
  }),
)
app.post('/drain', async (c) => {
  const drainOptions = await c.req.json()
  setTimeout(async () => {
    const started = performance.now()
    const report = await server.drain(drainOptions)
    console.log(`drained ${JSON.stringify({ ...report, took: performance.now() - started, open: server.connections })}`)
    process.exit(0)
  }, 0)
  return c.text('draining')
})
app.get('/lingering', (c) =>
  upgrade(c, async (ws) => {
    await ws.closed
    await NEVER
  }),
)
app.get('/outliving', (c) =>
  upgrade(c, async (ws) => {
    await ws.closed
    await new Promise((resolve) => setTimeout(resolve, 300))
  }),
)
app.onError((error) => {
  if (error instanceof HTTPException) return error.getResponse()
  state.errors.push(String(error))
  return new Response('failed', { status: 500 })
})

/** `/throw` is a fetch that rejects, which Hono's own never does. */
const fetchOrThrow = {
  fetch(request: Request, env?: object): Response | Promise<Response> {
    if (new URL(request.url).pathname === '/throw') throw new Error('thrown by fetch')
    return app.fetch(request, env)
  },
}

const { tls, ...options }: ServeOptions & { tls?: boolean } = JSON.parse(process.argv[3] ?? '{}')
const server = await serve(fetchOrThrow, {
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  handshakeTimeout: 1000,
  onError: (error) => void state.errors.push(String(error)),
  ...options,
  ...(tls === true ? { tls: { cert: CERTIFICATE, key: KEY } } : {}),
})
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => console.error('UNHANDLED', error))
}
if (options.drainOnSignals === undefined) process.on('SIGTERM', () => process.exit(0))
console.log(`ready ${server.url}`)
