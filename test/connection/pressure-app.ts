/** A server under pressure: readers and handlers that are slow. Argument: the port. `/state` tells its memory. */
import process from 'node:process'
import { Sock } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
import { Hono } from 'hono'
import type { SendPolicy } from '../../src/connection/options.ts'
import { CERTIFICATE, KEY } from '../runtime/certificate.ts'

const MIB = 1024 * 1024
const BLOCKS = 100

const state = {
  /** What became of the sends of `/flood`, by name. */
  sent: 0,
  dropped: 0,
  refused: 0,
  received: 0,
  /** Most bytes that a connection had unsent, and of resident memory, since `/reset`. */
  buffered: 0,
  base: 0,
  peak: 0,
  codes: [] as number[],
}

const app = new Hono()
const sock = new Sock(app)

function look(): void {
  state.peak = Math.max(state.peak, process.memoryUsage.rss())
}
setInterval(look, 10)

app.get('/state', (c) => c.json({ ...state, url: secure.url }))
app.post('/reset', (c) => {
  Object.assign(state, { sent: 0, dropped: 0, refused: 0, received: 0, buffered: 0, codes: [] })
  state.base = process.memoryUsage.rss()
  state.peak = state.base
  return c.text('reset')
})
for (const sendPolicy of ['wait', 'close', 'drop'] as SendPolicy[]) {
  for (const awaits of [true, false]) {
    sock.route(`/flood/${sendPolicy}/${awaits ? 'awaited' : 'at-once'}`, { sendPolicy }, async (ws) => {
      void ws.closed.then(({ code }) => state.codes.push(code))
      const block = new Uint8Array(MIB)
      for (let count = 0; count < BLOCKS; count++) {
        const sending = ws.send(block).then(
          (sent) => {
            if (sent) state.sent++
            else state.dropped++
          },
          () => {
            state.refused++
          },
        )
        state.buffered = Math.max(state.buffered, ws.bufferedAmount)
        if (awaits) await sending
        // Messages are dropped at once: the peer's end of the pipe is to fill meanwhile.
        if (sendPolicy === 'drop') await new Promise((resolve) => setTimeout(resolve, 1))
      }
      await ws.receive().catch(() => {})
    })
  }
}
sock.route('/slow', async (ws) => {
  void ws.closed.then(({ code }) => state.codes.push(code))
  for await (const message of ws) {
    state.received += message.length
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
})
sock.route('/deaf', async (ws) => {
  state.codes.push((await ws.closed).code)
})
sock.route('/echo', async (ws) => {
  for await (const message of ws) await ws.send(message)
})
sock.route('/readiness', async (ws) => {
  const states: number[] = [ws.readyState]
  await ws.receive()
  states.push(ws.readyState)
  const closed = ws.close(4000)
  states.push(ws.readyState)
  await closed
  states.push(ws.readyState)
  state.codes = states
})

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => console.error('UNHANDLED', error))
}
process.on('SIGTERM', () => process.exit(0))

const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2]) })
const secure = await serve(app, { hostname: '127.0.0.1', port: 0, tls: { cert: CERTIFICATE, key: KEY } })
console.log(`ready ${server.url}`)
