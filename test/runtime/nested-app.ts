/** An application inside another, on the native server of this runtime. Argument: the port. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { Hono } from 'hono'

interface DenoHost {
  serve(options: object, handler: unknown): { addr: { port: number } }
}
const { Deno: deno } = globalThis as unknown as { Deno?: DenoHost }

let started = 0
const inner = new Hono()
new Sock(inner).route('/ws', () => {
  started++
})

/** With a Sock of its own, and without. */
const outer = new Hono().mount('/mounted', inner.fetch)
const sock = new Sock(outer)
sock.route('/ws', (ws) => ws.send('outer'))
const plain = new Hono().mount('/mounted', inner.fetch)

const app = {
  fetch: (request: Request, env: unknown): Response | Promise<Response> => {
    const isPlain = new URL(request.url).searchParams.has('plain')
    return isPlain ? plain.fetch(request, env as object) : outer.fetch(request, env as object)
  },
}
outer.get('/bare', () => new Response(null, { status: 101 }))
outer.get('/started', (c) => c.text(`${started}`))
outer.get('/asked', async (c) => {
  const { status } = await inner.request('/ws', { headers: c.req.raw.headers })
  return c.text(`${status}`)
})

const hostname = '127.0.0.1'
const port = Number(process.argv[2])
process.on('SIGTERM', () => process.exit(0))
if (deno !== undefined) {
  const { addr } = deno.serve({ hostname, port, onListen: () => {} }, app.fetch)
  console.log(`ready http://${hostname}:${addr.port}`)
} else {
  const server = Bun.serve({ hostname, port, fetch: app.fetch, websocket: sock.websocket as never })
  console.log(`ready http://${hostname}:${server.port}`)
}
