/** fetch-sock hosted by Bun.serve or Deno.serve, which frame for it. Argument: the port. */
import process from 'node:process'
import { app, sock } from './our-app.ts'

interface DenoHost {
  serve(options: object, handler: unknown): void
}
const { Deno: deno } = globalThis as unknown as { Deno?: DenoHost }
const port = Number(process.argv[2])

if (deno !== undefined) deno.serve({ hostname: '127.0.0.1', port, onListen: () => {} }, app.fetch)
else Bun.serve({ hostname: '127.0.0.1', port, fetch: app.fetch, websocket: sock.websocket as never })
console.log('ready')
