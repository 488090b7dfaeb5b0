/** Hono's own middleware in front of socket routes: what it adds and what it refuses, the same on every runtime. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { sign } from 'hono/jwt'
import { type Running, SERVERS } from '../contract/servers.ts'
import { request, UPGRADE, WireClient } from '../runtime/wire-client.ts'

/** What reached the client. */
interface Seen {
  readonly status: number
  /** Lines as `name: value`, the name in lower case, in the order of their names. */
  readonly headers: readonly string[]
  /** Of a refusal; of an accepted upgrade the first message. */
  readonly body: string
}

interface Ask {
  readonly name: string
  readonly path: string
  readonly headers?: readonly string[]
  readonly method?: string
  /** Status, header lines that must be there, lines that must not, and what the body contains. */
  readonly status: number
  readonly has?: readonly (string | RegExp)[]
  readonly hasNot?: readonly RegExp[]
  readonly body: string
}

const REFUSED = 'You may not.'
const SECURE = [
  "content-security-policy: default-src 'none'",
  'x-content-type-options: nosniff',
  'x-frame-options: SAMEORIGIN',
  'strict-transport-security: max-age=15552000; includeSubDomains',
]
const FROM_A = ['Origin: https://a.example']
const token = await sign({ sub: 'grace' }, 'a secret of the tests, and no secret at all', 'HS256')

const ASKS: readonly Ask[] = [
  { name: 'no middleware', path: 'none/ws', status: 101, body: 'in', hasNot: [/^set-cookie|^x-|^content-/] },
  { name: 'no middleware, refused', path: 'none/refused', status: 403, body: REFUSED },
  {
    name: 'cors',
    path: 'cors/ws',
    headers: FROM_A,
    status: 101,
    has: ['access-control-allow-origin: https://a.example', 'access-control-allow-credentials: true'],
    body: 'in',
  },
  {
    name: 'cors, refused',
    path: 'cors/refused',
    headers: FROM_A,
    status: 403,
    has: ['access-control-allow-origin: https://a.example', 'access-control-expose-headers: x-request-id'],
    body: REFUSED,
  },
  { name: 'logger', path: 'logger/ws', status: 101, body: 'in' },
  { name: 'logger, refused', path: 'logger/refused', status: 403, body: REFUSED },
  {
    name: 'basicAuth, without credentials',
    path: 'basic-auth/ws',
    status: 401,
    has: ['www-authenticate: Basic realm="Secure Area"'],
    body: 'Unauthorized',
  },
  {
    name: 'basicAuth',
    path: 'basic-auth/ws',
    headers: [`Authorization: Basic ${btoa('ada:lovelace')}`],
    status: 101,
    body: 'in ada',
  },
  {
    name: 'jwt, without a token',
    path: 'jwt/ws',
    status: 401,
    has: [/^www-authenticate: Bearer realm=.*invalid_request/],
    body: 'Unauthorized',
  },
  {
    name: 'jwt, with a wrong one',
    path: 'jwt/ws',
    headers: ['Authorization: Bearer a.b.c'],
    status: 401,
    has: [/^www-authenticate: Bearer realm=.*invalid_token/],
    body: 'Unauthorized',
  },
  { name: 'jwt', path: 'jwt/ws', headers: [`Authorization: Bearer ${token}`], status: 101, body: 'in grace' },
  { name: 'csrf lets a GET pass', path: 'csrf/ws', headers: ['Origin: https://b.example'], status: 101, body: 'in' },
  {
    name: 'csrf, a form of another origin',
    path: 'csrf/ws',
    method: 'POST',
    headers: ['Origin: https://b.example', 'Content-Type: application/x-www-form-urlencoded'],
    status: 403,
    body: 'Forbidden',
  },
  { name: 'secureHeaders', path: 'secure-headers/ws', status: 101, has: SECURE, body: 'in' },
  { name: 'secureHeaders, refused', path: 'secure-headers/refused', status: 403, has: SECURE, body: REFUSED },
  {
    name: 'compress',
    path: 'compress/ws',
    headers: ['Accept-Encoding: gzip'],
    status: 101,
    hasNot: [/^content-encoding/],
    body: 'in',
  },
  {
    name: 'compress, refused',
    path: 'compress/refused',
    headers: ['Accept-Encoding: gzip'],
    status: 403,
    has: ['content-encoding: gzip'],
    body: REFUSED,
  },
  { name: 'timeout', path: 'timeout/ws', status: 101, body: 'in' },
  { name: 'timeout, too late', path: 'timeout/slow', status: 504, body: 'Gateway Timeout' },
  { name: 'timeout, refused', path: 'timeout/refused', status: 403, body: REFUSED },
  { name: 'etag', path: 'etag/ws', status: 101, hasNot: [/^etag/], body: 'in' },
  // It marks what can be kept, and a refusal cannot.
  { name: 'etag, refused', path: 'etag/refused', status: 403, hasNot: [/^etag/], body: REFUSED },
  { name: 'poweredBy', path: 'powered-by/ws', status: 101, has: ['x-powered-by: Hono'], body: 'in' },
  { name: 'poweredBy, refused', path: 'powered-by/refused', status: 403, has: ['x-powered-by: Hono'], body: REFUSED },
  { name: 'requestId', path: 'request-id/ws', status: 101, has: [/^x-request-id: [0-9a-f-]{36}$/], body: 'in' },
  {
    name: 'requestId of the client',
    path: 'request-id/refused',
    headers: ['X-Request-Id: mine'],
    status: 403,
    has: ['x-request-id: mine'],
    body: REFUSED,
  },
  {
    name: 'a session by signed cookie',
    path: 'session/ws',
    status: 101,
    has: [/^set-cookie: visits=1\..+; Path=\/; HttpOnly$/, /^set-cookie: last=now\..+; Path=\/session$/],
    body: 'in 1',
  },
  {
    name: 'a session whose cookie was changed',
    path: 'session/ws',
    headers: ['Cookie: visits=41.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D'],
    status: 101,
    has: [/^set-cookie: visits=1\./],
    body: 'in 1',
  },
  {
    name: 'a session, refused',
    path: 'session/refused',
    status: 403,
    has: [/^set-cookie: visits=1\./, /^set-cookie: last=now\./],
    body: REFUSED,
  },
  { name: 'bodyLimit', path: 'body-limit/ws', status: 101, body: 'in' },
  {
    name: 'all at once',
    path: 'all/ws',
    headers: [...FROM_A, 'Accept-Encoding: gzip'],
    status: 101,
    has: [
      ...SECURE,
      'access-control-allow-origin: https://a.example',
      /^x-request-id: /,
      /^set-cookie: visits=1\./,
      /^set-cookie: last=now\./,
    ],
    // secureHeaders takes away what poweredBy adds behind it.
    hasNot: [/^x-powered-by/, /^content-encoding/],
    body: 'in 1',
  },
  {
    name: 'all at once, refused',
    path: 'all/refused',
    headers: [...FROM_A, 'Accept-Encoding: gzip'],
    status: 403,
    has: [...SECURE, 'content-encoding: gzip', /^x-request-id: /, /^set-cookie: visits=1\./],
    hasNot: [/^x-powered-by/],
    body: REFUSED,
  },
]

