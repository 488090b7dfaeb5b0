/** The contract's application on `Deno.serve`. Argument: the port, 0 for any. */
import process from 'node:process'
import { app } from './app.ts'

interface DenoServer {
  readonly addr: { readonly port: number }
}
declare const Deno: {
  serve(options: { hostname: string; port: number; onListen(): void }, fetch: typeof app.fetch): DenoServer
}

process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED', reason)
  process.exit(70)
})
const server = Deno.serve({ hostname: '127.0.0.1', port: Number(process.argv[2] ?? 0), onListen() {} }, app.fetch)
console.log(`ready http://127.0.0.1:${server.addr.port}`)
process.on('SIGTERM', () => process.exit(0))
