/** `fetch-sock/codec` over `node:net` with callbacks, and one write for each chunk. Argument: the port. */
import { createServer } from 'node:net'
import process from 'node:process'
import { type Event, response, WSConnection } from 'fetch-sock/codec'

const server = createServer({ noDelay: true }, (socket) => {
  const ws = new WSConnection('server')
  const answer = (event: Event): void => {
    const { connection } = ws
    if (event.type === 'Request') socket.write(ws.send({ type: 'AcceptConnection' }))
    else if (event.type === 'TextMessage') connection?.sendText(event.data, event.messageFinished)
    else if (event.type === 'BytesMessage') connection?.sendBytes(event.data, event.messageFinished)
    else if (event.type === 'CloseConnection') socket.end(ws.send(response(event)))
  }
  socket.on('data', (chunk: Uint8Array) => {
    ws.receiveData(chunk)
    for (let event = ws.nextEvent(); event !== null; event = ws.nextEvent()) answer(event)
    const pending = ws.connection?.output.takeRange()
    if (pending !== undefined && pending.length > 0) socket.write(pending)
  })
  socket.on('error', () => socket.destroy())
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'))
