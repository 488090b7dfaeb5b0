/** Bun.serve with its own callbacks. Arguments: the port; `takeover` for a compressor per connection. */
import process from 'node:process'

const takeover = process.argv[3] === 'takeover'
const deflates = (path: string): boolean => path.startsWith('/deflate')
/** Takes its time, and holds the message meanwhile. */
let held = 0
async function slow(message: string | Uint8Array): Promise<void> {
  await Bun.sleep(50)
  held += message.length
}

Bun.serve<string, never>({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    const { pathname } = new URL(request.url)
    return server.upgrade(request, { data: pathname }) ? undefined : new Response('hello')
  },
  websocket: {
    maxPayloadLength: 64 << 20,
    perMessageDeflate: takeover ? { compress: 'dedicated', decompress: 'dedicated' } : true,
    open(ws) {
      if (ws.data === '/room') ws.subscribe('room')
      if (ws.data === '/flood') for (let i = 0; i < 1_600; i++) ws.send(new Uint8Array(65_536))
    },
    message(ws, message) {
      if (ws.data === '/slow') return slow(message)
      if (ws.data === '/room') ws.publish('room', message)
      if (ws.data === '/room') ws.send(message)
      else ws.send(message, deflates(ws.data))
    },
  },
})
console.log('ready', held)
