/** A chat: run this, open http://localhost:3000 in two windows, talk. `PORT` chooses another port. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { serve } from 'fetch-sock/server'
import { app } from './chat/app.ts'
import { page } from './chat/page.ts'

app.route('/', await page(readFileSync(new URL('chat.html', import.meta.url), 'utf8')))

const port = Number(process.env.PORT ?? 3000)
const server = await serve(app, { port, drainOnSignals: { deadline: 2000 } }).catch((error: Error) => {
  console.error(`Cannot listen on port ${port}: ${error.message}`)
  process.exit(1)
})
console.log(`ready ${server.url}`)
