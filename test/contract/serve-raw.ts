/** The contract's application on our own server. Argument: the port, 0 for any. */
import process from 'node:process'
import { serve } from 'fetch-sock/server'
import { app } from './app.ts'

process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED', reason)
  process.exit(70)
})
const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2] ?? 0) })
console.log(`ready ${server.url}`)
process.on('SIGTERM', async () => {
  await server.close()
  process.exit(0)
})
