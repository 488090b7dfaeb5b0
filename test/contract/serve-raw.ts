/** The contract's application on our own server. Arguments: the port, 0 for any; `https`, or the path of a unix socket. */
import process from 'node:process'
import { serve } from 'fetch-sock/server'
import { CERTIFICATE, KEY } from '../runtime/certificate.ts'
import { app } from './app.ts'

process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED', reason)
  process.exit(70)
})
const [, , port = '0', where] = process.argv
const tcp = { hostname: '127.0.0.1', port: Number(port) }
const tls = { key: KEY, cert: CERTIFICATE }
const server = await serve(app, where === undefined ? tcp : where === 'https' ? { ...tcp, tls } : { path: where })
console.log(`ready ${where === undefined || where === 'https' ? server.url : 'http://unix'}`)
process.on('SIGTERM', async () => {
  await server.close()
  process.exit(0)
})
