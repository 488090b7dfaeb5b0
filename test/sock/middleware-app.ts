/**
 * Hono's own middleware, each in front of socket routes: `/middleware/<name>/ws` says `in`, `/middleware/<name>/refused`
 * refuses with 403 and a page.
 */
import { Sock } from 'fetch-sock'
import type { Hono, MiddlewareHandler } from 'hono'
import { basicAuth } from 'hono/basic-auth'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { getSignedCookie, setSignedCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { csrf } from 'hono/csrf'
import { etag } from 'hono/etag'
import { jwt } from 'hono/jwt'
import { logger } from 'hono/logger'
import { poweredBy } from 'hono/powered-by'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import { timeout } from 'hono/timeout'

const SECRET = 'a secret of the tests, and no secret at all'
/** Long enough for `compress`. */
const PAGE = `<p>${'You may not. '.repeat(200)}</p>`

export interface SessionEnv {
  Variables: { visits: number; user: string; jwtPayload: { sub: string } }
}

const printed: string[] = []

/** A session as one writes it: a signed cookie, read in front and set behind. */
const session: MiddlewareHandler<SessionEnv> = async (c, next) => {
  const visits = Number((await getSignedCookie(c, SECRET, 'visits')) || 0) + 1
  c.set('visits', visits)
  await next()
  await setSignedCookie(c, 'visits', String(visits), SECRET, { httpOnly: true, path: '/' })
  await setSignedCookie(c, 'last', 'now', SECRET, { path: '/session' })
}

const CORS = { origin: 'https://a.example', credentials: true, exposeHeaders: ['x-request-id'] }

const MIDDLEWARE: Readonly<Record<string, readonly MiddlewareHandler<SessionEnv>[]>> = {
  none: [],
  cors: [cors(CORS)],
  logger: [logger((line, ...rest) => printed.push([line, ...rest].join(' ')))],
  'basic-auth': [basicAuth({ username: 'ada', password: 'lovelace', onAuthSuccess: (c, name) => c.set('user', name) })],
  jwt: [jwt({ secret: SECRET, alg: 'HS256' })],
  csrf: [csrf({ origin: 'https://a.example' })],
  'secure-headers': [secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'none'"] } })],
  compress: [compress()],
  timeout: [timeout(100)],
  etag: [etag()],
  'powered-by': [poweredBy()],
  'request-id': [requestId()],
  session: [session],
  'body-limit': [bodyLimit({ maxSize: 10 })],
}

const BASE = '/middleware'

/** Adds the routes to an application. */
export function addMiddlewareRoutes(whole: Hono<SessionEnv>): void {
  const app = whole.basePath(BASE)
  const sock = new Sock<SessionEnv>(undefined, { origin: '*' }).mount(whole, { basePath: BASE })

  const routes = (name: string, middleware: readonly MiddlewareHandler<SessionEnv>[]): void => {
    for (const handler of middleware) app.use(`/${name}/*`, handler)
    sock.route(`/${name}/ws`, (ws, c) =>
      ws.send(['in', c.var.user, c.var.jwtPayload?.sub, c.var.visits].filter(Boolean).join(' ')),
    )
    sock.route(`/${name}/refused`, { beforeUpgrade: (c) => c.html(PAGE, 403) }, () => {})
    sock.route(`/${name}/slow`, { beforeUpgrade: () => new Promise((resolve) => setTimeout(resolve, 500)) }, (ws) =>
      ws.send('in, late'),
    )
  }

  for (const [name, middleware] of Object.entries(MIDDLEWARE)) routes(name, middleware)
  // Those that ask nothing of the client, all at once.
  const open = ['cors', 'logger', 'csrf', 'secure-headers', 'compress', 'etag', 'powered-by', 'request-id', 'session']
  routes(
    'all',
    open.flatMap((name) => MIDDLEWARE[name] ?? []),
  )
  app.get('/printed', (c) => c.json(printed))
}
