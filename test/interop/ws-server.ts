/** The server of the `ws` package, for the suite. Arguments: the port, `tls` for wss. */
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { WebSocketServer } from '../../node_modules/ws/wrapper.mjs'
import { SERVER_CERTIFICATE, SERVER_KEY } from './authority.ts'
import { PARTS } from './suite.ts'

const isSecure = process.argv[3] === 'tls'
const server = isSecure ? createTlsServer({ cert: SERVER_CERTIFICATE, key: SERVER_KEY }) : createServer()
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: true,
  handleProtocols: (offered: Set<string>) => (offered.has('b') ? 'b' : false),
})
sockets.on('connection', (socket, request) => {
  if (request.url === '/close') socket.close(4001, 'bye')
  else if (request.url === '/parts') {
    for (const [index, part] of PARTS.entries()) socket.send(part, { fin: index === PARTS.length - 1 })
  } else socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
process.on('SIGTERM', () => process.exit(0))
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  console.log(`ready http${isSecure ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
