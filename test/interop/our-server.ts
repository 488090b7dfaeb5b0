/** Our server of the suite. Arguments: the port, `tls` for wss. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import { SERVER_CERTIFICATE, SERVER_KEY } from './authority.ts'
import { PARTS } from './suite.ts'

async function* inTurn(parts: readonly string[]): AsyncGenerator<string> {
  yield* parts
}

const app = new Hono()
const sock = new Sock(app, {
  maxMessageSize: 64 * 1024 * 1024,
  permessageDeflate: true,
  subprotocols: ['b', 'c'],
  origin: '*',
})
sock.route('/echo', async (ws) => {
  for await (const message of ws) await ws.send(message)
})
sock.route('/parts', async (ws) => {
  await ws.sendStream(inTurn(PARTS))
  await ws.closed
})
sock.route('/close', async (ws) => {
  await ws.close(4001, 'bye')
})
process.on('SIGTERM', () => process.exit(0))
const tls = process.argv[3] === 'tls' ? { tls: { cert: SERVER_CERTIFICATE, key: SERVER_KEY } } : {}
const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2]), ...tls })
console.log(`ready ${server.url}`)
