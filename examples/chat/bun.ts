/** The chat on `Bun.serve`: `bun run examples/chat/bun.ts`. `PORT` chooses another port. */
import { readFileSync } from 'node:fs'
import { app, sock } from './app.ts'
import { page } from './page.ts'

app.route('/', await page(readFileSync(new URL('../chat.html', import.meta.url), 'utf8')))

const server = Bun.serve({ port: Number(process.env.PORT ?? 3000), fetch: app.fetch, websocket: sock.websocket })
console.log(`ready ${server.url}`)
process.once('SIGTERM', async () => {
  await sock.drain({ deadline: 2000 })
  await server.stop()
  process.exit()
})