const COMPRESSES = 'the host compresses what says gzip, whoever has done so already'
/** By server and what it is asked: why that does not hold there. */
const SKIPS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  workerd: { 'compress, refused': COMPRESSES, 'all at once, refused': COMPRESSES },
  'workerd, older': { 'compress, refused': COMPRESSES, 'all at once, refused': COMPRESSES },
  'workerd, Durable Object': {
    'compress, refused': COMPRESSES,
    'all at once, refused': COMPRESSES,
    'csrf, a form of another origin': 'the host in front of the object answers a POST itself, with 400',
  },
}

/** Different in every answer, or how the body travels: with its length or in chunks, as the runtime's Response has it. */
const VOLATILE = /^(date|x-request-id|content-length|transfer-encoding):/
/** A server may keep the connection of a refusal, or end it. */
const PER_HOP = /^(connection|keep-alive):/

/** What must be the same on every server. */
function comparable(answer: Seen): Seen {
  const headers = answer.headers
    .filter((line) => !VOLATILE.test(line) && (answer.status === 101 || !PER_HOP.test(line)))
    // Runtimes write the type of a plain text with a space in it, or without.
    .map((line) => line.replace(/; ?charset=utf-8/i, ';charset=UTF-8'))
    // Bun.serve does not know the type of a body that an HTTPException of Hono has passed on.
    .map((line) => line.replace('application/octet-stream', 'text/plain;charset=UTF-8'))
    // A list may stand in one line or in several (RFC 9110 §5.3).
    .flatMap((line) => (line.startsWith('vary: ') ? line.replaceAll(', ', '\nvary: ').split('\n') : [line]))
    .sort()
  return { ...answer, headers }
}

