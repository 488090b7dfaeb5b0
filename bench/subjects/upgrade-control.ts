/**
 * The 'upgrade' event of `node:http` and a short echo, with nothing of a library: what a runtime keeps by itself. It
 * knows no more of WebSockets than the load needs. Argument: the port.
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import process from 'node:process'
import { liveHeap } from './live-heap.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CLOSE = Buffer.from([0x88, 2, 3, 0xe8])

/** The answer to a masked frame of less than 126 bytes. */
function echo(frame: Buffer): Buffer {
  const length = (frame[1] as number) & 0x7f
  const answer = Buffer.alloc(2 + length)
  answer[0] = frame[0] as number
  answer[1] = length
  for (let i = 0; i < length; i++) answer[2 + i] = (frame[6 + i] as number) ^ (frame[2 + (i % 4)] as number)
  return answer
}

const server = createServer(async (_, response) => {
  response.end(String(await liveHeap()))
})
server.on('upgrade', ({ headers }, socket) => {
  const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${GUID}`).digest('base64')
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade']
  socket.write(`${head.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.on('data', (frame: Buffer) => {
    if (frame[0] === 0x88) socket.end(CLOSE)
    else socket.write(echo(frame))
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'))
