/** What README.md says of its routes, route by route, on every kind of server. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { connect } from 'fetch-sock/client'
import { hc } from 'hono/client'
import type { HandshakeError } from '../../src/codec/errors.ts'
import type { Connection } from '../../src/connection/connection.ts'
import type { ClientOptions } from '../../src/runtime/client-options.ts'
import { ROOT, type Runtime } from '../subject/runtime.ts'
import { type Started, startServer } from '../subject/start.ts'

/** Of this run alone: two may run at the same time. */
const FOLDER = join(ROOT, '.tmp', `readme-servers-${process.pid}`)

/** How each server starts, with `app` and `sock` at hand. */
const RAW = `import { serve } from 'fetch-sock/server'
const server = await serve(app, { hostname: '127.0.0.1', port })
console.log('ready ' + server.url)`
const SERVERS: readonly (readonly [name: string, runtime: Runtime, code: string])[] = [
  ['raw Node', 'node', RAW],
  ['raw Bun', 'bun', RAW],
  ['raw Deno', 'deno', RAW],
  [
    'Bun.serve',
    'bun',
    `const server = Bun.serve({ hostname: '127.0.0.1', port, fetch: app.fetch, websocket: sock.websocket })
console.log('ready ' + server.url)`,
  ],
  [
    'Deno.serve',
    'deno',
    `const server = Deno.serve({ hostname: '127.0.0.1', port, onListen() {} }, app.fetch)
console.log('ready http://127.0.0.1:' + server.addr.port)`,
  ],
]

/** One application of all blocks: those that go on from the first one share its `app` and `sock`. */
async function writeApplication(): Promise<void> {
  const page = await Bun.file(join(ROOT, 'README.md')).text()
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
    .map((match) => match[1] ?? '')
    // Replaces the global `Response`, which a native server in the same process does not take.
    .filter((block) => !block.includes('getRequestListener('))
  await mkdir(FOLDER, { recursive: true })
  const [first = '', ...rest] = blocks
  // One of them sends a request, and Hono takes no route after that.
  const others = rest.sort((a, b) => Number(a.includes('app.request(')) - Number(b.includes('app.request(')))
  await Bun.write(
    join(FOLDER, 'block-0.ts'),
    `${first.replace(/^const (?=app|sock)/gm, 'export const ').replace(/^await serve.*$/m, '')}`,
  )
  for (const [index, block] of others.entries()) {
    const code = `import { Hono } from 'hono'\nimport { Sock } from 'fetch-sock'\nimport { app, sock } from './block-0.ts'\n${block}export const blocks = 1\n`
    await Bun.write(join(FOLDER, `block-${index + 1}.ts`), code)
  }
  // A bundle leaves out a module of which nothing is used: the package says that its files have no side effects.
  const all = others.map((_, index) => `import { blocks as b${index} } from './block-${index + 1}.ts'`).join('\n')
  const used = `console.log('blocks', ${others.map((_, index) => `b${index}`).join(' + ')})`
  for (const [name, , code] of SERVERS) {
    const start = `import process from 'node:process'\n${all}\nimport { app, sock } from './block-0.ts'
void sock
${used}
const port = Number(process.argv[2])
process.on('SIGTERM', () => process.exit(0))
${code}\n`
    await Bun.write(fileOf(name), start)
  }
}

function fileOf(server: string): string {
  return join(FOLDER, `${server.replaceAll(/\W/g, '-')}.ts`)
}

const PATIENCE = { timeout: 5000 }

beforeAll(writeApplication)
afterAll(() => rm(FOLDER, { recursive: true, force: true }))

