/** Many handshakes at a time behind slow middleware, and clients that reset at any moment of them. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { closeFrame, frame, request, serverFrame, UPGRADE, WireClient } from '../runtime/wire-client.ts'
import { type Runtime, type Started, startServer } from '../subject/start.ts'
import type { HandshakeState } from './handshake-app.ts'

const RUNTIMES: readonly Runtime[] = ['node', 'bun', 'deno']
const APP = join(import.meta.dir, 'handshake-app.ts')
const PATIENCE = 20_000
const SWITCHING = 'HTTP/1.1 101 '

const servers = new Map<Runtime, Started>()
/** Sockets that each server held when nobody had connected but to ask for its state. */
const baselines = new Map<Runtime, number>()

beforeAll(async () => {
  for (const runtime of RUNTIMES) {
    const server = await startServer(runtime, APP)
    servers.set(runtime, server)
    await stateOf(server)
    baselines.set(runtime, await socketsOf(server))
  }
}, 60_000)

afterAll(async () => {
  const all = [...servers.values()]
  const exits = await Promise.all(all.map((server) => server.stop()))
  const found = all.map(({ runtime, stderr }, index) => [runtime, exits[index], stderr])
  expect(found).toEqual(all.map(({ runtime }) => [runtime, 0, '']))
}, 60_000)

function serverOn(runtime: Runtime): Started {
  const server = servers.get(runtime)
  if (server === undefined) throw new Error(`No server on ${runtime}`)
  return server
}

/** Asks without keeping a connection, so that asking leaves no socket behind. */
async function stateOf(server: Started): Promise<HandshakeState> {
  const response = await fetch(`${server.url}/state`, { headers: { Connection: 'close' } })
  return (await response.json()) as HandshakeState
}

async function stateWhen(server: Started, condition: (state: HandshakeState) => boolean): Promise<HandshakeState> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const state = await stateOf(server)
    if (condition(state)) return state
    if (performance.now() > deadline) throw new Error(`${server.runtime} stayed at ${JSON.stringify(state)}`)
    await Bun.sleep(20)
  }
}

/** Sockets that the process holds, whatever its runtime knows of them. Only Linux tells; elsewhere it is 0. */
async function socketsOf(server: Started): Promise<number> {
  if (process.platform !== 'linux') return 0
  const folder = `/proc/${server.pid}/fd`
  const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => '')))
  return targets.filter((target) => target.startsWith('socket:')).length
}

async function socketsWhen(server: Started, atMost: number): Promise<number> {
  const deadline = performance.now() + PATIENCE
  for (;;) {
    const sockets = await socketsOf(server)
    if (sockets <= atMost || performance.now() > deadline) return sockets
    await Bun.sleep(50)
  }
}

function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1))
}

describe('a thousand handshakes at once', () => {
  const MANY = 1000

  for (const runtime of RUNTIMES) {
    test(`H12 R22 behind slow middleware, each is answered and echoes, on ${runtime}`, async () => {
      const server = serverOn(runtime)
      const before = await stateOf(server)
      const clients = await Promise.all(Array.from({ length: MANY }, () => WireClient.open(server)))
      const handshake = request('/slow?ms=300', UPGRADE)
      for (const client of clients) client.send(handshake)
      await Promise.all(clients.map((client) => client.until(serverFrame('in'))))
      const open = await stateOf(server)
      expect(open.connections).toBe(MANY)
      expect(open.handlersStarted - before.handlersStarted).toBe(MANY)
      // One after the other they would take five minutes.
      expect(open.mostUnderWay).toBeGreaterThan(MANY / 10)
      await Promise.all(clients.map((client, i) => client.send(frame(`hello ${i}`)).until(serverFrame(`hello ${i}`))))
      for (const client of clients) expect(client.text.split(SWITCHING)).toHaveLength(2)
      await Promise.all(clients.map((client) => client.send(closeFrame(1000)).untilEnd()))
      for (const client of clients) client.socket.destroy()
      const after = await stateWhen(
        server,
        (state) => state.connections === 0 && state.handlersEnded === state.handlersStarted,
      )
      expect([after.underWay, after.errors]).toEqual([0, []])
    }, 60_000)
  }
})

