/** An application with slow middleware in front of its routes, for hosts. A Worker too. */
import { Sock } from 'fetch-sock'
import { Hono } from 'hono'

export const app: Hono = new Hono()
export const sock: Sock = new Sock(app, { handshakeTimeout: 50, maxConnections: 1 })
// The longer of the two counts: whose route it is, is not known yet.
new Sock(app, { handshakeTimeout: 20 })

const state = { started: 0, aborted: 0, passed: 0 }
app.get('/state', (c) => c.json(state))

app.use('/never', (c) => {
  c.req.raw.signal.addEventListener('abort', () => state.aborted++)
  return new Promise(() => {})
})
app.use('/slow', async (_c, next) => {
  await new Promise((resolve) => setTimeout(resolve, 1200))
  state.passed++
  await next()
})
app.use('/late', async (_c, next) => {
  await new Promise((resolve) => setTimeout(resolve, 100))
  await next()
})
for (const path of ['/never', '/slow', '/late']) {
  // The longest of all routes.
  sock.route(path, { handshakeTimeout: 800 }, async (ws) => {
    state.started++
    await ws.send('in')
  })
}

export default app
