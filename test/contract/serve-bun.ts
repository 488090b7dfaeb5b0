/** The contract's application on `Bun.serve`. Argument: the port, 0 for any. */
import process from 'node:process'
import { app, sock } from './app.ts'

process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED', reason)
  process.exit(70)
})
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2] ?? 0),
  fetch: app.fetch,
  websocket: sock.websocket,
})
console.log(`ready ${server.url}`)
process.on('SIGTERM', () => process.exit(0))
