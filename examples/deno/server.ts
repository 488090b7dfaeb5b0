/** fetch-sock on `Deno.serve`: `deno run -A examples/deno/server.ts`. `PORT` chooses another port. */
import process from 'node:process'
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

const server = Deno.serve(
  {
    port: Number(process.env.PORT ?? 3000),
    onListen: ({ port }) => console.log(`ready http://localhost:${port}`),
  },
  app.fetch,
)
process.once('SIGTERM', async () => {
  // Tells every client, and waits for handlers that are still at work.
  await sock.drain({ deadline: 5000 })
  await server.shutdown()
  process.exit()
})
