/** `Deno.serve` with its own WebSockets, for the suite. Arguments: the port, `tls` for wss. */
import { SERVER_CERTIFICATE, SERVER_KEY } from './authority.ts'

interface DenoHost {
  readonly args: readonly string[]
  serve(options: object, handler: (request: Request) => Response): unknown
  upgradeWebSocket(request: Request, options: object): { socket: WebSocket; response: Response }
  addSignalListener(name: string, listener: () => void): void
  exit(code: number): never
}

const deno = (globalThis as unknown as { Deno: DenoHost }).Deno
const isSecure = deno.args[1] === 'tls'
const options = {
  hostname: '127.0.0.1',
  port: Number(deno.args[0]),
  ...(isSecure ? { cert: SERVER_CERTIFICATE, key: SERVER_KEY } : {}),
  onListen: ({ port }: { port: number }) => console.log(`ready http${isSecure ? 's' : ''}://127.0.0.1:${port}`),
}
deno.addSignalListener('SIGTERM', () => deno.exit(0))
deno.serve(options, (request) => {
  const offered = request.headers.get('sec-websocket-protocol') ?? ''
  const { socket, response } = deno.upgradeWebSocket(request, offered.includes('b') ? { protocol: 'b' } : {})
  socket.binaryType = 'arraybuffer'
  if (new URL(request.url).pathname === '/close') socket.addEventListener('open', () => socket.close(4001, 'bye'))
  else socket.addEventListener('message', ({ data }) => socket.send(data))
  return response
})
