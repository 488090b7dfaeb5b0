/** Sends back what it gets, until somebody says `close`. `PORT` chooses another port. */
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'

const app = new Hono()
const sock = new Sock(app)

sock.route('/echo', async (ws) => {
  for await (const message of ws) {
    if (message === 'close') break
    await ws.send(message)
  }
})

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port }).catch((error: Error) => {
  console.error(`Cannot listen on port ${port}: ${error.message}`)
  process.exit(1)
})
console.log(`ready ${server.url}`)
