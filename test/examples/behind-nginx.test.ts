/** The nginx example as it stands, with Debian's nginx in front: TLS, a subpath, kept connections to the application. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectTcp, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { connect as connectTls } from 'node:tls'
import { type Connection, HandshakeError } from '../../src/index.ts'
import { connect } from '../../src/runtime/client.ts'
import { CERTIFICATE, KEY } from '../runtime/certificate.ts'
import { ROOT } from '../subject/runtime.ts'
import { RUNTIMES, type Started, startServer } from '../subject/start.ts'

const EXAMPLE = join(ROOT, 'examples', 'behind-nginx')
/** Debian keeps servers in /usr/sbin, which is not on everybody's PATH. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`
const nginx = Bun.which('nginx', { PATH })
const PATIENCE = 10_000

if (nginx === null) console.warn('Tests of the nginx example are skipped: no nginx in PATH (Debian package: nginx)')

/** nginx with the configuration of the example, but for the two ports. */
class Nginx implements AsyncDisposable {
  readonly port: number
  readonly #process: Bun.Subprocess<'ignore', 'ignore', 'pipe'>
  readonly #folder: string

  private constructor(port: number, child: Bun.Subprocess<'ignore', 'ignore', 'pipe'>, folder: string) {
    this.port = port
    this.#process = child
    this.#folder = folder
  }

