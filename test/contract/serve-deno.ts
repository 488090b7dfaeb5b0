/** An application on `Deno.serve`. Arguments: the port, 0 for any; its file, that of the contract when there is none. */
import process from 'node:process'

interface Application {
  readonly app: { fetch(request: Request): Response | Promise<Response> }
}
interface DenoServer {
  readonly addr: { readonly port: number }
}
declare const Deno: {
  serve(options: { hostname: string; port: number; onListen(): void }, fetch: Application['app']['fetch']): DenoServer
}

process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED', reason)
  process.exit(70)
})
const { app }: Application = await import(process.argv[3] ?? './app.ts')
const server = Deno.serve({ hostname: '127.0.0.1', port: Number(process.argv[2] ?? 0), onListen() {} }, app.fetch)
console.log(`ready http://127.0.0.1:${server.addr.port}`)
process.on('SIGTERM', () => process.exit(0))
