/** Messages with types, checked both ways: a vote that everybody sees. `PORT` chooses another port. */
import { type Connection, Sock, type StandardIssue } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import { z } from 'zod'

const Choice = z.enum(['tea', 'coffee'])

const FromVoter = z.discriminatedUnion('type', [
  z.object({ type: z.literal('vote'), choice: Choice }),
  z.object({ type: z.literal('ask') }),
])
const ToVoter = z.discriminatedUnion('type', [
  z.object({ type: z.literal('counts'), counts: z.record(Choice, z.int()) }),
  z.object({ type: z.literal('invalid'), path: z.string(), message: z.string() }),
])
type ToVoter = z.infer<typeof ToVoter>

const app = new Hono()
const sock = new Sock(app)
const counts = { tea: 0, coffee: 0 }

/** Without this a message that does not fit closes the connection with 1007. */
async function onInvalid([issue]: readonly StandardIssue[], ws: Connection<unknown, ToVoter>): Promise<void> {
  await ws.send({ type: 'invalid', path: issue?.path?.join('.') ?? '', message: issue?.message ?? '' })
}

sock.route('/vote', { receive: FromVoter, send: ToVoter, onInvalid }, async (ws) => {
  const voters = sock.topic('voters')
  voters.subscribe(ws)
  for await (const message of ws) {
    if (message.type === 'ask') {
      await ws.send({ type: 'counts', counts })
    } else {
      counts[message.choice] += 1
      // A topic sends text: what goes to all is checked and written once.
      voters.publish(JSON.stringify(ToVoter.parse({ type: 'counts', counts })))
    }
  }
})

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port }).catch((error: Error) => {
  console.error(`Cannot listen on port ${port}: ${error.message}`)
  process.exit(1)
})
console.log(`ready ${server.url}`)