describe.each(SERVERS)('README.md on %s', (name, runtime) => {
  let server: Started
  beforeAll(async () => {
    server = await startServer(runtime, fileOf(name))
  })
  afterAll(async () => {
    await server.stop()
    expect(server.stderr.replace(/^fetch-sock: the option \w+ has no effect on .*\n/gm, '')).toBe('')
  })

  const open = (path: string, options?: ClientOptions): Promise<Connection> => connect(server.wsUrl + path, options)
  const said = async (ws: Connection, ...texts: string[]): Promise<unknown[]> => {
    const answers: unknown[] = []
    for (const text of texts) {
      await ws.send(text)
      answers.push(await ws.receive(PATIENCE))
    }
    return answers
  }
  const refusal = async (path: string, options?: ClientOptions): Promise<[number, string | null, string]> => {
    const error = (await open(path, options).catch((error: unknown) => error)) as HandshakeError
    const challenge = error.headers.find(([field]) => field.toLowerCase() === 'www-authenticate')?.[1] ?? null
    return [error.status, challenge, new TextDecoder().decode(error.body).trim()]
  }

  test('H20 echo: text and binary come back; a plain GET gets 426', async () => {
    await using ws = await open('/echo')
    expect(await said(ws, 'hello')).toEqual(['hello'])
    await ws.send(Uint8Array.of(1, 2))
    expect(await ws.receive(PATIENCE)).toEqual(Uint8Array.of(1, 2))
    const plain = await fetch(`${server.url}/echo`)
    expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket'])
  })

  test('H20 routes: a parameter, a base path, a group, the form of Hono with middleware in front', async () => {
    await using room = await open('/rooms/blue')
    expect(await room.receive(PATIENCE)).toBe('Welcome to blue')
    expect(await said(room, 'hi')).toEqual(['blue: hi'])
    const time = await open('/api/time')
    expect(String(await time.receive(PATIENCE))).toMatch(/^\d{4}-\d\d-\d\dT/)
    expect(await time.closed).toMatchObject({ code: 1000, wasClean: true })
    await using log = await open('/admin/log')
    expect(await log.receive(PATIENCE)).toBe('nothing yet')
    await using plain = await open('/plain/red?name=Ada')
    expect(await said(plain, 'hi')).toEqual(['Ada in red: hi'])
    expect((await fetch(`${server.url}/plain/red`)).status).toBe(426)
  })

  test('H20 receive, send, close, options', async () => {
    const clock = await open('/clock')
    expect(String(await clock.receive(PATIENCE))).toMatch(/^\d{4}-\d\d-\d\dT/)
    await clock.send('stop')
    expect(await clock.closed).toMatchObject({ code: 1000 })
    await using numbers = await open('/numbers')
    for (let n = 0; n < 1000; n++) expect(await numbers.receive(PATIENCE)).toBe(`${n}`)
    expect(await numbers.receiveJson(PATIENCE)).toEqual({ done: true })
    await using quiz = await open('/quiz')
    expect(await quiz.receive(PATIENCE)).toBe('6 times 7?')
    expect(await said(quiz, '42')).toEqual(['Right'])
    expect(await quiz.closed).toMatchObject({ code: 1000 })
    await using upload = await open('/upload', { permessageDeflate: true })
    expect(await said(upload, 'x'.repeat(100_000))).toEqual(['{"length":100000}'])
  })

  test('H20 before the upgrade: authentication, beforeUpgrade, origin, subprotocols', async () => {
    expect(await refusal('/private/feed')).toEqual([401, 'Basic realm="Secure Area"', 'Unauthorized'])
    const headers = { Authorization: `Basic ${btoa('ada:lovelace')}` }
    await using feed = await open('/private/feed', { headers })
    expect(await feed.receive(PATIENCE)).toBe('hello, Ada')
    await using ticket = await open('/tickets/7')
    expect(await ticket.receive(PATIENCE)).toBe('ticket 7')
    expect(await refusal('/tickets/x')).toEqual([404, null, 'No such ticket'])
    await using widget = await open('/widget', { headers: { Origin: 'https://admin.example' } })
    expect(await widget.receive(PATIENCE)).toBe('hello')
    expect((await refusal('/widget', { headers: { Origin: 'https://evil.example' } }))[0]).toBe(403)
    expect((await refusal('/echo', { headers: { Origin: 'https://evil.example' } }))[0]).toBe(403)
    await using same = await open('/echo', { headers: { Origin: server.url } })
    expect(same.connected).toBe(true)
    await using graph = await open('/graph', { subprotocols: ['v0', 'v1.json', 'v2.json'] })
    expect([graph.protocol, await graph.receiveJson(PATIENCE)]).toEqual(['v1.json', { speaking: 'v1.json' }])
    expect((await refusal('/graph'))[0]).toBe(400)
  })

  test('H20 typed messages: the answer, and 1007 for what does not fit', async () => {
    await using ws = await open('/sum')
    expect(await said(ws, '{"a":1,"b":2}')).toEqual(['{"sum":3}'])
    await ws.send('{"a":1}')
    expect(await ws.closed).toMatchObject({ code: 1007, initiator: 'remote' })
    expect(ws.reason).toMatch(/^b: /)
  })

  test('H20 topics: members reach each other, HTTP reaches them, and a stream turns text upper case', async () => {
    const [one, two] = [await open('/lobby'), await open('/lobby')]
    const announce = async (text: string): Promise<unknown> =>
      (await fetch(`${server.url}/announce`, { method: 'POST', body: text })).json()
    // Both have joined when an announcement has reached both.
    while (((await announce('here?')) as { sent: number }).sent < 2) await Bun.sleep(5)
    const nextOf = async (ws: Connection): Promise<unknown> => {
      for (;;) {
        const message = await ws.receive(PATIENCE)
        if (message !== 'here?') return message
      }
    }
    await one.send('from one')
    expect(await nextOf(two)).toBe('from one')
    expect(await announce('to all')).toEqual({ sent: 2, dropped: 0, closed: 0 })
    expect([await nextOf(one), await nextOf(two)]).toEqual(['to all', 'to all'])
    await Promise.all([one.close(), two.close()])
    await using upper = await open('/upper')
    expect(await said(upper, 'abc')).toEqual(['ABC'])
  })

  test('H20 the route that was one of the helper of Hono, by $ws() of the client of Hono', async () => {
    interface Client {
      readonly count: { $ws(): WebSocket }
    }
    const socket = (hc(server.url) as unknown as Client).count.$ws()
    const answers: unknown[] = []
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => socket.send('x')
      socket.onerror = () => reject(new Error('No connection'))
      socket.onmessage = ({ data }) => {
        answers.push(data)
        if (answers.length === 2) resolve()
        else socket.send('y')
      }
    })
    socket.close()
    expect(answers).toEqual(['1: x', '2: y'])
    while (!server.stdout.includes('2 messages')) await Bun.sleep(5)
  })
})