  /** @param change what else is different from the file */
  static async start(upstream: number, change: (conf: string) => string = (conf) => conf): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'fetch-sock-nginx-'))
    await Bun.write(join(folder, 'certificate.pem'), CERTIFICATE)
    await Bun.write(join(folder, 'key.pem'), KEY)
    const port = freePort()
    const conf = await Bun.file(join(EXAMPLE, 'nginx.conf')).text()
    const changed = change(conf).replace('127.0.0.1:3000', `127.0.0.1:${upstream}`).replace('8443', `${port}`)
    // Started by root, nginx would give its rights away to a user who cannot read this folder.
    await Bun.write(join(folder, 'nginx.conf'), process.getuid?.() === 0 ? `user root;\n${changed}` : changed)
    const child = Bun.spawn([nginx as string, '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    })
    const proxy = new Nginx(port, child, folder)
    await proxy.#untilReady()
    return proxy
  }

  /** As a client names it, certificate checked. */
  get clientOptions(): { tls: { ca: string } } {
    return { tls: { ca: CERTIFICATE } }
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + PATIENCE
    while (performance.now() < deadline) {
      if (this.#process.exitCode !== null) break
      const listens = await new Promise((resolve) => {
        const socket = connectTls({ port: this.port, host: '127.0.0.1', rejectUnauthorized: false })
        socket.on('secureConnect', () => resolve(true))
        socket.on('error', () => resolve(false))
        socket.on('close', () => resolve(false))
        setTimeout(() => socket.destroy(), 1000).unref()
      })
      if (listens) return
      await Bun.sleep(20)
    }
    this.#process.kill('SIGTERM')
    throw new Error(`nginx did not start: ${await new Response(this.#process.stderr).text()}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGTERM')
    await this.#process.exited
    await rm(this.#folder, { recursive: true, force: true })
  }
}

describe.skipIf(nginx === null)('behind nginx', () => {
  for (const runtime of RUNTIMES) {
    describe(`the example on ${runtime}`, () => {
      let server: Started
      let proxy: Nginx
      let relay: CountingRelay

      beforeAll(async () => {
        const options = { env: { PORT: '0' }, args: [join(EXAMPLE, 'server.ts')] }
        const entry = runtime === 'node-current' ? join(import.meta.dir, 'from-source.ts') : join(EXAMPLE, 'server.ts')
        server = await startServer(runtime, entry, options)
        relay = await CountingRelay.start(server.port)
        proxy = await Nginx.start(relay.port)
      }, 30_000)

      afterAll(async () => {
        await proxy[Symbol.asyncDispose]()
        await relay[Symbol.asyncDispose]()
        expect(await server.stop()).toBe('SIGTERM')
        expect(server.stderr).toBe('')
      })

      const dial = (path: string, headers: Record<string, string> = {}): Promise<Connection> =>
        connect(`wss://localhost:${proxy.port}${path}`, { ...proxy.clientOptions, headers })

      test(`H20 a WebSocket through TLS and the subpath, with what the proxy adds, on ${runtime}`, async () => {
        const ws = await dial('/live/echo', { Origin: `https://localhost:${proxy.port}` })
        expect(await ws.receiveJson()).toEqual({
          client: '127.0.0.1',
          scheme: 'https',
          host: `localhost:${proxy.port}`,
          path: '/echo',
        })
        const big = 'é'.repeat(200_000)
        await ws.send(big)
        expect(await ws.receive()).toBe(big)
        expect((await ws.close()).wasClean).toBe(true)
      })

      test(`H20 the close code and its reason pass the proxy both ways, on ${runtime}`, async () => {
        const ws = await dial('/live/echo')
        await ws.receiveJson()
        await ws.send('bye')
        expect(await ws.closed).toEqual({ code: 4001, reason: 'as you wish', wasClean: true, initiator: 'remote' })
        const ours = await dial('/live/echo')
        expect(await ours.close(4002, 'ours')).toMatchObject({ code: 4002, wasClean: true, initiator: 'local' })
      })

      test(`H20 two upgrades behind requests on kept connections, on ${runtime}`, async () => {
        const get = async (): Promise<string> => {
          const response = await fetch(`https://localhost:${proxy.port}/live/health`, proxy.clientOptions)
          return response.text()
        }
        expect(await get()).toBe('ok')
        const before = relay.connections
        expect([await get(), await get()]).toEqual(['ok', 'ok'])
        // The proxy keeps one, and takes it for the upgrade too.
        expect(relay.connections).toBe(before)
        const first = await dial('/live/echo')
        expect(relay.connections).toBe(before)
        expect(await get()).toBe('ok')
        const second = await dial('/live/echo')
        expect(relay.connections).toBe(before + 1)
        for (const ws of [first, second]) {
          await ws.receiveJson()
          await ws.send('still here')
          expect(await ws.receive()).toBe('still here')
          await ws.close()
        }
        expect(await get()).toBe('ok')
      })

      test(`H20 a refusal reaches the client with its status and body, on ${runtime}`, async () => {
        const evil = dial('/live/echo', { Origin: 'https://evil.example' })
        const refused = await evil.then(
          () => undefined,
          (error: HandshakeError) => error,
        )
        expect(refused).toBeInstanceOf(HandshakeError)
        expect([refused?.status, new TextDecoder().decode(refused?.body)]).toEqual([
          403,
          expect.stringContaining('option origin'),
        ])
        const elsewhere = await dial('/echo').then(
          () => undefined,
          (error: HandshakeError) => error.status,
        )
        expect(elsewhere).toBe(404)
      })
    })
  }

  test('H20 a Ping below the read timeout of the proxy keeps an idle connection, and without one it is cut', async () => {
    await using server = await startServer('bun', join(import.meta.dir, 'pinging.ts'))
    await using proxy = await Nginx.start(server.port, (conf) => conf.replace(/read_timeout 60s/, 'read_timeout 1s'))
    const dial = (path: string): Promise<Connection> =>
      connect(`wss://localhost:${proxy.port}/live/${path}`, {
        ...proxy.clientOptions,
        pingInterval: Number.POSITIVE_INFINITY,
      })
    const [pinging, silent] = [await dial('pinging'), await dial('silent')]
    expect(await silent.closed).toMatchObject({ code: 1006, wasClean: false })
    // And once more, so that the other one has lived twice as long as the proxy waits.
    expect(await (await dial('silent')).closed).toMatchObject({ code: 1006, wasClean: false })
    expect(pinging.connected).toBe(true)
    await pinging.send('alive')
    expect(await pinging.receive({ timeout: PATIENCE })).toBe('alive')
    await pinging.close()
  })
})

/** Between the proxy and the application: counts connections. */
class CountingRelay implements AsyncDisposable {
  connections = 0
  readonly #server: TcpServer

  private constructor(target: number) {
    this.#server = createTcpServer({ allowHalfOpen: true }, (from) => {
      this.connections += 1
      const to = connectTcp({ port: target, host: '127.0.0.1', allowHalfOpen: true })
      // Whichever side breaks takes the other one with it.
      from.on('error', () => to.destroy())
      to.on('error', () => from.destroy())
      from.pipe(to).pipe(from)
    })
  }

  static async start(target: number): Promise<CountingRelay> {
    const relay = new CountingRelay(target)
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve))
    return relay
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
  }
}

/** A port that nobody listens on. */
function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}
