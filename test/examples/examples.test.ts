/** Every example is started, used and stopped, as a process of its own. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import process from 'node:process'
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
}

const names = [...new Bun.Glob('*.ts').scanSync({ cwd: FOLDER })].map((file) => file.replace(/\.ts$/, '')).sort()

test('H20 every example is used here', () => {
  expect(Object.keys(USES).sort()).toEqual(names)
})

describe.each(names)('example %s', (name) => {
  const file = join(FOLDER, `${name}.ts`)

  test.each([
    ['bun', file],
    ['deno', file],
    ['node-current', FROM_SOURCE],
  ] as const)(`H20 ${name} starts, works and stops on %s`, async (runtime, entry) => {
    await using server = await startServer(runtime, entry, { args: [file], env: { PORT: '0' } })
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
