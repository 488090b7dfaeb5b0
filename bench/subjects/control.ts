/** Bytes echoed with no codec: what the runtime's sockets cost. Argument: the port. */
import { createServer } from 'node:net'
import process from 'node:process'

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk))
  socket.on('error', () => socket.destroy())
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'))
