/** `serve` behind TLS and on a unix socket, on every runtime; the client is the `ws` package. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from '../../node_modules/ws/wrapper.mjs'
import { RUNTIMES, type Started, startServer } from '../subject/start.ts'
import { stateOf, stateWhen } from './server-state.ts'
import { frame, request, serverFrame, UPGRADE, WireClient } from './wire-client.ts'

const APP = join(import.meta.dir, 'raw-app.ts')
const MIB = 1024 * 1024

/** Sends each message, waits for its echo, and closes. Resolves to the close code. */
function echoes(url: string, messages: readonly string[], options = {}): Promise<number> {
  const ws = new WebSocket(url, { ...options, rejectUnauthorized: false })
  return new Promise((resolve, reject) => {
    let echoed = 0
    ws.on('error', reject)
    ws.on('open', () => ws.send(messages[0] as string))
    ws.on('message', (data) => {
      expect(data.toString()).toBe(messages[echoed] as string)
      echoed++
      if (echoed === messages.length) ws.close(1000)
      else ws.send(messages[echoed] as string)
    })
    ws.on('close', resolve)
  })
}

const MESSAGES = ['hello', '', 'é'.repeat(1000), 'x'.repeat(300_000), 'bye']

for (const runtime of RUNTIMES) {
  describe(`TLS on ${runtime}`, () => {
    let server: Started

    beforeAll(async () => {
      server = await startServer(runtime, APP, { args: ['{"tls":true}'] })
    })
    afterAll(async () => {
      await server.stop()
    })

    const open = (): Promise<WireClient> => WireClient.open({ port: server.port, tls: true })

    test('S17 the ws package echoes over wss', async () => {
      expect(server.url).toStartWith('https://')
      expect(await echoes(`${server.wsUrl}/ws`, MESSAGES)).toBe(1000)
    })

    test('S15 the request has an https URL', async () => {
      using client = await open()
      expect(await client.send(request('/page', UPGRADE)).untilEnd()).toContain('page https://localhost/page')
    })

    test('R2 R3 a page, then an upgrade with a frame behind it, on one connection', async () => {
      using client = await open()
      await client.send(request('/page')).until('page https')
      await client.send(request('/ws', UPGRADE) + frame('behind')).until(serverFrame('behind'))
    })

    test('R7 a large refusal arrives whole', async () => {
      using client = await open()
      const text = await client.send(request('/big', UPGRADE)).untilEnd()
      expect(text.match(/x{1000}/g)?.length).toBeGreaterThan(2990)
    })

    test('R19 an end without a Close is 1006', async () => {
      const before = await stateOf(server.url)
      using client = await open()
      await client.send(request('/ws', UPGRADE)).until('101')
      client.socket.destroy()
      const { closes } = await stateWhen(server.url, ({ ended }) => ended > before.ended)
      expect(closes.at(-1)).toBe(1006)
    })

    test('R36 R16 24 MiB to a reader that starts late', async () => {
      const before = await stateOf(server.url)
      using client = await open()
      await client.send(request('/flood', UPGRADE)).until('101')
      client.socket.pause()
      await Bun.sleep(300)
      client.socket.resume()
      await client.until(serverFrame('done'))
      expect(client.text.length - client.text.indexOf('\r\n\r\n') - 4).toBe(24 * (MIB + 10) + 6)
      expect((await stateOf(server.url)).errors).toEqual(before.errors)
    })

    test('R33 R17 a handler that does not read: memory is bounded, by the socket or by our own count', async () => {
      const before = await stateOf(server.url)
      using client = await open()
      await client.send(request('/deaf', UPGRADE)).until('101')
      const block = frame('x'.repeat(125)).repeat(8000)
      let sent = 0
      for (; sent < 100 && client.socket.writableLength < 8 * block.length && !client.closed; sent++) {
        client.send(block)
        await Bun.sleep(5)
      }
      // 100 MiB went nowhere: either the socket filled up, or the server has dropped us.
      expect(sent).toBeLessThan(100)
      const after = await stateWhen(
        server.url,
        ({ connections }) => client.socket.writableLength > 0 || connections === 0,
      )
      expect(after.rss - before.rss).toBeLessThan(100 * MIB)
      if (runtime === 'deno') {
        const { closes } = await stateWhen(server.url, ({ ended }) => ended > before.ended)
        expect(closes.at(-1)).toBe(1006)
      }
    })
  })

  describe(`a unix socket on ${runtime}`, () => {
    test('S17 the ws package echoes over it, and a page comes too', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'fetch-sock-'))
      const path = join(folder, 'app.sock')
      try {
        await using server = await startServer(runtime, APP, { args: [JSON.stringify({ path })] })
        expect(server.url).toBe(`unix:${path}`)
        expect(await echoes(`ws+unix:${path}:/ws`, MESSAGES)).toBe(1000)
        using client = await WireClient.open({ path })
        await client.send(request('/page')).until('page http://localhost/page')
        await server.stop()
      } finally {
        expect(existsSync(folder)).toBe(true)
        rmSync(folder, { recursive: true })
      }
    })
  })
}
