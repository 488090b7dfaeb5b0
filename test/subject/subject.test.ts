/** The subject itself, run as its users run it. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { WebSocket } from '../../node_modules/ws/wrapper.mjs'
import { ROOT, RUNTIMES } from './runtime.ts'
import { type Started, type StartOptions, startServer, startSubject } from './start.ts'

setDefaultTimeout(30_000)

const running: Bun.Subprocess<'ignore', 'pipe', 'inherit'>[] = []

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGTERM')
    await child.exited
  }
})

describe('bun run subject', () => {
  for (const runtime of RUNTIMES) {
    test(`H17 on ${runtime}: says ready, serves HTTP and both echoes, and on SIGTERM closes with 1001 and exits with 0`, async () => {
      const child = run([runtime, '0'])
      const url = await readyUrl(child)
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/?$/)
      expect(await (await fetch(url)).text()).toBe('ok')

      const sockets = ['/echo', '/echo-deflate'].map(
        (path) => new WebSocket(new URL(path, url).href.replace('http', 'ws')),
      )
      await Promise.all(sockets.map((socket) => once(socket, 'open')))
      for (const socket of sockets) {
        socket.send('as text')
        expect(await message(socket)).toEqual([Buffer.from('as text'), false])
        socket.send(Buffer.alloc(200_000, 7))
        expect(await message(socket)).toEqual([Buffer.alloc(200_000, 7), true])
      }
      expect(sockets.map((socket) => socket.extensions)).toEqual(['', expect.stringContaining('permessage-deflate')])

      const closed = Promise.all(sockets.map((socket) => once(socket, 'close')))
      child.kill('SIGTERM')
      for (const [code] of await closed) expect(code).toBe(1001)
      expect(await child.exited).toBe(0)
    })
  }

  test('says how to use it, and exits with 2, for a runtime or a port that it does not know', async () => {
    for (const args of [[], ['perl', '0'], ['bun'], ['bun', '-1'], ['bun', '65536'], ['bun', '0', 'more']]) {
      expect({ args, code: await run(args).exited }).toEqual({ args, code: 2 })
    }
  })
})

describe('startSubject', () => {
  test('starts, tells where and which process, and stops', async () => {
    const subject = await startSubject('bun')
    expect(process.kill(subject.pid, 0)).toBe(true)
    expect(subject.port).toBe(Number(new URL(subject.url).port))
    expect(subject.wsUrl).toBe(`ws://127.0.0.1:${subject.port}`)
    expect(await subject.stop()).toBe(0)
    expect(await subject.stop()).toBe(0)
    expect(() => process.kill(subject.pid, 0)).toThrow('ESRCH')
  })

  test('rejects with what the server said when it ends before it is ready', async () => {
    await using first = await startSubject('bun')
    await expect(startSubject('bun', { port: first.port })).rejects.toThrow(
      /ended \(1\) before it was ready:\n.*EADDRINUSE/s,
    )
    await expect(startServer('deno', `${ROOT}/test/subject/no-such-file.ts`)).rejects.toThrow('before it was ready')
  })
})

describe('what no process may say', () => {
  const straying = (way: string, end: string, options?: StartOptions): Promise<Started> =>
    startServer('node', join(import.meta.dir, 'straying.ts'), { ...options, args: [way, end] })

  test.each([
    ['warns', 'stays', /may not say:\n\(node:\d+\) MaxListenersExceededWarning: Eleven listeners\n/],
    ['warns', 'ends', /may not say:\n\(node:\d+\) MaxListenersExceededWarning: Eleven listeners\n/],
    ['tells', 'stays', /may not say:\nUNHANDLED Error: of nobody\n/],
  ])('its stop rejects for one that %s and %s', async (way, end, error) => {
    const server = await straying(way, end)
    if (end === 'ends') await server.exited
    while (server.stderr === '') await Bun.sleep(10)
    await expect(server.stop()).rejects.toThrow(error)
    await expect(server[Symbol.asyncDispose]()).rejects.toThrow(error)
  })

  test('its stop resolves for one that says nothing, and for one that may', async () => {
    expect(await (await straying('nothing', 'stays')).stop()).toBe(0)
    const foreign = await straying('tells', 'ends', { mayStray: 'to see that it may' })
    expect(await foreign.exited).toBe(0)
    expect(await foreign.stop()).toBe(0)
    expect(foreign.stderr).toStartWith('UNHANDLED')
  })

  test.each(RUNTIMES)('an error that nobody handles is in the words of %s', async (runtime) => {
    const server = await startServer(runtime, join(import.meta.dir, 'straying.ts'), { args: ['dies', 'stays'] })
    expect(await server.exited).toBe(1)
    await expect(server.stop()).rejects.toThrow('of nobody')
  })
})

function run(args: string[]): Bun.Subprocess<'ignore', 'pipe', 'inherit'> {
  const child = Bun.spawn([process.execPath, 'run', '--silent', 'subject', ...args], {
    cwd: ROOT,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  running.push(child)
  return child
}

async function readyUrl(child: Bun.Subprocess<'ignore', 'pipe', 'inherit'>): Promise<string> {
  let text = ''
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part
    const url = /^ready (\S+)\n/m.exec(text)?.[1]
    if (url !== undefined) return url
  }
  throw new Error(`The subject ended without being ready: ${text}`)
}

async function message(socket: WebSocket): Promise<unknown[]> {
  return await once(socket, 'message')
}
