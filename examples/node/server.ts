/** fetch-sock on Node, with our own codec on the socket; the same file runs on Bun and Deno. `PORT` chooses another port. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import { logger } from 'hono/logger'

const app = new Hono()
const sock = new Sock(app)

app.use(logger((line) => console.log(line)))
app.get('/', (c) => c.text('Open a WebSocket at /echo or /room/lobby\n'))

sock.route('/echo', async (ws) => {
  for await (const message of ws) await ws.send(message)
})

sock.route('/room/:name', async (ws, c) => {
  const room = sock.topic(c.req.param('name'))
  room.subscribe(ws)
  await ws.send('welcome')
  for await (const message of ws) room.publish(message, { except: ws })
})

const server = await serve(app, { port: Number(process.env.PORT ?? 3000) })
console.log(`ready ${server.url}`)
process.once('SIGTERM', async () => {
  // Tells every client, and waits for handlers that are still at work.
  await server.drain({ deadline: 5000 })
  process.exit(0)
})
