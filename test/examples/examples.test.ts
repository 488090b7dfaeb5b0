/** Every example is started, used and stopped, as a process of its own. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import process from 'node:process'
import { Peer, refusal } from '../sock/peer.ts'
import { command, ROOT } from '../subject/runtime.ts'
import { type Started, startServer } from '../subject/start.ts'
import { ChatClient } from './chat-client.ts'

const FOLDER = join(ROOT, 'examples')
const FROM_SOURCE = join(import.meta.dir, 'from-source.ts')

/** What a user of each example does, by the name of its file. */
const USES: Readonly<Record<string, (server: Started) => Promise<void>>> = {
  async echo({ wsUrl }) {
    const socket = await open(`${wsUrl}/echo`)
    const messages = collect(socket, 2)
    socket.send('héllo')
    socket.send(new Uint8Array([0, 255]))
    const [text, binary] = await messages
    expect(text).toBe('héllo')
    expect(new Uint8Array(binary as ArrayBuffer)).toEqual(new Uint8Array([0, 255]))
    const closed = closeOf(socket)
    socket.send('close')
    expect(await closed).toEqual({ code: 1000, wasClean: true })
  },

  async clock({ wsUrl }) {
    const socket = await open(`${wsUrl}/clock`)
    const [first, second] = (await collect(socket, 2)).map((time) => Date.parse(String(time)))
    expect(Math.abs(Date.now() - (second ?? 0))).toBeLessThan(1500)
    expect((second ?? 0) - (first ?? 0)).toBeWithin(900, 2500)
    const closed = closeOf(socket)
    socket.send('close')
    expect(await closed).toEqual({ code: 1000, wasClean: true })
  },

  async chat({ url, wsUrl }) {
    expect(await (await fetch(url)).text()).toStartWith('<!doctype html>')
    const ada = await ChatClient.join(wsUrl, 'lobby', 'Ada')
    expect(await ada.next('welcome')).toMatchObject({ name: 'Ada', people: ['Ada'], history: [] })
    const grace = await ChatClient.join(wsUrl, 'lobby', 'Grace')
    expect(await ada.next('joined')).toMatchObject({ name: 'Grace' })
    grace.say('Hello')
    expect(await ada.next('said')).toMatchObject({ name: 'Grace', text: 'Hello' })
    await grace.leave()
    expect(await ada.next('left')).toMatchObject({ name: 'Grace' })
    await ada.leave()
  },

  async auth({ url, wsUrl }) {
    const stranger = await refusal(`${url}/inbox/ada`)
    expect([stranger.status, stranger.body]).toEqual([401, '{"error":"Log in at /login first"}'])
    expect((await fetch(`${url}/login`)).status).toBe(401)
    expect((await login(url, 'ada', 'hopper')).status).toBe(401)
    const [graces = ''] = (await login(url, 'grace', 'hopper')).headers.get('set-cookie')?.split(';') ?? []
    expect((await refusal(`${url}/inbox/ada`, { headers: { Cookie: graces } })).body).toContain('not yours')
    const forged = { Cookie: graces.replace('grace', 'ada') }
    expect((await refusal(`${url}/inbox/ada`, { headers: forged })).status).toBe(401)

    const [cookie = ''] = (await login(url, 'ada', 'lovelace')).headers.get('set-cookie')?.split(';') ?? []
    const headers = { Cookie: cookie, Origin: 'https://app.example' }
    const peer = await Peer.dial(`${wsUrl}/inbox/ada`, { headers })
    expect(await peer.next()).toBe('Welcome, ada')
    expect(await peer.send('hello').next()).toBe('ada said hello')
    const evil = await refusal(`${url}/inbox/ada`, { headers: { ...headers, Origin: 'https://evil.example' } })
    expect(evil.status).toBe(403)
    const more = [
      await Peer.dial(`${wsUrl}/inbox/ada`, { headers }),
      await Peer.dial(`${wsUrl}/inbox/ada`, { headers }),
    ]
    expect((await refusal(`${url}/inbox/ada`, { headers })).status).toBe(429)
    for (const open of [peer, ...more]) expect(await open.close()).toBe('1000')
  },

  async typed({ wsUrl }) {
    const [one, two] = [await Peer.dial(`${wsUrl}/vote`), await Peer.dial(`${wsUrl}/vote`)]
    const counts = (tea: number, coffee: number): string => JSON.stringify({ type: 'counts', counts: { tea, coffee } })
    expect(await two.send('{"type":"ask"}').next()).toBe(counts(0, 0))
    one.send('{"type":"vote","choice":"tea"}')
    expect([await one.next(), await two.next()]).toEqual([counts(1, 0), counts(1, 0)])
    const answer = JSON.parse(await two.send('{"type":"vote","choice":"beer"}').next())
    expect(answer).toMatchObject({ type: 'invalid', path: 'choice' })
    expect(JSON.parse(await two.send('no JSON').next())).toMatchObject({ type: 'invalid' })
    expect(await one.send('{"type":"ask"}').next()).toBe(counts(1, 0))
    expect([await one.close(), await two.close()]).toEqual(['1000', '1000'])
  },

  async blueprints({ url, wsUrl }) {
    const watcher = await Peer.dial(`${wsUrl}/games/chess/watch`, { subprotocols: ['game.v1'] })
    expect([watcher.socket.protocol, await watcher.next()]).toEqual(['game.v1', 'You watch chess'])
    expect((await refusal(`${url}/referees/chess/report`)).status).toBe(401)
    const headers = { Authorization: 'Bearer whistle' }
    const referee = await Peer.dial(`${wsUrl}/referees/chess/report`, { headers })
    expect(await referee.send('e4').next()).toBe('{"watchers":1}')
    expect(await watcher.next()).toBe('e4')
    expect((await refusal(`${url}/referees/go/report`, { headers })).status).toBe(503)
    expect(await referee.send('x'.repeat(257)).closed).toStartWith('1009')
    expect(await watcher.close()).toBe('1000')
  },

  async rpc({ wsUrl }) {
    const peer = await Peer.dial(`${wsUrl}/rpc`)
    const call = (request: object): unknown => peer.send(JSON.stringify(request))
    const next = async (): Promise<unknown> => JSON.parse(await peer.next())
    call({ id: 1, method: 'wait', params: 100 })
    call({ id: 2, method: 'add', params: [1, 2, 3] })
    call({ id: 3, method: 'divide', params: [1, 0] })
    expect(await next()).toEqual({ id: 2, result: 6 })
    expect(await next()).toEqual({ id: 3, error: 'Division by zero' })
    expect(await next()).toEqual({ id: 1, result: 'waited' })
    call({ id: 4, method: 'subtract', params: [] })
    expect(await next()).toEqual({ id: null, error: expect.any(String) })
    call({ id: 5, method: 'wait', params: 10_000 })
    expect(await peer.close()).toBe('1000')

    // Gone before its answers: nobody's error.
    const hasty = await Peer.dial(`${wsUrl}/rpc`)
    const big = JSON.stringify({ id: 1, method: 'add', params: new Array(1000).fill(1) })
    for (let i = 0; i < 200; i++) hasty.send(i % 2 === 0 ? big : '{"id":2,"method":"wait","params":1}')
    await Bun.sleep(5)
    hasty.terminate()
    const after = await Peer.dial(`${wsUrl}/rpc`)
    expect(await after.send('{"id":7,"method":"add","params":[1]}').next()).toBe('{"id":7,"result":1}')
    await after.close()
  },
}

