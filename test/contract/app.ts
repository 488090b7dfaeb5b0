/** The application of the contract for runtimes: that of the scenarios, and what only this contract looks at. */
import { type Connection, ConnectionClosed, Sock } from 'fetch-sock'
import type { Context } from 'hono'
import { addMiddlewareRoutes } from '../sock/middleware-app.ts'
import { app } from '../sock/scenario-app.ts'

export { app }

export const sock: Sock = new Sock(app as never, { closeTimeout: 500, pingInterval: Number.POSITIVE_INFINITY })

addMiddlewareRoutes(app as never)

const notes = new Map<string, string[]>()
app.get('/contract/notes/:run', (c) => c.json(notes.get(c.req.param('run')) ?? []))

function note(c: Context, event: string): void {
  const run = c.req.query('run') ?? ''
  notes.set(run, [...(notes.get(run) ?? []), event])
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : String(error))

// H11: what came with the request, read later and at the end.
sock.route('/contract/request', async (ws, c) => {
  const signal = c.req.raw.signal
  for await (const _ of ws) {
    const { raw } = c.req
    const address = (c.env as { remoteAddr?: { hostname: string } }).remoteAddr?.hostname ?? ws.remoteAddress ?? 'none'
    await ws.sendJson([raw.method, new URL(raw.url).search, raw === ws.request, signal.aborted, address])
  }
})

sock.route('/contract/facts', async (ws) => {
  const { mode, capabilities, readyState, connected, remoteAddress } = ws
  await ws.sendJson({ mode, capabilities, readyState, connected, remoteAddress })
  await ws.receive()
})

// R11: one object for the whole connection, left out of the map at its end.
const open = new Map<Connection, number>()
sock.route('/contract/identity', async (ws) => {
  open.set(ws, 0)
  try {
    for await (const _ of ws) {
      open.set(ws, (open.get(ws) ?? -100) + 1)
      await ws.send(`${open.get(ws)}`)
    }
  } finally {
    open.delete(ws)
  }
})
app.get('/contract/open', (c) => c.json(open.size))

// R30: read after an await.
sock.route('/contract/state', async (ws, c) => {
  await ws.send(`${ws.readyState}`)
  const closing = ws.close(4000, 'over')
  note(c, `then ${ws.readyState >= 2}`)
  const info = await closing
  note(c, `last ${ws.readyState} ${ws.connected} ${info.code} ${info.reason} ${info.initiator}`)
  note(c, `send ${await ws.send('x').catch(nameOf)}`)
  note(c, `trySend ${ws.trySend('x')}`)
  note(c, `ping ${await ws.ping().catch(nameOf)}`)
  note(c, `receive ${await ws.receive().catch((error: unknown) => error instanceof ConnectionClosed && error.code)}`)
})

sock.route('/contract/close/:code', async (ws, c) => {
  await ws.close(Number(c.req.param('code')), 'because')
})

async function* inParts<T>(...parts: T[]): AsyncGenerator<T> {
  yield* parts
}

sock.route('/contract/sends', async (ws) => {
  await ws.send('text')
  await ws.send('')
  await ws.send(new Uint8Array([9, 1, 2]).subarray(1))
  await ws.send(new Uint8Array([3]).buffer)
  await ws.send(new Blob(['blob']))
  await ws.send('lone \ud800')
  await ws.sendStream(inParts('a', 'b', 'c'))
  await ws.sendStream(inParts(new Uint8Array([1]), new Uint8Array([2])))
  await ws.send({} as never).catch((error: unknown) => ws.send(nameOf(error)))
})

sock.route('/contract/receives', async (ws) => {
  await ws.send(`poll ${await ws.receive({ timeout: 0 })}`)
  await ws.send(`timeout ${await ws.receive({ timeout: 10 })}`)
  const waits = ws.receive({ signal: AbortSignal.timeout(10) }).catch(nameOf)
  await ws.send(`signal ${await waits}`)
  const bytes = await ws.receiveBytes()
  await ws.send(`owns ${bytes instanceof Uint8Array && bytes.buffer.byteLength === bytes.length}`)
  let streamed = ''
  for await (const part of (await ws.receiveStream()) as ReadableStream<string>) streamed += part
  await ws.send(`streamed ${streamed}`)
  await ws.sendJson(await ws.receiveJson())
  await ws.receiveText().catch(() => undefined)
})

