/** Deno.serve and Deno.upgradeWebSocket with its own callbacks. Argument: the port. */
import process from 'node:process'

interface DenoHost {
  serve(options: object, handler: (request: Request) => Response): void
  upgradeWebSocket(request: Request): { socket: WebSocket; response: Response }
}
const { Deno: deno } = globalThis as unknown as { Deno: DenoHost }

deno.serve(
  { hostname: '127.0.0.1', port: Number(process.argv[2]), onListen: () => console.log('ready') },
  (request) => {
    const { socket, response } = deno.upgradeWebSocket(request)
    socket.onmessage = (event) => socket.send(event.data)
    return response
  },
)
