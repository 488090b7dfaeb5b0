/** How a server ends: drained by a call or a signal, closed, or never started. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { Hono } from 'hono'
import { type App, type DrainOptions, type ServeOptions, serve } from '../../src/runtime/server.ts'
import { Sock } from '../../src/sock/sock.ts'
import { RUNTIMES, type Started, startServer } from '../subject/start.ts'
import { stateWhen } from './server-state.ts'
import { closeFrame, frame, request, UPGRADE, WireClient } from './wire-client.ts'

const APP = join(import.meta.dir, 'raw-app.ts')
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\n'

async function connected(server: Started, path = '/ws'): Promise<WireClient> {
  const client = await WireClient.open(server)
  await client.send(request(path, UPGRADE)).until(SWITCHING)
  return client
}

/** Answers the Close that comes, as an honest client does. */
async function answerClose(client: WireClient, code: number): Promise<void> {
  await client.until(String.fromCharCode(code >> 8, code & 0xff))
  client.send(closeFrame(code))
  await client.untilEnd()
  client.socket.end()
}

for (const runtime of RUNTIMES) {
  describe(`on ${runtime}`, () => {
    test('R29 drain closes in order, terminates what does not answer, and says how many of each', async () => {
      await using server = await startServer(runtime, APP)
      const honest = [await connected(server), await connected(server), await connected(server, '/lingering')]
      using silent = await connected(server)
      using leaving = await connected(server)
      using asking = await WireClient.open(server)
      asking.send(request('/slow?ms=300', UPGRADE))
      await stateWhen(server.url, ({ requests, connections }) => requests['/slow'] === 1 && connections === 5)
      const asked = performance.now()
      const options = { deadline: 800, code: 1012, reason: 'restart', spread: 200 }
      await fetch(`${server.url}/drain`, { method: 'POST', body: JSON.stringify(options) })

      const closed = honest.map((client) => answerClose(client, 1012))
      await leaving.until('restart')
      // The last of five, over 200 ms.
      expect(performance.now() - asked).toBeGreaterThan(150)
      leaving.reset()
      await silent.until('restart')
      const { headers } = await asking.response(503)
      expect(headers).toContain('retry-after: 5')
      expect(await asking.untilEnd()).toEndWith('Server is shutting down\n')
      await Promise.all(closed)
      await silent.untilEnd()
      expect(await server.exited).toBe(0)
      const report = JSON.parse(/^drained (.*)$/m.exec(server.stdout)?.[1] ?? '')
      expect(report).toEqual({ clean: 3, terminated: 1, lost: 1, unfinished: 1, took: report.took, open: 0 })
      expect(report.took).toBeGreaterThan(780)
      expect(report.took).toBeLessThan(5000)
      expect(await WireClient.open(server).then(Boolean, () => 'refused')).toBe('refused')
    })

    test('S7 a drain without a deadline ends when the last one has answered', async () => {
      await using server = await startServer(runtime, APP)
      const client = await connected(server)
      await fetch(`${server.url}/drain`, { method: 'POST', body: '{}' })
      await answerClose(client, 1001)
      expect(await server.exited).toBe(0)
      expect(server.stdout).toContain('"clean":1,"terminated":0,"lost":0,"unfinished":0')
    })

    test('R29 a drain is over at its deadline, also for peers that have closed and keep their side of TCP', async () => {
      await using server = await startServer(runtime, APP)
      using failed = await connected(server)
      failed.send('\u0081\u0001x')
      await failed.untilEnd()
      using closed = await connected(server)
      await fetch(`${server.url}/drain`, { method: 'POST', body: '{"deadline":400}' })
      await closed.until(closeFrame(1001, false))
      closed.send(closeFrame(1001))
      await closed.untilEnd()
      expect(await server.exited).toBe(0)
      const report = JSON.parse(/^drained (.*)$/m.exec(server.stdout)?.[1] ?? '')
      expect(report).toMatchObject({ clean: 1, terminated: 0, lost: 0, unfinished: 0 })
      expect(report.took).toBeLessThan(4000)
    })

    test('S7 a drain does not wait for a TCP connection that has sent no request', async () => {
      await using server = await startServer(runtime, APP)
      using silent = await WireClient.open(server)
      using begun = await WireClient.open(server)
      begun.send('GET /ws HTTP/1.1\r\nHost: loc')
      using kept = await WireClient.open(server)
      await kept.send(request('/ws')).response(426)
      await fetch(`${server.url}/drain`, { method: 'POST', body: '{"deadline":20000}' })
      await Promise.all([begun.untilEnd(), kept.untilEnd()])
      // On Bun it is the kernel's: a connection is accepted there when bytes have come.
      if (runtime !== 'bun') await silent.untilEnd()
      expect(await server.exited).toBe(0)
      const report = JSON.parse(/^drained (.*)$/m.exec(server.stdout)?.[1] ?? '')
      expect(report.took).toBeLessThan(10_000)
    })

    test('S7 a drain does not wait for a kept-alive connection whose last request is answered', async () => {
      await using server = await startServer(runtime, APP)
      using small = await WireClient.open(server)
      small.send(request('/slow?ms=600'))
      using pipelined = await WireClient.open(server)
      pipelined.send(request('/slow?ms=600') + request('/page'))
      using large = await WireClient.open(server)
      large.socket.pause()
      large.send(request('/big'))
      await stateWhen(server.url, ({ requests }) => requests['/slow'] === 2 && requests['/big'] === 1)
      await fetch(`${server.url}/drain`, { method: 'POST', body: '{"deadline":20000}' })
      await small.untilEnd()
      large.socket.resume()
      expect(small.text).toContain('slow page')
      expect(await pipelined.untilEnd()).toContain('page http')
      expect((await large.untilEnd()).match(/x{1000}/g)?.length).toBeGreaterThan(2990)
      expect(await server.exited).toBe(0)
      const report = JSON.parse(/^drained (.*)$/m.exec(server.stdout)?.[1] ?? '')
      expect(report.took).toBeGreaterThan(400)
      expect(report.took).toBeLessThan(2500)
    })

    test('H18 a drain waits for handlers that outlive their connection', async () => {
      await using server = await startServer(runtime, APP)
      const client = await connected(server, '/outliving')
      await fetch(`${server.url}/drain`, { method: 'POST', body: '{}' })
      await answerClose(client, 1001)
      expect(await server.exited).toBe(0)
      const report = JSON.parse(/^drained (.*)$/m.exec(server.stdout)?.[1] ?? '')
      expect(report).toMatchObject({ clean: 1, unfinished: 0 })
      expect(report.took).toBeGreaterThan(290)
    })

    test('H18 S7 a drain keeps the process until its deadline, also for a handler that waits for nothing', async () => {
      const options = { drainOnSignals: { deadline: 1000 } } satisfies ServeOptions
      await using server = await startServer(runtime, APP, { args: [JSON.stringify(options)] })
      const client = await connected(server, '/lingering')
      const asked = performance.now()
      server.kill('SIGTERM')
      await answerClose(client, 1001)
      expect(await server.exited).toBe('SIGTERM')
      expect(performance.now() - asked).toBeGreaterThan(900)
    })

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      test(`S7 drainOnSignals: ${signal} drains, then ends the process as it would have`, async () => {
        const options = { drainOnSignals: { deadline: 3000, code: 1012 } } satisfies ServeOptions
        await using server = await startServer(runtime, APP, { args: [JSON.stringify(options)] })
        const client = await connected(server)
        server.kill(signal)
        await answerClose(client, 1012)
        expect(await server.exited).toBe(signal)
      })
    }
  })
}

