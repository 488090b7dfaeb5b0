/** crossws with the adapter of the runtime: echo, and topics at `/room`. Argument: the port. */
import process from 'node:process'
import { defineHooks } from 'crossws'

interface DenoHost {
  serve(options: object, handler: (request: Request, info: unknown) => Promise<Response>): void
}
const { Deno: deno } = globalThis as unknown as { Deno?: DenoHost }
const hostname = '127.0.0.1'
const port = Number(process.argv[2])

const hooks = defineHooks({
  open(peer) {
    if (peer.request.url.endsWith('/room')) peer.subscribe('room')
  },
  message(peer, message) {
    if (peer.topics.has('room')) {
      peer.publish('room', message.text())
      peer.send(message.text())
    } else {
      peer.send(message.rawData)
    }
  },
})

if (deno !== undefined) {
  const { default: adapter } = await import('crossws/adapters/deno')
  const ws = adapter({ hooks })
  deno.serve({ hostname, port, onListen: () => {} }, (request, info) => ws.handleUpgrade(request, info as never))
} else if ('Bun' in globalThis) {
  const { default: adapter } = await import('crossws/adapters/bun')
  const ws = adapter({ hooks })
  Bun.serve({
    hostname,
    port,
    websocket: { ...ws.websocket, maxPayloadLength: 64 << 20 } as never,
    fetch: (request, server) => ws.handleUpgrade(request, server as never),
  })
} else {
  const { createServer } = await import('node:http')
  const { default: adapter } = await import('crossws/adapters/node')
  const ws = adapter({ hooks, serverOptions: { maxPayload: 64 << 20 } })
  const server = createServer((_, response) => response.end('ok'))
  server.on('upgrade', ws.handleUpgrade)
  server.listen(port, hostname)
}
console.log('ready')
