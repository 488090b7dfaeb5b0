/** The application of `ours` and `ours-hosted`: the same routes, whichever server runs them. */
import { type Connection, Sock } from 'fetch-sock'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { secureHeaders } from 'hono/secure-headers'
import { liveHeap } from './live-heap.ts'

export const app: Hono = new Hono()
export const sock: Sock = new Sock(app, { maxMessageSize: 64 << 20 })

const echo = async (ws: Connection): Promise<void> => {
  for await (const message of ws) await ws.send(message)
}

app.use('/three/*', cors(), async (_, next) => next(), secureHeaders())
sock.route('/three/echo', echo)
app.get('/three/hello', (c) => c.text('hello'))
app.get('/live-heap', async (c) => c.text(String(await liveHeap())))

sock.route('/', echo)
sock.route('/deflate', { permessageDeflate: { threshold: 0 } }, echo)
sock.route(
  '/deflate-takeover',
  { permessageDeflate: { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false } },
  echo,
)

const room = sock.topic('room')
sock.route('/room', async (ws) => {
  room.subscribe(ws)
  for await (const message of ws) room.publish(message)
})

/** 100 MB for a peer that may not read. */
sock.route('/flood', async (ws) => {
  const message = new Uint8Array(65_536)
  for (let i = 0; i < 1_600; i++) await ws.send(message)
})
sock.route('/slow', async (ws) => {
  for await (const _ of ws) await new Promise((resolve) => setTimeout(resolve, 50))
})
/** As the documentation has it: fragments and sizes have their limits. */
sock.route('/limits', { maxMessageSize: 1_048_576 }, echo)
