/** Hono with `upgradeWebSocket` of hono/bun. Argument: the port. */
import process from 'node:process'
import { Hono } from 'hono'
import { upgradeWebSocket, websocket } from 'hono/bun'
import { cors } from 'hono/cors'
import { secureHeaders } from 'hono/secure-headers'

const app = new Hono()
const echo = upgradeWebSocket(() => ({
  onMessage: (event, ws) => ws.send(event.data as string | ArrayBuffer),
}))

app.use('/three/*', cors(), async (_, next) => next(), secureHeaders())
app.get('/three/echo', echo)
app.get('/three/hello', (c) => c.text('hello'))
app.get('/', echo)

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch: app.fetch,
  websocket: { ...websocket, maxPayloadLength: 64 << 20 },
})
console.log('ready')
