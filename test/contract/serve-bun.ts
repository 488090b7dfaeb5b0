/** An application on `Bun.serve`. Arguments: the port, 0 for any; its file, that of the contract when there is none. */
import process from 'node:process'
import type { Sock } from 'fetch-sock'
import type { Hono } from 'hono'

process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED', reason)
  process.exit(70)
})
const { app, sock }: { app: Hono; sock: Sock } = await import(process.argv[3] ?? './app.ts')
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2] ?? 0),
  fetch: app.fetch,
  websocket: sock.websocket,
})
console.log(`ready ${server.url}`)
process.on('SIGTERM', () => process.exit(0))
