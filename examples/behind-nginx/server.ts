/**
 * Behind nginx, which ends TLS and passes on what is below `/live/`; see nginx.conf. `PORT` chooses another port.
 *
 * Listens on this machine alone: what the proxy says in `X-Forwarded-*` can then come from nobody else.
 */
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'

const app = new Hono()

// nginx waits 60 s for us to say something. The default of 20 s is well below; said here so that it stays so.
const sock = new Sock(app, {
  pingInterval: 20_000,
  maxConnectionsPerKey: 20,
  // The proxy puts the address of the client at the end; what stands before it, the client may have made up.
  connectionKey: (c) => c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim(),
})

app.get('/health', (c) => c.text('ok'))

sock.route('/echo', async (ws, c) => {
  await ws.sendJson({
    client: c.req.header('x-forwarded-for'),
    scheme: c.req.header('x-forwarded-proto'),
    host: c.req.header('host'),
    path: new URL(c.req.url).pathname,
  })
  for await (const message of ws) {
    if (message === 'bye') return ws.close(4001, 'as you wish')
    await ws.send(message)
  }
})

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port, hostname: '127.0.0.1', drainOnSignals: { deadline: 2000 } }).catch(
  (error: Error) => {
    console.error(`Cannot listen on port ${port}: ${error.message}`)
    process.exit(1)
  },
)
console.log(`ready ${server.url}`)
