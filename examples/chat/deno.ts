/** The chat on `Deno.serve`: `deno run -A examples/chat/deno.ts`. `PORT` chooses another port. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { app, sock } from './app.ts'
import { page } from './page.ts'

app.route('/', await page(readFileSync(new URL('../chat.html', import.meta.url), 'utf8')))

const port = Number(process.env.PORT ?? 3000)
const onListen = ({ port }: { readonly port: number }) => console.log(`ready http://localhost:${port}`)
const server = Deno.serve({ port, onListen }, app.fetch)
process.once('SIGTERM', async () => {
  await sock.drain({ deadline: 2000 })
  await server.shutdown()
  process.exit()
})
