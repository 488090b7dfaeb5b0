/** An echo behind slow middleware, and what the server knows of it at `/state`. Argument: the port. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import { logger } from 'hono/logger'
import { secureHeaders } from 'hono/secure-headers'

/** What the tests ask for. */
export interface HandshakeState {
  /** Open connections, as the server counts them. */
  connections: number
  /** Requests whose middleware has begun and has not ended, and the most there ever were. */
  underWay: number
  mostUnderWay: number
  handlersStarted: number
  handlersEnded: number
  errors: string[]
}

const state: HandshakeState = {
  connections: 0,
  underWay: 0,
  mostUnderWay: 0,
  handlersStarted: 0,
  handlersEnded: 0,
  errors: [],
}

const app = new Hono()
app.get('/state', (c) => c.json({ ...state, connections: server.connections }))
app.use(
  '/slow',
  secureHeaders(),
  logger(() => {}),
  async (c, next) => {
    state.mostUnderWay = Math.max(state.mostUnderWay, ++state.underWay)
    try {
      await new Promise((resolve) => setTimeout(resolve, Number(c.req.query('ms'))))
      await next()
    } finally {
      state.underWay--
    }
  },
)

const onError = (error: unknown): void => void state.errors.push(String(error))
const sock = new Sock(app, { onError, closeTimeout: 2000 })
sock.route('/slow', async (ws) => {
  state.handlersStarted++
  try {
    await ws.send('in')
    for await (const message of ws) await ws.send(message)
  } finally {
    state.handlersEnded++
  }
})

process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED', reason)
  process.exit(70)
})
const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2] ?? 0), onError })
console.log(`ready ${server.url}`)
process.on('SIGTERM', async () => {
  await server.close()
  process.exit(0)
})
