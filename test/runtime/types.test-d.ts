/** What the compiler must accept; `tsc` is the test. */
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { attach } from '../../src/runtime/server.ts'

const app = new Hono()

// H17: the server of @hono/node-server as it is, and those of Node.
attach(serve({ fetch: app.fetch }), app)
attach(createServer(), app)
attach(createTlsServer(), app, { handshakeTimeout: 1000 })
// @ts-expect-error a port is no server
attach(3000, app)