describe('an upgrade that the parser of node:http takes for a plain request', () => {
  const tab = request('/slow?ms=0', UPGRADE).replace('Connection: Upgrade', 'Connection: keep-alive, Upgrade\t')
  const behind = request('/slow?ms=100') + request('/slow?ms=0', UPGRADE)

  for (const runtime of RUNTIMES) {
    test(`H16 gets 400 with the reason, and the end of its connection, on ${runtime}`, async () => {
      const answers: string[] = []
      for (const text of [tab, behind]) {
        using client = await WireClient.open(serverOn(runtime))
        answers.push(await client.send(text).until(/HTTP\/1\.1 (?!426)/))
        if (client.text.includes(SWITCHING)) continue
        expect(await client.untilEnd()).toContain('did not take the request for an upgrade')
        expect(client.text).toContain('HTTP/1.1 400 ')
        expect(client.text.toLowerCase()).toContain('\r\nconnection: close\r\n')
      }
      // Each of them has one that it does not see.
      expect(answers.some((answer) => !answer.includes(SWITCHING))).toBe(true)
    })
  }
})

describe('clients that reset at any moment of the handshake', () => {
  const DURATION = process.env.CI === 'true' ? 30_000 : 10_000
  const CLIENTS = 12
  const SLOWEST = 30

  /** How many left at which moment. */
  interface Left {
    inRequest: number
    inMiddleware: number
    afterwards: number
    /** Stayed and got an echo. */
    stayed: number
  }
  const load = new Map<Runtime, Left>()

  /** One client after the other until the time is over. */
  async function clientsUntil(deadline: number, server: Started, left: Left): Promise<void> {
    const handshake = request(`/slow?ms=${between(0, SLOWEST)}`, UPGRADE)
    while (performance.now() < deadline) {
      using client = await WireClient.open(server)
      const moment = between(0, 9)
      if (moment === 0) {
        client.send(handshake)
        await client.until(serverFrame('in'))
        await client.send(frame('still here')).until(serverFrame('still here'))
        await client.send(closeFrame(1000)).untilEnd()
        left.stayed++
      } else if (moment < 4) {
        client.send(handshake.slice(0, between(0, handshake.length - 1)))
        await Bun.sleep(between(0, 5))
        client.reset()
        left.inRequest++
      } else {
        // Some with frames behind the request, as a pipelining client would.
        client.send(handshake + (between(0, 1) === 0 ? frame('too early') : ''))
        if (moment < 7) await Bun.sleep(between(0, SLOWEST + 10))
        else await client.until(SWITCHING)
        left[client.text.includes(SWITCHING) ? 'afterwards' : 'inMiddleware']++
        client.reset()
      }
    }
  }

  // All runtimes at the same time: each has its own process, and their time is mostly waiting.
  beforeAll(async () => {
    const deadline = performance.now() + DURATION
    await Promise.all(
      RUNTIMES.map(async (runtime) => {
        const server = serverOn(runtime)
        await stateWhen(server, ({ connections }) => connections === 0)
        const left = { inRequest: 0, inMiddleware: 0, afterwards: 0, stayed: 0 }
        load.set(runtime, left)
        await Promise.all(Array.from({ length: CLIENTS }, () => clientsUntil(deadline, server, left)))
      }),
    )
  }, DURATION + 60_000)

  for (const runtime of RUNTIMES) {
    test(`R1 leave the server as it was: no crash, no handler, no connection, no socket, on ${runtime}`, async () => {
      const server = serverOn(runtime)
      const { inRequest = 0, inMiddleware = 0, afterwards = 0, stayed = 0 } = load.get(runtime) ?? {}
      expect(Math.min(inRequest, inMiddleware, afterwards, stayed)).toBeGreaterThan(10)
      const after = await stateWhen(
        server,
        (state) => state.connections === 0 && state.underWay === 0 && state.handlersEnded === state.handlersStarted,
      )
      expect(after.errors).toEqual([])
      const baseline = baselines.get(runtime) ?? 0
      expect(await socketsWhen(server, baseline)).toBeLessThanOrEqual(baseline)
      using client = await WireClient.open(server)
      await client.send(request('/slow?ms=0', UPGRADE)).until(serverFrame('in'))
      await client.send(frame('well')).until(serverFrame('well'))
    }, 60_000)
  }
})
