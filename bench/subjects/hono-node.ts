/** Hono with `upgradeWebSocket` of @hono/node-server and the `ws` package, as its README shows. Argument: the port. */
import process from 'node:process'
import { serve, upgradeWebSocket } from '@hono/node-server'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { secureHeaders } from 'hono/secure-headers'
import { WebSocketServer } from 'ws'

const app = new Hono()
const echo = upgradeWebSocket(() => ({
  onMessage: (event, ws) => ws.send(event.data as string | ArrayBuffer),
}))

app.use('/three/*', cors(), async (_, next) => next(), secureHeaders())
app.get('/three/echo', echo)
app.get('/three/hello', (c) => c.text('hello'))
app.get('/', echo)

const wss = new WebSocketServer({ noServer: true, maxPayload: 64 << 20 })
serve(
  { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.argv[2]), websocket: { server: wss as never } },
  () => console.log('ready'),
)
