/** Pushes the time every second. `PORT` chooses another port. */
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'

const app = new Hono()
const sock = new Sock(app)

sock.route('/clock', async (ws) => {
  while (ws.connected) {
    await ws.send(new Date().toISOString())
    // A second, or less when `close` comes.
    if ((await ws.receive({ timeout: 1000 })) === 'close') break
  }
})

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port }).catch((error: Error) => {
  console.error(`Cannot listen on port ${port}: ${error.message}`)
  process.exit(1)
})
console.log(`ready ${server.url}`)
