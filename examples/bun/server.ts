/** fetch-sock on `Bun.serve`: Bun frames, and plain HTTP has its full speed. `PORT` chooses another port. */
import { Sock } from 'fetch-sock'
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

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  fetch: app.fetch,
  websocket: sock.websocket,
})
console.log(`ready ${server.url}`)
process.once('SIGTERM', async () => {
  // Tells every client, and waits for handlers that are still at work.
  await sock.drain({ deadline: 5000 })
  await server.stop()
  process.exit()
})
