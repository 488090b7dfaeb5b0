/** Hono with `upgradeWebSocket` of hono/deno. Argument: the port. */
import process from 'node:process'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { upgradeWebSocket } from 'hono/deno'
import { secureHeaders } from 'hono/secure-headers'

interface DenoHost {
  serve(options: object, handler: (request: Request) => Response | Promise<Response>): void
}
const { Deno: deno } = globalThis as unknown as { Deno: DenoHost }

const app = new Hono()
const echo = upgradeWebSocket(() => ({
  onMessage: (event, ws) => ws.send(event.data as string | ArrayBuffer),
}))

app.use('/three/*', cors(), async (_, next) => next(), secureHeaders())
app.get('/three/echo', echo)
app.get('/three/hello', (c) => c.text('hello'))
app.get('/', echo)

deno.serve({ hostname: '127.0.0.1', port: Number(process.argv[2]), onListen: () => console.log('ready') }, (request) =>
  app.fetch(request),
)
