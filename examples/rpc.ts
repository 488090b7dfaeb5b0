/**
 * Requests and responses over one connection, several at a time: a response carries the `id` of its request. `PORT`
 * chooses another port.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Connection, ConnectionClosed, Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import { z } from 'zod'

const id = z.int().nonnegative()
const Request = z.discriminatedUnion('method', [
  z.object({ id, method: z.literal('add'), params: z.array(z.number()).max(1000) }),
  z.object({ id, method: z.literal('wait'), params: z.int().min(0).max(10_000) }),
  z.object({ id, method: z.literal('divide'), params: z.tuple([z.number(), z.number()]) }),
])
const Response = z.union([z.object({ id, result: z.unknown() }), z.object({ id: id.nullable(), error: z.string() })])

/** Requests of one connection that may be under way: with more, the next one is read when one of them is done. */
const MOST_AT_ONCE = 16

async function work(request: z.infer<typeof Request>, signal: AbortSignal): Promise<unknown> {
  switch (request.method) {
    case 'add':
      return request.params.reduce((sum, value) => sum + value, 0)
    case 'wait':
      return delay(request.params, 'waited', { signal })
    case 'divide':
      if (request.params[1] === 0) throw new RangeError('Division by zero')
      return request.params[0] / request.params[1]
  }
}

/** Works and answers. That a peer is gone before its answer is nobody's error. */
async function answer(ws: Connection<unknown, z.infer<typeof Response>>, request: z.infer<typeof Request>) {
  const { id } = request
  const response = await work(request, ws.signal).then(
    (result) => ({ id, result }),
    (error: Error) => ({ id, error: error.message }),
  )
  await ws.send(response).catch((error) => {
    if (!(error instanceof ConnectionClosed)) throw error
  })
}

const app = new Hono()
const sock = new Sock(app)

sock.route(
  '/rpc',
  {
    receive: Request,
    send: Response,
    onInvalid: ([issue], ws) => ws.send({ id: null, error: issue?.message ?? 'invalid' }),
  },
  async (ws) => {
    const underWay = new Set<Promise<unknown>>()
    for await (const request of ws) {
      const answered = answer(ws, request).finally(() => underWay.delete(answered))
      underWay.add(answered)
      if (underWay.size >= MOST_AT_ONCE) await Promise.race(underWay)
    }
  },
)

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port }).catch((error: Error) => {
  console.error(`Cannot listen on port ${port}: ${error.message}`)
  process.exit(1)
})
console.log(`ready ${server.url}`)
