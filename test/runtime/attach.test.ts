/** `attach` to a server that somebody else made, alone and beside another 'upgrade' listener. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Hono } from 'hono'
import { attach } from '../../src/runtime/server.ts'
import { Sock } from '../../src/sock/sock.ts'
import { RUNTIMES, type Started, startServer } from '../subject/start.ts'
import { CERTIFICATE, KEY } from './certificate.ts'
import { frame, request, serverFrame, UPGRADE, WireClient } from './wire-client.ts'

const APP = join(import.meta.dir, 'attach-app.ts')

for (const runtime of RUNTIMES) {
  describe(`attach on ${runtime}`, () => {
    let alone: Started
    let shared: Started
    let twice: Started

    beforeAll(async () => {
      alone = await startServer(runtime, APP)
      shared = await startServer(runtime, APP, { args: ['shared'] })
      twice = await startServer(runtime, APP, { args: ['twice'] })
    })
    afterAll(async () => {
      await Promise.all([alone.stop(), shared.stop(), twice.stop()])
      expect(alone.stderr + shared.stderr + twice.stderr).toBe('')
    })

    test('H17 a server of @hono/node-server: pages and sockets', async () => {
      using client = await WireClient.open(alone)
      await client.send(request('/page')).until('page')
      await client.send(request('/ws', UPGRADE) + frame('ours')).until(serverFrame('ours'))
    })

    test('R8 as the only listener: every upgrade gets its answer', async () => {
      using missing = await WireClient.open(alone)
      await missing.send(request('/missing', UPGRADE)).response(404)
      await missing.untilEnd()
      using page = await WireClient.open(alone)
      await page.send(request('/page', ['Upgrade: h2c', 'Connection: Upgrade'])).response(200)
      await page.until('page')
    })

    test('R8 beside another listener: each has its paths', async () => {
      using ours = await WireClient.open(shared)
      await ours.send(request('/ws', UPGRADE) + frame('ours')).until(serverFrame('ours'))
      using theirs = await WireClient.open(shared)
      const text = await theirs.send(request('/other', UPGRADE)).until(serverFrame('theirs'))
      expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
    })

    test('R8 beside another listener: what neither takes is answered all the same', async () => {
      using client = await WireClient.open(shared)
      await client.send(request('/missing', UPGRADE)).response(404)
      await client.untilEnd()
    })

    test('R8 two attachments to one server: what neither takes is answered once, and the process lives', async () => {
      using upgrade = await WireClient.open(twice)
      using other = await WireClient.open(twice)
      upgrade.send(request('/missing', UPGRADE))
      other.send(request('/missing', ['Upgrade: h2c', 'Connection: Upgrade']))
      for (const client of [upgrade, other]) {
        await client.response(404)
        const text = await client.untilEnd()
        expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
      }
      using again = await WireClient.open(twice)
      await again.send(request('/ws', UPGRADE) + frame('ours')).until(serverFrame('ours'))
    })

    test('R1 S23 two attachments to one server: each learns that its client has left', async () => {
      for (const server of [alone, twice]) {
        const leaving = await WireClient.open(server)
        leaving.send(request('/thinks', UPGRADE))
        while (!server.stdout.includes('thinks')) await Bun.sleep(5)
        leaving.reset()
        const said = async (): Promise<string> => (await fetch(`${server.url}/left`)).text()
        while ((await said()) !== 'left: 1') await Bun.sleep(5)
        expect(await said()).toBe('left: 1')
      }
    })
  })
}

const app = { fetch: (): Response => new Response('page') }

test("H17 a server that never raises 'upgrade' is refused at the call", () => {
  const secure = createSecureServer({ cert: CERTIFICATE, key: KEY })
  for (const server of [createServer(), secure]) {
    expect(() => attach(server, app)).toThrow(/^A server of HTTP\/2 without allowHTTP1 never raises 'upgrade'/)
  }
})

test('H17 a server of HTTP/2 that allows HTTP/1.1', async () => {
  const server = createSecureServer({ cert: CERTIFICATE, key: KEY, allowHTTP1: true })
  const own = new Hono()
  new Sock(own).route('/ws', (ws) => ws.send('secure'))
  const attachment = attach(server, own)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  using client = await WireClient.open({ port: (server.address() as AddressInfo).port, tls: true })
  await client.send(request('/ws', UPGRADE)).until(serverFrame('secure'))
  await attachment.close()
  server.close()
})
