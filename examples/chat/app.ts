/** The chat, but for its page: the same on every server. */
import { type Connection, Sock, type StandardIssue } from 'fetch-sock'
import { Hono } from 'hono'
import { z } from 'zod'
import { delay, pace } from './pace.ts'
import { type Room, Rooms } from './rooms.ts'

const limited = (max: number) => z.string().trim().min(1, 'must not be empty').max(max, `at most ${max} characters`)
const RoomName = limited(32).regex(/^[\p{L}\p{N}_-]*$/u, 'only letters, digits, - and _')
const Name = limited(24).regex(/^\P{Cc}*$/u, 'no control characters')
const Line = z.object({ id: z.hex().length(32), name: z.string(), text: limited(2000), at: z.number() })

const FromPage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('join'), name: Name }),
  z.object({ type: z.literal('say'), id: Line.shape.id, text: Line.shape.text }),
  z.object({ type: z.literal('typing'), on: z.boolean() }),
])
const ToPage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), name: z.string(), people: z.array(z.string()), history: z.array(Line) }),
  z.object({ type: z.literal('joined'), name: z.string() }),
  z.object({ type: z.literal('left'), name: z.string() }),
  z.object({ type: z.literal('said'), ...Line.shape }),
  z.object({ type: z.literal('typing'), name: z.string(), on: z.boolean() }),
  z.object({ type: z.literal('error'), field: z.string(), message: z.string() }),
])
/** For everyone in a room: checked and written once. */
const toAll = (message: z.infer<typeof ToPage>) => JSON.stringify(ToPage.parse(message))

export const app: Hono = new Hono()
export const sock: Sock = new Sock(app, { maxMessageSize: 16_384, maxBufferedAmount: 1_048_576 })
const rooms = new Rooms<z.infer<typeof Line>>()

/** Says which field does not fit. The connection goes on, but not faster than this. */
async function onInvalid(issues: readonly StandardIssue[], ws: Connection<unknown, z.infer<typeof ToPage>>) {
  for (const { path, message } of issues) {
    await ws.send({ type: 'error', field: path?.join('.') || 'message', message })
  }
  await delay(200)
}

app.use('/chat/:room', async (c, next) => {
  const { error } = RoomName.safeParse(c.req.param('room'))
  return error ? c.text(`room: ${error.issues[0]?.message}\n`, 400) : next()
})

sock.route('/chat/:room', { receive: FromPage, send: ToPage, onInvalid }, async (ws, c) => {
  const topic = sock.topic(`room/${c.req.param('room')}`)
  const turn = pace(20, 200)
  let room: Room<z.infer<typeof Line>> | undefined
  let name = ''
  try {
    for await (const message of ws) {
      await turn()
      if (message.type === 'join' && !room) {
        room = rooms.open(c.req.param('room'))
        name = room.enter(message.name)
        topic.publish(toAll({ type: 'joined', name }))
        topic.subscribe(ws)
        await ws.send({ type: 'welcome', name, people: [...room.people], history: room.history })
      } else if (!room || message.type === 'join') {
        await ws.send({ type: 'error', field: 'type', message: room ? 'you have joined already' : 'join first' })
      } else if (message.type === 'typing') {
        topic.publish(toAll({ type: 'typing', name, on: message.on }), { except: ws })
      } else {
        const line = { id: message.id, name, text: message.text, at: Date.now() }
        if (room.keep(line)) topic.publish(toAll({ type: 'said', ...line }))
      }
    }
  } finally {
    room?.people.delete(name)
    if (room) topic.publish(toAll({ type: 'left', name }))
  }
})
