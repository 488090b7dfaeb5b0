/** fetch-sock on the runtime's raw socket, as the README shows it: a `for await` loop behind Hono. Argument: the port. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'

const app = new Hono()
const sock = new Sock(app, { maxMessageSize: 64 << 20 })
const room = sock.topic('room')

sock.route('/', async (ws) => {
  for await (const message of ws) await ws.send(message)
})
sock.route('/deflate', { permessageDeflate: { threshold: 0 } }, async (ws) => {
  for await (const message of ws) await ws.send(message)
})
sock.route(
  '/deflate-takeover',
  { permessageDeflate: { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false } },
  async (ws) => {
    for await (const message of ws) await ws.send(message)
  },
)
sock.route('/room', async (ws) => {
  room.subscribe(ws)
  for await (const message of ws) room.publish(message)
})

const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2]) })
console.log(`ready ${server.url}`)
