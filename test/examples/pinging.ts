/** A server of which one route pings and the other does not. Argument: the port. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'

const app = new Hono()
const sock = new Sock(app)

sock.route('/pinging', { pingInterval: 300, pongTimeout: 300 }, async (ws) => {
  for await (const message of ws) await ws.send(message)
})
sock.route('/silent', { pingInterval: Number.POSITIVE_INFINITY }, async (ws) => {
  for await (const message of ws) await ws.send(message)
})

const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2] ?? 0) })
console.log(`ready ${server.url}`)
