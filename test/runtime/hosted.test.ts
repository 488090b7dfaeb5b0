/** What a host is told at its start, what it is told when it cannot be used, and what its bundle holds. */
import { afterEach, expect, mock, spyOn, test } from 'bun:test'
import { join } from 'node:path'
import { Hono } from 'hono'
import { WebSocketError } from '../../src/codec/errors.ts'
import { bunHost } from '../../src/runtime/bun.ts'
import { cloudflareHost } from '../../src/runtime/cloudflare.ts'
import { denoHost } from '../../src/runtime/deno.ts'
import { Sock } from '../../src/sock/sock.ts'
import { upgrade } from '../../src/sock/upgrade.ts'
import { bundleWorker } from '../contract/servers.ts'
import { handshake, Peer } from '../sock/peer.ts'
import { ROOT } from '../subject/runtime.ts'
import { startServer } from '../subject/start.ts'

function restoreConsole(): void {
  mock.restore()
}
afterEach(restoreConsole)

/** `Bun.serve` as a user writes it. */
function serveOnBun(app: Hono, websocket: Sock['websocket'] | undefined): { url: string; [Symbol.dispose](): void } {
  const options = { hostname: '127.0.0.1', port: 0, fetch: app.fetch, ...(websocket && { websocket }) }
  const server = Bun.serve(options as never)
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) }
}

test('H17 a sub-application with a Sock in an application without one: 501 that says what to do', async () => {
  const build = (mounted: boolean): { app: Hono; sock: Sock } => {
    const sub = new Hono()
    const sock = new Sock(sub)
    sock.route('/ws', () => {})
    const app = new Hono().route('/sub', sub)
    app.get(
      '/alone',
      upgrade(() => {}),
    )
    return { app, sock: mounted ? sock.mount(app, { basePath: '/mounted' }) : sock }
  }
  const without = build(false)
  using server = serveOnBun(without.app, without.sock.websocket)
  for (const path of ['/sub/ws', '/alone']) {
    const { status, body } = await handshake(server.url + path)
    expect([status, body]).toEqual([
      501,
      expect.stringContaining('Call sock.mount(app) with the outermost application'),
    ])
    expect(body).toContain('bun-serve')
  }
  const { app, sock } = build(true)
  using mounted = serveOnBun(app, sock.websocket)
  for (const path of ['/sub/ws', '/alone', '/mounted/ws']) {
    expect((await handshake(mounted.url + path)).status).toBe(101)
  }
})

test.each(['bun', 'deno'] as const)(
  'H17 R32 no 101 goes out for a request that is not the host’s own, or that nobody upgrades: %s',
  async (runtime) => {
    await using server = await startServer(runtime, join(import.meta.dir, 'nested-app.ts'))
    for (const path of ['/mounted/ws', '/mounted/ws?plain']) {
      const { status, body } = await handshake(server.url + path)
      expect([status, body]).toEqual([501, expect.stringContaining('No adapter')])
    }
    expect((await handshake(`${server.url}/bare`)).status).toBe(500)
    const asked = await handshake(`${server.url}/asked`)
    expect([asked.status, asked.body]).toEqual([200, '501'])
    expect(await (await Peer.dial(`${server.url}/ws`)).next()).toBe('outer')
    expect(await (await fetch(`${server.url}/started`)).text()).toBe('0')
    // What a process says comes by another way than what it answers.
    const said = 'the application answered 101 to /bare, which it did not upgrade'
    for (let waited = 0; waited < 5000 && !server.stderr.includes(said); waited += 10) await Bun.sleep(10)
    expect(server.stderr).toContain(said)
  },
)

test('H17 Bun.serve without websocket: 501 that says why, and the handler never starts', async () => {
  const app = new Hono()
  let started = 0
  new Sock(app).route('/ws', { maxConnections: 1 }, () => void started++)
  using server = serveOnBun(app, undefined)
  for (let i = 0; i < 2; i++) {
    const { status, body } = await handshake(`${server.url}/ws`)
    expect([status, body]).toEqual([501, expect.stringContaining('websocket')])
  }
  expect(started).toBe(0)
})

test('R33 a message that Bun.serve drops for a peer that does not read is an error of its send', async () => {
  const app = new Hono()
  const sock = new Sock(app)
  const failed = Promise.withResolvers<unknown>()
  sock.route('/ws', async (ws) => {
    await ws.receive()
    for (let i = 0; i < 16; i++) void ws.send(new Uint8Array(512 * 1024)).catch(failed.resolve)
    await ws.closed
  })
  // What a user may set of Bun's own, below the marks of a connection.
  using server = serveOnBun(app, { ...sock.websocket, backpressureLimit: 1024 })
  const peer = await Peer.dial(`${server.url}/ws`)
  peer.socket.pause()
  peer.send('go')
  const error = (await failed.promise) as WebSocketError
  expect(error).toBeInstanceOf(WebSocketError)
  expect(error.message).toContain('backpressureLimit')
  peer.socket.terminate()
})

test('H14 an option that a host cannot honour is said once, at the start, by name', async () => {
  const warned: string[] = []
  spyOn(console, 'warn').mockImplementation((line: string) => void warned.push(line))
  const app = new Hono()
  const sock = new Sock(app, { maxFragments: 7, pingInterval: 5000 })
  sock.route('/a', { permessageDeflate: true, maxMessageSize: 10 }, () => {})
  const { websocket } = sock
  const line = (name: string): string =>
    `fetch-sock: the option ${name} has no effect on bun-serve; see docs/runtimes.md`
  expect(warned.toSorted()).toEqual([line('maxFragments'), line('permessageDeflate')])
  using server = serveOnBun(app, websocket)
  await (await Peer.dial(`${server.url}/a`)).closed
  expect(sock.websocket).toBe(websocket)
  expect(warned.length).toBe(2)
})

test('H17 what a host cannot do follows from what it says of itself', () => {
  for (const { capabilities, unsupported } of [bunHost, denoHost, cloudflareHost]) {
    expect(unsupported.includes('permessageDeflate')).toBe(!capabilities.deflateOptions)
    expect(unsupported.includes('maxFragments')).toBe(!capabilities.fragments)
    expect(unsupported.includes('inboxMessages')).toBe(!capabilities.receiveBackpressure)
    expect(unsupported.includes('onPing')).toBe(!capabilities.ping)
    expect(unsupported.includes('highWaterMark')).toBe(!capabilities.sendBackpressure)
  }
})

test('H17 the bundle for Cloudflare imports nothing, no builtin of Node either', async () => {
  for (const file of ['test/contract/worker.ts', 'examples/workers/worker.ts', 'examples/chat/worker.ts']) {
    const code = await bundleWorker(join(ROOT, file))
    expect(code.length).toBeGreaterThan(10_000)
    expect(code.match(/^.*["'/ ]node:[a-z_]+\b.*$/gm)).toBeNull()
    expect(code.match(/^import .*/gm)).toBeNull()
  }
})
