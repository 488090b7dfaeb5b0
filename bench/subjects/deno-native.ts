/** Deno.serve and Deno.upgradeWebSocket with its own callbacks. Argument: the port. */
import process from 'node:process'

interface DenoHost {
  serve(options: object, handler: (request: Request) => Response): void
  upgradeWebSocket(request: Request): { socket: WebSocket; response: Response }
}
const { Deno: deno } = globalThis as unknown as { Deno: DenoHost }

let held = 0
deno.serve(
  { hostname: '127.0.0.1', port: Number(process.argv[2]), onListen: () => console.log('ready', held) },
  (request) => {
    if (request.headers.get('upgrade') !== 'websocket') return new Response('hello')
    const { pathname } = new URL(request.url)
    const { socket, response } = deno.upgradeWebSocket(request)
    if (pathname === '/slow') {
      // Takes its time, and holds the message meanwhile.
      socket.onmessage = async (event) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        held += event.data.length
      }
    } else if (pathname === '/flood') {
      socket.onopen = () => {
        for (let i = 0; i < 1_600; i++) socket.send(new Uint8Array(65_536))
      }
    } else {
      socket.onmessage = (event) => socket.send(event.data)
    }
    return response
  },
)
