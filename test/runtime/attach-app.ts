/**
 * A server that `@hono/node-server` made, with WebSockets of fetch-sock attached. First argument: the port. The second
 * says what stands beside them: a `ws` server when it is `shared`, another attachment when it is `twice`.
 */
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { serve } from '@hono/node-server'
import { Sock } from 'fetch-sock'
import { attach } from 'fetch-sock/server'
import { Hono } from 'hono'
// By path: on Bun, the bare name is a module of Bun's own.
import { WebSocketServer } from '../../node_modules/ws/wrapper.mjs'

const app = new Hono()
new Sock(app).route('/ws', async (ws) => {
  for await (const message of ws) await ws.send(message)
})
app.get('/page', (c) => c.text('page'))
let left = 0
/** Decides nothing; counts the clients that have left meanwhile. */
app.get('/thinks', (c) => {
  const { signal } = c.req.raw
  console.log('thinks')
  return new Promise<Response>((resolve) => {
    signal.addEventListener('abort', () => {
      left++
      resolve(c.text('too late'))
    })
  })
})
app.get('/left', (c) => c.text(`left: ${left}`))

const server = serve({ fetch: app.fetch, port: Number(process.argv[2]), hostname: '127.0.0.1' })
if (process.argv[3] === 'shared') {
  const others = new WebSocketServer({ noServer: true })
  server.on('upgrade', (incoming, socket, head) => {
    // As servers with their own login do.
    setTimeout(() => {
      if (incoming.url === '/other') others.handleUpgrade(incoming, socket, head, (ws) => ws.send('theirs'))
    }, 50)
  })
}
attach(server, app)
if (process.argv[3] === 'twice') attach(server, new Hono())
process.on('SIGTERM', () => process.exit(0))
server.on('listening', () => console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`))