// Messages that come before the first `receive`, and a handler that does not receive for a while.
sock.route('/contract/late', async (ws, c) => {
  await new Promise((resolve) => setTimeout(resolve, Number(c.req.query('after'))))
  let messages = 0
  let bytes = 0
  try {
    for await (const message of ws) {
      if (message === 'end') break
      messages++
      bytes += message.length
    }
    await ws.send(`${messages} messages, ${bytes} bytes`)
  } finally {
    note(c, bytes > 2_097_152 ? 'all' : `${bytes} bytes`)
    note(c, `ended ${ws.code}`)
  }
})

sock.route('/contract/limited', { maxMessageSize: 10, maxFragments: 5 }, async (ws) => {
  for await (const message of ws) await ws.send(message)
})
sock.route('/contract/idle', { idleTimeout: 100 }, (ws) => ws.closed)
sock.route('/contract/lifetime', { maxLifetime: 100 }, async (ws) => {
  for await (const message of ws) await ws.send(message)
})

sock.route('/contract/never-answered', async (ws, c) => {
  await ws.receive()
  const { code, wasClean, initiator } = await ws.close(4000)
  note(c, `ended ${code} ${wasClean} ${initiator}`)
})

sock.route('/contract/ping', async (ws) => {
  const latency = await ws.ping('now').catch(nameOf)
  await ws.send(typeof latency === 'number' ? `latency ${latency >= 0}` : latency)
  await ws.receive()
})
sock.route('/contract/keepalive', { pingInterval: 50, pongTimeout: 100 }, async (ws, c) => {
  const { code } = await ws.closed
  note(c, `ended ${code}`)
})

// 16 MiB for a peer that does not read.
sock.route('/contract/flood', async (ws, c) => {
  const message = new Uint8Array(65_536)
  let sent = 0
  const stalled = setInterval(() => note(c, `sent ${sent} of 256`), 300)
  try {
    for (; sent < 256; sent++) await ws.send(message)
    note(c, 'all')
  } finally {
    clearInterval(stalled)
  }
})

// S22: a MiB at a time for a peer that does not read, until no more of it leaves; then ten messages of 1000 bytes.
sock.route('/contract/unsent', async (ws, c) => {
  const atRest = async (): Promise<number> => {
    for (let last = -1; last !== ws.bufferedAmount; ) {
      last = ws.bufferedAmount
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return ws.bufferedAmount
  }
  note(c, `${ws.bufferedAmount}`)
  await ws.receive()
  let before = 0
  let more = 0
  // The operating system may have room again, which it shows only when something is written: then once more.
  for (let attempt = 0; attempt < 20 && more < 10_000; attempt++) {
    while ((await atRest()) === 0) for (let i = 0; i < 16; i++) void ws.send(new Uint8Array(65_536))
    before = await atRest()
    for (let i = 0; i < 10; i++) void ws.send(new Uint8Array(1000))
    more = ws.bufferedAmount - before
  }
  note(c, `${before}`)
  note(c, `${more}`)
  await ws.receive()
  while (ws.bufferedAmount > 0) await atRest()
  note(c, 'empty')
})

sock.route('/contract/room/:name', async (ws, c) => {
  const room = sock.topic(c.req.param('name'))
  room.subscribe(ws)
  await ws.send('subscribed')
  for await (const message of ws) room.publish(message, { except: ws })
})

// R32: what happens behind a route that asked for the upgrade.
app.use('/contract/throws-after', async (_c, next) => {
  await next()
  throw new Error('after the upgrade')
})
sock.route('/contract/throws-after', (_ws, c) => note(c, 'handler'))

// R29: a drain is the end of a Sock, so each case has its own.
for (const name of ['orderly', 'stuck', 'silent']) {
  const own = new Sock(app as never, { closeTimeout: 8000 })
  own.route(`/contract/drain/${name}`, async (ws, c) => {
    await ws.send('open')
    await new Promise((resolve) => ws.signal.addEventListener('abort', resolve))
    await new Promise((resolve) => setTimeout(resolve, 50))
    note(c, `ended ${ws.code}`)
  })
  own.route(`/contract/drain/${name}/never`, () => new Promise(() => {}))
  const beforeUpgrade = async (c: Context): Promise<void> => {
    note(c, 'deciding')
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  own.route(`/contract/drain/${name}/slow`, { beforeUpgrade }, (_ws, c) => note(c, 'handler'))
  app.post(`/contract/drain/${name}`, async (c) => c.json(await own.drain(await c.req.json())))
}
