/**
 * Who may connect: a name and a password at `/login` give a cookie, and the cookie opens the inbox of its owner.
 * `PORT` chooses another port, `ORIGINS` the pages that may connect, such as `https://app.example,https://b.example`.
 *
 *     curl --user ada:lovelace --cookie-jar jar http://localhost:3000/login
 */
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import { basicAuth } from 'hono/basic-auth'
import { getSignedCookie, setSignedCookie } from 'hono/cookie'

const SESSION_SECONDS = 3600
/** Ends every session when the server starts again. A real server reads it from where its secrets are. */
const secret = crypto.randomUUID()
/** Without a list: pages of our own host and port. */
const origins = process.env.ORIGINS?.split(',')

const app = new Hono<{ Variables: { user: string } }>()
const sock = new Sock(app, {
  ...(origins && { origin: origins }),
  // A connection lives no longer than the cookie that opened it.
  maxLifetime: SESSION_SECONDS * 1000,
  // Three windows for everybody.
  maxConnectionsPerKey: 3,
  connectionKey: (c) => c.var.user,
})

const users = [
  { username: 'ada', password: 'lovelace' },
  { username: 'grace', password: 'hopper' },
] as const

app.get('/login', basicAuth({ ...users[0], onAuthSuccess: (c, name) => c.set('user', name) }, users[1]), async (c) => {
  const cookie = { httpOnly: true, sameSite: 'Strict', path: '/', maxAge: SESSION_SECONDS } as const
  await setSignedCookie(c, 'user', c.var.user, secret, cookie)
  return c.text(`Welcome, ${c.var.user}\n`)
})

// Who is it? Middleware in front of the route, as for any route.
app.use('/inbox/*', async (c, next) => {
  const user = await getSignedCookie(c, secret, 'user')
  if (!user) return c.json({ error: 'Log in at /login first' }, 401)
  c.set('user', user)
  return next()
})

sock.route(
  '/inbox/:owner',
  {
    // May they? The last word before the upgrade.
    beforeUpgrade: (c) =>
      c.req.param('owner') === c.var.user ? undefined : c.json({ error: 'This inbox is not yours' }, 403),
  },
  async (ws, c) => {
    await ws.send(`Welcome, ${c.var.user}`)
    for await (const message of ws) await ws.send(`${c.var.user} said ${message}`)
  },
)

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port }).catch((error: Error) => {
  console.error(`Cannot listen on port ${port}: ${error.message}`)
  process.exit(1)
})
console.log(`ready ${server.url}`)
