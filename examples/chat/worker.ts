/**
 * The chat on Cloudflare Workers. Each room of it is a Durable Object, in which the whole application runs: a Worker may
 * send only on the socket of its own request. The binding is `ROOM`, the class `Room`.
 */
import { Hono } from 'hono'
import html from '../chat.html' with { type: 'text' }
import { app } from './app.ts'
import { page } from './page.ts'

interface Bindings {
  readonly ROOM: { idFromName(name: string): object; get(id: object): { fetch(request: Request): Promise<Response> } }
}

const front: Hono<{ Bindings: Bindings }> = new Hono()

front.get('/chat/:room', (c) => c.env.ROOM.get(c.env.ROOM.idFromName(c.req.param('room'))).fetch(c.req.raw))
front.route('/', await page(String(html)))

export class Room {
  fetch(request: Request): Response | Promise<Response> {
    return app.fetch(request)
  }
}

export default front
