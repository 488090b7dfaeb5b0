/** The `ws` package with its callbacks. On Bun a bare `import 'ws'` is Bun's own implementation. Argument: the port. */
import { createServer } from 'node:http'
import process from 'node:process'
import { type WebSocket, WebSocketServer } from 'ws'

const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false }
const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true }
const deflate = (parameters: object) => ({ ...parameters, threshold: 0, zlibDeflateOptions: { level: 6 } })

const common = { noServer: true, maxPayload: 64 << 20 } as const
const plain = new WebSocketServer({ ...common, perMessageDeflate: false })
const paths: Record<string, WebSocketServer> = {
  '/': plain,
  '/deflate': new WebSocketServer({ ...common, perMessageDeflate: deflate(noTakeover) }),
  '/deflate-takeover': new WebSocketServer({ ...common, perMessageDeflate: deflate(takeover) }),
}
const echo = (ws: WebSocket) =>
  ws.on('message', (data: Buffer, isBinary: boolean) => ws.send(isBinary ? data : data.toString()))
for (const server of Object.values(paths)) server.on('connection', echo)

const room = new WebSocketServer({ ...common, perMessageDeflate: false })
paths['/room'] = room
room.on('connection', (ws) => {
  ws.on('message', (data: Buffer, isBinary: boolean) => {
    const message = isBinary ? data : data.toString()
    for (const client of room.clients) client.send(message)
  })
})

const flood = new WebSocketServer({ ...common, perMessageDeflate: false })
paths['/flood'] = flood
flood.on('connection', (ws) => {
  for (let i = 0; i < 1_600; i++) ws.send(new Uint8Array(65_536))
})

/** Takes its time, and holds the message meanwhile. */
const slow = new WebSocketServer({ ...common, perMessageDeflate: false })
paths['/slow'] = slow
let held = 0
slow.on('connection', (ws) => {
  ws.on('message', async (data: Buffer) => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    held += data.length
  })
})

const server = createServer((_, response) => response.end('hello'))
server.on('upgrade', (request, socket, head) => {
  const wss = paths[request.url ?? '/'] ?? plain
  wss.handleUpgrade(request, socket, head, (ws) => {
    ws.on('error', () => ws.terminate())
    wss.emit('connection', ws, request)
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready', held))