async function ask(server: Running, { path, headers = [], method, status }: Ask): Promise<Seen> {
  using client = await WireClient.open({ port: Number(new URL(server.url).port) })
  client.send(request(`/middleware/${path}`, [...UPGRADE, ...headers], method))
  await client.until('\r\n\r\n')
  const got = Number(client.text.split(' ')[1])
  const end = client.text.indexOf('\r\n\r\n')
  const lines = client.text.slice(0, end).split('\r\n').slice(1)
  const named = lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).sort()
  // A message of the server, unmasked and short; a refusal with its length, in chunks, or to the end.
  const length = named.find((line) => line.startsWith('content-length: '))?.slice(16)
  if (got === 101) await client.until(/\r\n\r\n\x81[\s\S]/)
  else if (length !== undefined) await client.until(new RegExp(`\\r\\n\\r\\n[\\s\\S]{${length}}`))
  else if (isChunked(named)) await client.until(/\r\n0\r\n\r\n$/)
  else await client.untilEnd()
  const raw = client.text.slice(end + 4)
  expect([path, got]).toEqual([path, status])
  return { status: got, headers: named, body: got === 101 ? frameText(raw) : bodyText(named, raw) }
}

function isChunked(headers: readonly string[]): boolean {
  return headers.some((line) => line.toLowerCase() === 'transfer-encoding: chunked')
}

function frameText(raw: string): string {
  return raw.slice(2, 2 + raw.charCodeAt(1))
}

function bodyText(headers: readonly string[], raw: string): string {
  const body = Buffer.from(isChunked(headers) ? unchunked(raw) : raw, 'latin1')
  return (headers.includes('content-encoding: gzip') ? gunzipSync(body) : body).toString()
}

function unchunked(raw: string): string {
  let text = ''
  for (let at = 0; ; ) {
    const lineEnd = raw.indexOf('\r\n', at)
    const size = Number.parseInt(raw.slice(at, lineEnd), 16)
    if (size === 0) return text
    if (!(size > 0)) throw new Error(`No chunk at ${JSON.stringify(raw.slice(at, at + 20))}`)
    text += raw.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 4 + size
  }
}

/** By server: what each was asked and answered. */
const seen = new Map<string, Map<string, Seen>>()

/** What a server says of options that have no effect. */
const WARNING = /^fetch-sock: the option .*\n/gm

for (const server of SERVERS) {
  describe(`middleware of Hono on ${server.name}`, () => {
    let running: Running

    beforeAll(async () => {
      running = await server.start()
    }, 30_000)

    afterAll(async () => {
      await running.stop()
      expect(running.stderr.replace(WARNING, '')).toBe('')
    })

    for (const asked of ASKS) {
      const skip = SKIPS[server.name]?.[asked.name]
      if (skip !== undefined) {
        test.skip(`R6 H13 ${asked.name}, on ${server.name}: ${skip}`, () => {})
        continue
      }
      test(`R6 H13 ${asked.name}, on ${server.name}`, async () => {
        const answer = await ask(running, asked)
        for (const line of asked.has ?? [])
          expect(answer.headers).toContainEqual(typeof line === 'string' ? line : expect.stringMatching(line))
        for (const line of asked.hasNot ?? []) expect(answer.headers.filter((header) => line.test(header))).toEqual([])
        if (asked.status === 101) expect(answer.body).toBe(asked.body)
        else expect(answer.body).toContain(asked.body)
        const answers = seen.get(asked.name) ?? new Map<string, Seen>()
        answers.set(server.name, comparable(answer))
        seen.set(asked.name, answers)
      })
    }

    test(`R6 logger has printed the 101 and the 403, on ${server.name}`, async () => {
      const printed = (await (await fetch(`${running.url}/middleware/printed`)).json()) as string[]
      expect(printed).toContainEqual(expect.stringMatching(/--> GET \/middleware\/logger\/ws \S*101/))
      expect(printed).toContainEqual(expect.stringMatching(/--> GET \/middleware\/logger\/refused \S*403/))
    })
  })
}

describe('middleware of Hono', () => {
  test.each(ASKS.map(({ name }) => name))('R6 H13 reaches the client alike on every server: %s', (name) => {
    const answers = [...(seen.get(name) ?? [])]
    expect(answers.map(([server]) => server)).toEqual(
      SERVERS.map((server) => server.name).filter((server) => SKIPS[server]?.[name] === undefined),
    )
    const [first] = answers
    for (const [server, answer] of answers) expect({ server, ...answer }).toEqual({ server, ...(first?.[1] as Seen) })
  })
})
