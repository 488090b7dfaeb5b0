/** Slow readers and slow handlers over real sockets: memory stays bounded, and the documented policy holds. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
// Bun replaces a bare `ws` by its own.
import { WebSocket } from '../../node_modules/ws/wrapper.mjs'
import { request, UPGRADE, WireClient } from '../runtime/wire-client.ts'
import { type Started, startServer } from '../subject/start.ts'

const MIB = 1024 * 1024
const LIMIT = 60_000
/** What resident memory may grow by: what waits in buffers, and on Deno up to 100 MiB of chunks not yet collected. */
const GROWTH = 120 * MIB

interface State {
  readonly sent: number
  readonly dropped: number
  readonly refused: number
  readonly received: number
  readonly buffered: number
  readonly base: number
  readonly peak: number
  readonly codes: readonly number[]
  readonly url: string
}

describe.each(['node', 'bun', 'deno'] as const)('pressure on %s', (runtime) => {
  let server: Started

  beforeAll(async () => {
    server = await startServer(runtime, join(import.meta.dir, 'pressure-app.ts'))
    // Code and heap of a first round are no part of what is measured.
    await flood('wait/awaited', true)
  })
  afterAll(async () => {
    await server.stop()
  })
  beforeEach(async () => {
    await fetch(`${server.url}/reset`, { method: 'POST' })
  })

  async function state(): Promise<State> {
    return (await (await fetch(`${server.url}/state`)).json()) as State
  }

  async function until(condition: (state: State) => boolean): Promise<State> {
    const deadline = performance.now() + LIMIT / 2
    for (;;) {
      const now = await state()
      if (condition(now)) return now
      if (performance.now() > deadline) throw new Error(`The server stayed at ${JSON.stringify(now)}`)
      await Bun.sleep(20)
    }
  }

  /** @returns bytes received by a client that begins to read only when the server has stalled, or is done */
  async function flood(path: string, reads: boolean): Promise<{ bytes: number; state: State }> {
    const client = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    const closed = new Promise<void>((resolve) => client.on('close', resolve))
    client.on('error', () => {})
    let bytes = 0
    await new Promise<void>((resolve) => client.once('connect', resolve))
    client.pause()
    client.write(request(`/flood/${path}`, UPGRADE))
    if (!reads) {
      const settled = await until((now) => now.sent + now.dropped + now.refused === 100)
      client.destroy()
      await closed
      return { bytes, state: settled }
    }
    await stalled()
    client.on('data', (chunk) => {
      bytes += chunk.length
    })
    client.resume()
    const settled = await until((now) => now.sent === 100 && bytes > 100 * MIB)
    client.destroy()
    await closed
    return { bytes, state: settled }
  }

  /** Waits until no further send comes through. */
  async function stalled(): Promise<void> {
    let before = -1
    for (;;) {
      const { sent, buffered } = await state()
      if (buffered > 0 && sent === before) return
      before = sent
      await Bun.sleep(200)
    }
  }

  test(
    'R16 a slow reader and 100 MiB of awaited sends: they wait, memory is bounded, all arrives',
    async () => {
      const { bytes, state } = await flood('wait/awaited', true)
      expect(bytes).toBeGreaterThan(100 * MIB)
      expect(state.buffered).toBeLessThan(3 * MIB)
      expect(state.peak - state.base).toBeLessThan(GROWTH / 2)
    },
    LIMIT,
  )

  test(
    'R16 100 MiB of sends that nobody awaits: 1013 beyond maxBufferedAmount',
    async () => {
      const { state } = await flood('wait/at-once', false)
      expect(state.refused).toBeGreaterThan(50)
      expect(state.buffered).toBeLessThan(18 * MIB)
      expect(state.peak - state.base).toBeLessThan(GROWTH / 2)
      expect((await until(({ codes }) => codes.length > 0 && codes.at(-1) !== 1006)).codes.at(-1)).toBe(1013)
    },
    LIMIT,
  )

  test(
    "R16 S22 sendPolicy 'drop': messages are left out, the connection lives",
    async () => {
      const { state } = await flood('drop/at-once', false)
      expect(state.dropped).toBeGreaterThan(50)
      expect(state.sent + state.dropped).toBe(100)
      expect(state.buffered).toBeLessThan(3 * MIB)
    },
    LIMIT,
  )

  test(
    "R16 S22 sendPolicy 'drop' and 'close' hold for sends that are awaited as well",
    async () => {
      const dropped = (await flood('drop/awaited', false)).state
      expect(dropped.dropped).toBeGreaterThan(50)
      expect(dropped.sent + dropped.dropped).toBe(100)
      await fetch(`${server.url}/reset`, { method: 'POST' })
      expect((await flood('close/awaited', false)).state.refused).toBeGreaterThan(50)
      expect((await until(({ codes }) => codes.length > 0 && codes.at(-1) !== 1006)).codes.at(-1)).toBe(1013)
    },
    LIMIT,
  )

  test(
    "R16 S22 sendPolicy 'close': 1013",
    async () => {
      const { state } = await flood('close/at-once', false)
      expect(state.refused).toBeGreaterThan(50)
      expect((await until(({ codes }) => codes.length > 0 && codes.at(-1) !== 1006)).codes.at(-1)).toBe(1013)
    },
    LIMIT,
  )

  test(
    'R17 a slow handler and a fast sender: memory is bounded, pings are answered, nothing is lost',
    async () => {
      const client = new WebSocket(`${server.wsUrl}/slow`)
      await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject))
      let pongs = 0
      client.on('pong', () => pongs++)
      const message = new Uint8Array(64 * 1024)
      for (let count = 0; count < 3200; count++) {
        client.send(message)
        if (count % 100 === 99) client.ping()
      }
      const { peak, base } = await until(({ received }) => received === 200 * MIB)
      expect(pongs).toBe(32)
      expect(peak - base).toBeLessThan(GROWTH)
      client.close()
      await new Promise((resolve) => client.once('close', resolve))
    },
    LIMIT,
  )

  test(
    'R17 a Ping and a Close behind small messages, each in a packet, that nobody receives are answered at once',
    async () => {
      const client = new WebSocket(`${server.wsUrl}/deaf`)
      await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject))
      for (let count = 0; count < 100; count++) {
        client.send(`${count}`)
        await Bun.sleep(0)
      }
      const pong = new Promise((resolve) => client.once('pong', resolve))
      client.ping('here')
      expect(String(await pong)).toBe('here')
      client.close(4000)
      expect(await new Promise((resolve) => client.once('close', resolve))).toBe(4000)
      expect((await until(({ codes }) => codes.length > 0)).codes).toEqual([4000])
    },
    LIMIT,
  )

  test.each(['ws', 'wss'])(
    'R17 R33 %s: a handler that never receives and a sender that does not stop',
    async (scheme) => {
      const { url } = await state()
      const port = scheme === 'ws' ? server.port : Number(new URL(url).port)
      const at = { port, host: '127.0.0.1', rejectUnauthorized: false }
      const socket = scheme === 'ws' ? connect(at) : connectTls(at)
      let gone = false
      socket.on('error', () => {})
      socket.on('close', () => {
        gone = true
      })
      socket.resume()
      await new Promise((resolve) => socket.once(scheme === 'ws' ? 'connect' : 'secureConnect', resolve))
      socket.write(request('/deaf', UPGRADE))
      const header = Uint8Array.of(0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0)
      const frame = new Uint8Array(header.length + 65_535)
      frame.set(header)
      // Until the socket takes no more, or is dropped; nothing of what is written is kept here.
      let written = 0
      let stalledAt = Number.POSITIVE_INFINITY
      while (!gone && written < 100 * MIB && performance.now() < stalledAt) {
        if (socket.writableLength > MIB) {
          stalledAt = Math.min(stalledAt, performance.now() + 2000)
        } else {
          stalledAt = Number.POSITIVE_INFINITY
          socket.write(frame)
          written += frame.length
        }
        await Bun.sleep(socket.writableLength > MIB ? 20 : 0)
      }
      const { peak, base } = await state()
      expect(written).toBeLessThan(64 * MIB)
      expect(peak - base).toBeLessThan(GROWTH)
      expect(gone).toBe(runtime === 'deno' && scheme === 'wss')
      if (gone) expect((await until(({ codes }) => codes.length > 0)).codes).toEqual([1006])
      socket.destroy()
    },
    LIMIT,
  )

  test('R30 readyState read after an await is live', async () => {
    const client = new WebSocket(`${server.wsUrl}/readiness`)
    client.once('open', () => client.send('go'))
    await new Promise((resolve) => client.once('close', resolve))
    expect((await until(({ codes }) => codes.length === 4)).codes).toEqual([1, 1, 2, 3])
  })

  test('R9 a message sent in `open`, and one in the packet of the request, are delivered', async () => {
    const client = new WebSocket(`${server.wsUrl}/echo`)
    client.once('open', () => client.send('first'))
    const answer = await new Promise((resolve) => client.once('message', resolve))
    expect(String(answer)).toBe('first')
    client.terminate()
    using wire = await WireClient.open({ port: server.port })
    wire.send(`${request('/echo', UPGRADE)}\x81\x82\0\0\0\0hi`)
    await wire.until('\x81\x02hi')
    expect(wire.ended).toBe(false)
  })
})
