/**
 * What blueprints are in Flask: two parts of an application, each with routes, middleware and options of its own.
 * `PORT` chooses another port.
 */
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'

const sock = new Sock(undefined, { maxMessageSize: 65_536 })

/** For everyone: what happens in a game. */
const games = new Hono().basePath('/:game')
const gameRoutes = sock.group(games, { subprotocols: ['game.v1'] })

gameRoutes.route('/watch', async (ws, c) => {
  sock.topic(c.req.param('game')).subscribe(ws)
  await ws.send(`You watch ${c.req.param('game')}`)
  await ws.closed
})

/** For those who have the token: saying what happens. Short messages, one connection at a time. */
const referees = new Hono()
referees.use(bearerAuth({ token: process.env.TOKEN ?? 'whistle' }))
const refereeRoutes = sock.group(referees, { maxMessageSize: 256, maxConnections: 1 })

refereeRoutes.route('/:game/report', async (ws, c) => {
  for await (const message of ws) {
    const { sent } = sock.topic(c.req.param('game')).publish(message)
    await ws.sendJson({ watchers: sent })
  }
})

const app = new Hono()
sock.mount(app)
app.route('/games', games)
app.route('/referees', referees)

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port }).catch((error: Error) => {
  console.error(`Cannot listen on port ${port}: ${error.message}`)
  process.exit(1)
})
console.log(`ready ${server.url}`)
