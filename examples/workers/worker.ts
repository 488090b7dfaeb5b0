/**
 * fetch-sock on Cloudflare Workers. A Worker may send only on the socket of its own request, so a room is a Durable
 * Object: all its connections belong to one object, and there the same application runs.
 */
import { Sock } from 'fetch-sock'
import { Hono } from 'hono'

interface Bindings {
  readonly ROOM: { idFromName(name: string): object; get(id: object): { fetch(request: Request): Promise<Response> } }
}

/** What the Worker answers itself, and which room a request belongs to. */
const app: Hono<{ Bindings: Bindings }> = new Hono()
const sock = new Sock(app)

app.get('/', (c) => c.text('Open a WebSocket at /echo or /room/lobby\n'))

sock.route('/echo', async (ws) => {
  for await (const message of ws) await ws.send(message)
})

app.get('/room/:name', (c) => c.env.ROOM.get(c.env.ROOM.idFromName(c.req.param('name'))).fetch(c.req.raw))

/** One room. Its binding is `ROOM`, its class `Room`. */
export class Room {
  readonly #app = new Hono()

  constructor() {
    const sock = new Sock(this.#app)
    const room = sock.topic('room')
    sock.route('/room/:name', async (ws) => {
      room.subscribe(ws)
      await ws.send('welcome')
      for await (const message of ws) room.publish(message, { except: ws })
    })
  }

  fetch(request: Request): Response | Promise<Response> {
    return this.#app.fetch(request)
  }
}

export default app
