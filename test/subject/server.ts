/** The server that conformance, fuzz, load and fault tests run against. Argument: the port, 0 for any. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'

const MAX_MESSAGE_SIZE = 64 * 1024 * 1024
const DRAIN_DEADLINE = 5000

const app = new Hono()
const sock = new Sock(app)
app.get('/', (c) => c.text('ok'))
sock.route('/echo', { maxMessageSize: MAX_MESSAGE_SIZE, permessageDeflate: false }, async (ws) => {
  for await (const message of ws) await ws.send(message)
})
sock.route('/echo-deflate', { maxMessageSize: MAX_MESSAGE_SIZE, permessageDeflate: true }, async (ws) => {
  for await (const message of ws) await ws.send(message)
})

const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2] ?? 0) })

let stopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, async () => {
    if (stopping) return
    stopping = true
    await server.drain({ deadline: DRAIN_DEADLINE, code: 1001 })
    process.exit(0)
  })
}

console.log(`ready ${server.url}`)
