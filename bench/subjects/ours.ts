/** fetch-sock on the runtime's raw socket, as the README shows it: a `for await` loop behind Hono. Argument: the port. */
import process from 'node:process'
import { serve } from 'fetch-sock/server'
import { app } from './our-app.ts'

const server = await serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2]) })
console.log(`ready ${server.url}`)