const app = { fetch: (): Response => new Response('hello') }

function fail(message: string): never {
  throw new Error(message)
}

describe('serve', () => {
  test.each([
    ['throws', (): void => fail('of onError')],
    ['rejects', async (): Promise<void> => fail('of onError')],
  ])('H16 an onError that %s changes nothing: the client gets its 500', async (_, failing) => {
    const reported: unknown[] = []
    const throwing: ServeOptions = {
      port: 0,
      hostname: '127.0.0.1',
      onError: (error) => {
        reported.push(error)
        return failing()
      },
    }
    const { error: print } = console
    console.error = (error: unknown) => reported.push(error)
    try {
      await using server = await serve({ fetch: () => Promise.reject(new Error('of fetch')) }, throwing)
      using client = await WireClient.open({ port: (server.address as { port: number }).port })
      await client.send(request('/', UPGRADE)).response(500)
    } finally {
      console.error = print
    }
    expect(reported.map(String)).toEqual(['Error: of fetch', 'Error: of onError'])
  })

  test('H17 listens on any free port and says where', async () => {
    await using server = await serve(app, { port: 0, hostname: '127.0.0.1' })
    expect(server.url).toBe(`http://127.0.0.1:${(server.address as { port: number }).port}`)
    expect(await (await fetch(server.url)).text()).toBe('hello')
    expect(server.connections).toBe(0)
  })

  test('H16 a CONNECT is left to whoever else listens for it', async () => {
    await using server = await serve(app, { port: 0, hostname: '127.0.0.1' })
    server.server.on('connect', (_, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\ntheirs'))
    using client = await WireClient.open({ port: (server.address as { port: number }).port })
    client.send('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n')
    expect(await client.untilEnd()).toBe('HTTP/1.1 200 OK\r\n\r\ntheirs')
  })

  test('H17 all interfaces are localhost in the URL, IPv6 stands in brackets', async () => {
    await using all = await serve(app, { port: 0 })
    expect(all.url).toMatch(/^http:\/\/localhost:\d+$/)
    await using six = await serve(app, { port: 0, hostname: '::1' })
    expect(six.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect(await (await fetch(six.url)).text()).toBe('hello')
  })

  test('H17 a port in use rejects with the error of the runtime', async () => {
    await using server = await serve(app, { port: 0, hostname: '127.0.0.1' })
    const { port } = server.address as { port: number }
    const error = await serve(app, { port, hostname: '127.0.0.1' }).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'EADDRINUSE' })
  })

  test('H17 an aborted signal closes, before and after it listens', async () => {
    const reason = new Error('stop')
    await expect(serve(app, { port: 0, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const server = await serve(app, { port: 0, hostname: '127.0.0.1', signal: controller.signal })
    controller.abort()
    await server.close()
    await expect(fetch(server.url)).rejects.toThrow()
  })

  test('S23 close ends what is open, is idempotent, and leaves no signal listener', async () => {
    const listeners = process.listenerCount('SIGTERM')
    const server = await serve(app, { port: 0, hostname: '127.0.0.1', drainOnSignals: true })
    expect(process.listenerCount('SIGTERM')).toBe(listeners + 1)
    using client = await WireClient.open({ port: (server.address as { port: number }).port })
    await client.send(request('/')).until('hello')
    await Promise.all([server.close(), server.close()])
    await server.close()
    await client.untilEnd()
    expect(process.listenerCount('SIGTERM')).toBe(listeners)
    expect(await server.drain()).toEqual({ clean: 0, terminated: 0, lost: 0, unfinished: 0 })
  })

  test.each([
    ['we failed', '\u0081\u0001x'],
    ['has closed', closeFrame(1000)],
  ])('S23 close does not wait for a peer that %s and that keeps its side of TCP', async (_, last) => {
    const own = new Hono()
    new Sock(own).route('/ws', (ws) => ws.closed)
    const server = await serve(own, { port: 0, hostname: '127.0.0.1' })
    using client = await WireClient.open({ port: (server.address as { port: number }).port })
    await client.send(request('/ws', UPGRADE)).until(SWITCHING)
    client.send(last)
    await client.untilEnd()
    expect(server.connections).toBe(0)
    const started = performance.now()
    await server.close()
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('R29 the first drain is the one that counts', async () => {
    const own = new Hono()
    let finish = (): void => {}
    new Sock(own).route('/ws', () => new Promise<void>((resolve) => (finish = resolve)))
    const server = await serve(own, { port: 0, hostname: '127.0.0.1' })
    using client = await WireClient.open({ port: (server.address as { port: number }).port })
    await client.send(request('/ws', UPGRADE)).until(SWITCHING)
    const drains = [server.drain({ deadline: 20_000 }), server.drain({ deadline: 1 })]
    await answerClose(client, 1001)
    await Bun.sleep(50)
    finish()
    for (const drained of drains) expect(await drained).toMatchObject({ clean: 1, unfinished: 0 })
  })

  test('S23 close ends a drain that waits, and the peer sees no Close', async () => {
    const own = new Hono()
    new Sock(own).route('/ws', () => new Promise(() => {}))
    for (const deadline of [60_000, Number.POSITIVE_INFINITY]) {
      const server = await serve(own, { port: 0, hostname: '127.0.0.1' })
      const port = (server.address as { port: number }).port
      using gone = await WireClient.open({ port })
      await gone.send(request('/ws', UPGRADE)).until(SWITCHING)
      const drained = server.drain({ deadline })
      await answerClose(gone, 1001)
      await server.close()
      expect(await drained).toMatchObject({ clean: 1, unfinished: 1 })
    }
    const server = await serve(own, { port: 0, hostname: '127.0.0.1' })
    using client = await WireClient.open({ port: (server.address as { port: number }).port })
    await client.send(request('/ws', UPGRADE)).until(SWITCHING)
    await server.close()
    expect((await client.untilEnd()).split('\r\n\r\n')[1]).toBe('')
  })

  test('H14 wrong options fail at the call, by name', async () => {
    const wrong: [object, RegExp][] = [
      [{ prot: 1 }, /TypeError: Unknown option prot; known are handshakeTimeout, onError, port/],
      [{ port: '80' }, /TypeError: port must be of type number; got string/],
      [{ handshakeTimeout: -1 }, /RangeError: handshakeTimeout must be a number of milliseconds/],
      [{ drainOnSignals: 1 }, /TypeError: drainOnSignals must be of type boolean or object/],
      [{ onError: 'log' }, /TypeError: onError must be a function/],
      [{ drainOnSignals: { code: 1006 } }, /RangeError: code must be one that may be sent/],
      [{ drainOnSignals: { dedline: 1 } }, /TypeError: Unknown option dedline; known are deadline, code/],
      [{ signal: {} }, /TypeError: signal must be an AbortSignal/],
      [{ tls: null }, /TypeError: tls must be of type object; got null/],
      [{ path: '' }, /TypeError: path must be the path of a unix socket/],
    ]
    for (const [options, message] of wrong) {
      const error = await serve(app, { port: 0, ...options } as ServeOptions).catch(String)
      expect(error).toMatch(message)
    }
    expect(await serve(app, 8080 as ServeOptions).catch(String)).toMatch(/must be an object such as .*, not 8080/)
    for (const none of [undefined, null, {}, () => {}]) {
      expect(await serve(none as unknown as App, { port: 0 }).catch(String)).toMatch(/TypeError: The application must/)
    }
  })

  test('H14 a drain that cannot be is refused at the call', async () => {
    await using server = await serve(app, { port: 0, hostname: '127.0.0.1' })
    for (const options of [{ code: 1006 }, { reason: 'x'.repeat(124) }, { deadline: -1 }, { spread: Number.NaN }]) {
      await expect(server.drain(options)).rejects.toThrow(RangeError)
    }
    const range = 'must be a number of milliseconds from 0 to 2147483647'
    const times: [options: object, error: Error][] = [
      [{ deadline: -1 }, new RangeError(`deadline ${range}, or Infinity; got -1`)],
      [{ spread: Number.POSITIVE_INFINITY }, new RangeError(`spread ${range}; got Infinity`)],
      [{ deadline: null }, new TypeError(`deadline ${range}, or Infinity; got null`)],
      [{ spread: '5' }, new TypeError(`spread ${range}; got "5"`)],
    ]
    for (const [options, { name, message }] of times) {
      expect(await server.drain(options).catch((error: unknown) => error)).toMatchObject({ name, message })
    }
    await expect(server.drain({ dedline: 1 } as DrainOptions)).rejects.toThrow(/Unknown option dedline; known are/)
    await expect(server.drain(5 as DrainOptions)).rejects.toThrow(TypeError)
    expect(await (await fetch(server.url)).text()).toBe('hello')
  })

  test('R29 a drain ends requests under way at its deadline', async () => {
    const never = { fetch: (): Promise<Response> => new Promise(() => {}) }
    const server = await serve(never, { port: 0, hostname: '127.0.0.1' })
    using client = await WireClient.open({ port: (server.address as { port: number }).port })
    client.send(request('/'))
    using upgrading = await WireClient.open({ port: (server.address as { port: number }).port })
    upgrading.send(request('/', UPGRADE) + frame('x'))
    await Bun.sleep(50)
    await server.drain({ deadline: 100 })
    await client.untilEnd()
    await upgrading.untilEnd()
  })
})