/** What some examples are started with. */
const SETTINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  auth: { ORIGINS: 'https://app.example,https://b.example' },
}

function login(url: string, name: string, password: string): Promise<Response> {
  return fetch(`${url}/login`, { headers: { Authorization: `Basic ${btoa(`${name}:${password}`)}` } })
}

const names = [...new Bun.Glob('*.ts').scanSync({ cwd: FOLDER })].map((file) => file.replace(/\.ts$/, '')).sort()

test('H20 every example is used here', () => {
  expect(Object.keys(USES).sort()).toEqual(names)
})

test('H20 every example is short', async () => {
  const files = [...new Bun.Glob('**/*.ts').scanSync({ cwd: FOLDER })]
  expect(files.length).toBeGreaterThan(names.length)
  for (const file of files) {
    const lines = (await Bun.file(join(FOLDER, file)).text()).split('\n').filter((line) => line.trim() !== '')
    expect([file, lines.length < 80]).toEqual([file, true])
  }
})

describe.each(names)('example %s', (name) => {
  const file = join(FOLDER, `${name}.ts`)

  test.each([
    ['bun', file],
    ['deno', file],
    ['node-current', FROM_SOURCE],
  ] as const)(`H20 ${name} starts, works and stops on %s`, async (runtime, entry) => {
    await using server = await startServer(runtime, entry, { args: [file], env: { ...SETTINGS[name], PORT: '0' } })
    await USES[name]?.(server)
    expect(server.stderr).toBe('')
    expect(await server.stop()).toBe('SIGTERM')
    await expect(fetch(server.url)).rejects.toThrow()
  })

  test(`H20 ${name} listens on PORT, and says in one line when that is taken`, async () => {
    const port = freePort()
    await using server = await startServer('bun', file, { env: { PORT: `${port}` } })
    expect(server.port).toBe(port)
    const second = Bun.spawn(await command('bun', file), {
      cwd: ROOT,
      env: { ...process.env, PORT: `${port}` },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    expect(await second.exited).toBe(1)
    expect(await new Response(second.stderr).text()).toMatch(new RegExp(`^Cannot listen on port ${port}: .+\n$`))
    expect(await new Response(second.stdout).text()).toBe('')
  })
})

/** A port that nobody listens on. */
function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}

async function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve()
    socket.onerror = () => reject(new Error(`No connection to ${url}`))
  })
  return socket
}

/** The next `count` messages. */
function collect(socket: WebSocket, count: number): Promise<unknown[]> {
  const messages: unknown[] = []
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      messages.push(data)
      if (messages.length === count) resolve(messages)
    }
  })
}

function closeOf(socket: WebSocket): Promise<{ code: number; wasClean: boolean }> {
  return new Promise((resolve) => {
    socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean })
  })
}
