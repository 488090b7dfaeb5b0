/** Bun.serve with its own callbacks. Argument: the port. */
import process from 'node:process'

Bun.serve<string, never>({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    const { pathname } = new URL(request.url)
    return server.upgrade(request, { data: pathname }) ? undefined : new Response('ok')
  },
  websocket: {
    maxPayloadLength: 64 << 20,
    perMessageDeflate: true,
    open(ws) {
      if (ws.data === '/room') ws.subscribe('room')
    },
    message(ws, message) {
      if (ws.data === '/room') ws.publish('room', message)
      if (ws.data === '/room') ws.send(message)
      else ws.send(message, ws.data.startsWith('/deflate'))
    },
  },
})
console.log('ready')
