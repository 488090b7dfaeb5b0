/** `Bun.serve` with its own WebSockets, for the suite. Arguments: the port, `tls` for wss. */
import { SERVER_CERTIFICATE, SERVER_KEY } from './authority.ts'

const server = Bun.serve<{ path: string }>({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  ...(process.argv[3] === 'tls' ? { tls: { cert: SERVER_CERTIFICATE, key: SERVER_KEY } } : {}),
  fetch(request, own) {
    const { pathname: path } = new URL(request.url)
    const asked = request.headers.get('sec-websocket-protocol') ?? ''
    const headers = asked.includes('b') ? { 'Sec-WebSocket-Protocol': 'b' } : {}
    return own.upgrade(request, { data: { path }, headers }) ? undefined : new Response('no', { status: 400 })
  },
  websocket: {
    perMessageDeflate: true,
    maxPayloadLength: 64 * 1024 * 1024,
    backpressureLimit: 64 * 1024 * 1024,
    open(ws) {
      if (ws.data.path === '/close') ws.close(4001, 'bye')
    },
    message(ws, message) {
      ws.send(message, false)
    },
  },
})
process.on('SIGTERM', () => process.exit(0))
console.log(`ready ${server.url.href}`)
