/** `serve` on every runtime, as a process of its own: what goes over the wire before, instead of and after the 101. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { RUNTIMES, type Started, startServer } from '../subject/start.ts'
import { type ServerState, stateOf, stateWhen } from './server-state.ts'
import {
  ACCEPT_HEADER,
  closeFrame,
  frame,
  KEY_HEADER,
  request,
  serverFrame,
  UPGRADE,
  WireClient,
} from './wire-client.ts'

const APP = join(import.meta.dir, 'raw-app.ts')
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\n'

for (const runtime of RUNTIMES) {
  describe(`serve on ${runtime}`, () => {
    let server: Started
    let before: ServerState

    beforeAll(async () => {
      server = await startServer(runtime, APP)
    })
    afterAll(async () => {
      await server.stop()
      expect(server.stderr).toBe('')
    })

    async function open(): Promise<WireClient> {
      before = await stateOf(server.url)
      return WireClient.open({ port: server.port })
    }

    test('S17 answers the handshake and echoes', async () => {
      using client = await open()
      const { headers } = await client.send(request('/ws', UPGRADE)).response(101)
      expect(headers).toContain('upgrade: websocket')
      expect(headers).toContain('connection: upgrade')
      expect(headers).toContain(ACCEPT_HEADER)
      client.send(frame('hello'))
      await client.until(serverFrame('hello'))
      client.send(closeFrame(1000))
      await client.until(closeFrame(1000, false))
      await client.untilEnd()
      const { closes, connections } = await stateWhen(server.url, (state) => state.ended > before.ended)
      expect(closes.at(-1)).toBe(1000)
      expect(connections).toBe(before.connections)
    })

    test('R3 a frame in the same packet as the request is delivered first', async () => {
      using client = await open()
      client.send(request('/ws', UPGRADE) + frame('first') + frame('second'))
      await client.until(SWITCHING)
      client.send(frame('third'))
      await client.until(serverFrame('first') + serverFrame('second') + serverFrame('third'))
    })

    test('R3 a request cut into single bytes, the frame included', async () => {
      using client = await open()
      client.socket.setNoDelay(true)
      for (const byte of request('/ws', UPGRADE) + frame('cut')) {
        client.send(byte)
        await Bun.sleep(0)
      }
      await client.until(serverFrame('cut'))
    })

    test('R9 frames sent while the application still decides', async () => {
      using client = await open()
      client.send(request('/slow?ms=150', UPGRADE))
      await stateWhen(server.url, ({ requests }) => (requests['/slow'] ?? 0) > (before.requests['/slow'] ?? 0))
      client.send(frame('early'))
      await client.until(serverFrame('early'))
    })

    test('R5 an upgrade as proxies and Firefox write it', async () => {
      using client = await open()
      const odd = [
        'Connection: keep-alive',
        'UPGRADE: h2c, WebSocket',
        'connection: Upgrade',
        'Sec-WebSocket-Version: 13',
      ]
      client.send(request('/ws', [...odd, KEY_HEADER]) + frame('odd'))
      await client.until(serverFrame('odd'))
    })

    test('R2 a plain GET, then the upgrade on the same connection', async () => {
      using client = await open()
      await client.send(request('/page')).until('page http://localhost/page')
      await client.send(request('/ws', UPGRADE) + frame('after a page')).until(serverFrame('after a page'))
    })

    test('R2 the same pipelined in one write', async () => {
      using client = await open()
      client.send(request('/page') + request('/ws', UPGRADE) + frame('pipelined'))
      const text = await client.until(serverFrame('pipelined'))
      expect(text.indexOf('page http://localhost/page')).toBeGreaterThan(0)
      expect(text.indexOf(SWITCHING)).toBeGreaterThan(text.indexOf('page http://localhost/page'))
    })

    test('R31 a slow GET and an upgrade in one write: in order, or the connection ends', async () => {
      using client = await open()
      client.send(request('/slow?ms=200') + request('/ws', UPGRADE) + frame('overtaken'))
      const text = await Promise.race([client.untilEnd(), client.until(serverFrame('overtaken'))])
      // Bun ends it.
      if (runtime === 'bun') expect(client.ended).toBe(true)
      else expect(text.indexOf(SWITCHING)).toBeGreaterThan(text.indexOf('slow page'))
      if (text.includes(SWITCHING)) expect(text).toContain('slow page')
    })

    test('R31 the same behind a response that is larger than every buffer', async () => {
      using client = await open()
      client.socket.pause()
      client.send(request('/big') + request('/ws', UPGRADE) + frame('overtaken'))
      await stateWhen(server.url, ({ requests }) => (requests['/big'] ?? 0) > (before.requests['/big'] ?? 0))
      client.socket.resume()
      const text = await Promise.race([client.untilEnd(), client.until(serverFrame('overtaken'))])
      expect(text.indexOf('x'.repeat(1000))).toBeGreaterThan(0)
      if (runtime !== 'bun') expect(text).toContain(SWITCHING)
      if (text.includes(SWITCHING)) {
        expect(text.indexOf(SWITCHING)).toBeGreaterThan(text.lastIndexOf('x'.repeat(1000)))
        expect(text.match(/x{1000}/g)?.length).toBeGreaterThan(2990)
      }
    })

    test('H17 plain HTTP: a page, a body, a status without one', async () => {
      const page = await fetch(`${server.url}/page?a=1`)
      expect(page.headers.get('x-page')).toBe('yes')
      expect(await page.text()).toBe(`page ${server.url}/page?a=1`)
      const posted = await fetch(`${server.url}/page`, { method: 'POST', body: 'x'.repeat(100_000) })
      expect(await posted.text()).toBe(`posted ${'x'.repeat(100_000)}`)
      expect((await fetch(`${server.url}/missing`, { method: 'HEAD' })).status).toBe(404)
      expect(await (await fetch(`${server.url}/stream`)).text()).toBe('part 1;part 2;part 3;')
    })

    test('H16 CONNECT gets 405 and the end of the connection', async () => {
      using client = await open()
      client.send('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n')
      const { headers } = await client.response(405)
      for (const line of ['allow: get', 'connection: close', 'content-length: 0']) expect(headers).toContain(line)
      await client.untilEnd()
    })

    test('H16 R31 a CONNECT behind a GET that is not answered ends nothing but its connection', async () => {
      using client = await open()
      client.send(`${request('/slow?ms=100')}CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n`)
      expect(await client.untilEnd()).not.toContain(' 405 ')
      using next = await WireClient.open({ port: server.port })
      await next.send(request('/page')).until('page http')
    })

    test('H16 a reset behind a CONNECT', async () => {
      const client = await open()
      client.send('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n')
      client.reset()
      using next = await WireClient.open({ port: server.port })
      await next.send(request('/page')).until('page http')
    })

    test('R21 Upgrade: h2c on a plain GET gets the normal response', async () => {
      using client = await open()
      client.send(
        request('/page', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQ']),
      )
      const { headers } = await client.response(200)
      expect(headers).toContain('x-page: yes')
      await client.until('page http://localhost/page')
    })

    test('H15 an upgrade of a page gets the page', async () => {
      using client = await open()
      const { headers } = await client.send(request('/page', UPGRADE)).response(200)
      expect(headers).toContain('connection: close')
      expect(await client.untilEnd()).toEndWith('page http://localhost/page')
    })

    for (const [name, text, message] of [
      ['R26 a Content-Length', request('/ws', [...UPGRADE, 'Content-Length: 9']) + frame('abc'), 'Content-Length'],
      [
        'R26 a chunked body',
        `${request('/ws', [...UPGRADE, 'Transfer-Encoding: chunked'])}9\r\n${frame('abc')}\r\n0\r\n\r\n`,
        'Transfer-Encoding',
      ],
      ['R27 HTTP/1.0', request('/ws', UPGRADE, 'GET', '1.0') + frame('abc'), 'HTTP version must be 1.1'],
      ['R35 no Host', request('/ws', UPGRADE).replace('Host: localhost\r\n', '') + frame('abc'), "'Host' is missing"],
      ['R35 two Hosts', request('/ws', ['Host: other', ...UPGRADE]) + frame('abc'), "'Host' must occur once"],
      [
        'R35 a Host that is none',
        request('/ws', UPGRADE).replace('localhost', 'a/b@c') + frame('abc'),
        "'Host' must hold one host",
      ],
      ['H16 a target that is none', request('*', UPGRADE) + frame('abc'), 'Request target'],
    ] as const) {
      test(`${name} is refused with 400, and no byte is read as a frame`, async () => {
        using client = await open()
        await client.send(text).response(400)
        const all = await client.untilEnd()
        // The runtime's own parser may have refused it before us, without a word.
        if (all.includes('text/plain')) expect(all).toContain(message)
        expect(all).not.toContain('abc')
        const { started, errors } = await stateOf(server.url)
        expect(started).toBe(before.started)
        expect(errors).toEqual(before.errors)
      })
    }

    test('R1 a reset while the application decides: no crash, nothing leaks, the handler never starts', async () => {
      before = await stateOf(server.url)
      const openFiles = (): number => readdirSync(`/proc/${server.pid}/fd`).length
      const openBefore = openFiles()
      const clients = await Promise.all(Array.from({ length: 100 }, () => WireClient.open({ port: server.port })))
      for (const client of clients) client.send(request('/slow?ms=300', UPGRADE))
      await stateWhen(server.url, ({ requests }) => (requests['/slow'] ?? 0) === (before.requests['/slow'] ?? 0) + 100)
      for (const client of clients) client.reset()
      const { started, connections } = await stateWhen(
        server.url,
        ({ aborted, unopened }) => aborted === before.aborted + 100 && unopened === before.unopened + 100,
      )
      expect(started).toBe(before.started)
      expect(connections).toBe(before.connections)
      // Our own requests for the state may keep a few.
      expect(openFiles()).toBeLessThan(openBefore + 10)
    })

    test('R1 an end of the client while the application decides', async () => {
      using client = await open()
      client.send(request('/slow?ms=100', UPGRADE))
      client.socket.end()
      await client.untilEnd()
      const { started } = await stateWhen(server.url, ({ unopened }) => unopened === before.unopened + 1)
      expect(started).toBe(before.started)
    })

    test('R1 a refusal after a reset', async () => {
      const client = await open()
      client.send(request('/refuse', UPGRADE))
      client.reset()
      using next = await WireClient.open({ port: server.port })
      await next.send(request('/page')).until('page http')
    })

    test('H12 an application that never answers: 503 within handshakeTimeout', async () => {
      using client = await open()
      const { headers } = await client.send(request('/never', UPGRADE)).response(503)
      expect(headers).toContain('retry-after: 5')
      expect(await client.untilEnd()).toEndWith('Handshake took longer than 1000 ms\n')
      expect((await stateOf(server.url)).aborted).toBe(before.aborted + 1)
    })

    test('H12 an application that accepts after handshakeTimeout: 503, and the handler never starts', async () => {
      using client = await open()
      await client.send(request('/slow?ms=1200', UPGRADE)).response(503)
      expect(await client.untilEnd()).not.toContain(SWITCHING)
      const { started } = await stateWhen(server.url, ({ unopened }) => unopened === before.unopened + 1)
      expect(started).toBe(before.started)
    })

    test('R7 a refusal with its status, headers, cookies and body', async () => {
      using client = await open()
      const { headers } = await client.send(request('/refuse', UPGRADE)).response(401)
      expect(headers).toContain('www-authenticate: basic realm="test"')
      expect(headers).toContain('content-type: application/json')
      expect(headers).toContain('connection: close')
      expect(headers.filter((line) => line.startsWith('set-cookie'))).toEqual(['set-cookie: a=1', 'set-cookie: b=2'])
      expect(await client.untilEnd()).toContain('\r\n{"error":"who are you"}')
    })

    test('R27 the 426 of another version names the protocol, and is the last answer', async () => {
      using client = await open()
      const { headers } = await client.send(request('/old', UPGRADE)).response(426)
      expect(headers).toContain('upgrade: websocket')
      expect(headers).toContain('connection: upgrade, close')
      await client.untilEnd()
    })

    test('R7 a refusal is read by a client that goes on sending', async () => {
      using client = await open()
      client.send(request('/slow?ms=50', UPGRADE).replace('/slow', '/refuse'))
      for (let sent = 0; sent < 50; sent++) client.send('x'.repeat(10_000))
      expect(await client.untilEnd()).toContain('\r\n{"error":"who are you"}')
    })

    test('H12 a streamed refusal, and a large one', async () => {
      using streamed = await open()
      await streamed.send(request('/stream', UPGRADE)).response(403)
      expect(await streamed.untilEnd()).toMatch(/part 1;[\s\S]*part 2;[\s\S]*part 3;/)
      using large = await open()
      await large.send(request('/big', UPGRADE)).response(413)
      expect((await large.untilEnd()).match(/x{1000}/g)?.length).toBeGreaterThan(2990)
    })

    test('H12 a response that takes the place of the 101 is sent, and the connection never opens', async () => {
      using client = await open()
      await client.send(request('/replaced', UPGRADE)).response(403)
      expect(await client.untilEnd()).toEndWith('replaced')
      const { started, unopened } = await stateOf(server.url)
      expect(started).toBe(before.started)
      expect(unopened).toBe(before.unopened + 1)
    })

    test('R6 H13 headers of middleware, set before, after and on a rebuilt response, reach the 101', async () => {
      using client = await open()
      const origin = 'Origin: https://example.org'
      const { headers } = await client.send(request('/middleware', [...UPGRADE, origin]) + frame('ok')).response(101)
      for (const line of ['x-before: before', 'x-after: after', 'x-rebuilt: rebuilt', 'x-frame-options: sameorigin']) {
        expect(headers).toContain(line)
      }
      expect(headers).toContain('access-control-allow-origin: https://example.org')
      expect(headers.filter((line) => line.startsWith('set-cookie'))).toEqual([
        'set-cookie: one=1; path=/',
        'set-cookie: two=2; path=/',
      ])
      expect(headers.filter((line) => /^(connection|upgrade|sec-websocket|content-|transfer-)/.test(line))).toEqual([
        'upgrade: websocket',
        'connection: upgrade',
        ACCEPT_HEADER,
      ])
      await client.until(serverFrame('ok'))
      expect((await stateOf(server.url)).log.at(-1)).toMatch(/^--> GET \/middleware 101 /)
    })

    test('R22 middleware runs once', async () => {
      using client = await open()
      await client.send(request('/ws', UPGRADE)).until(SWITCHING)
      expect((await stateOf(server.url)).requests['/ws']).toBe((before.requests['/ws'] ?? 0) + 1)
    })

    test('R28 CR and LF in a header value are refused, never on the wire', async () => {
      using client = await open()
      await client.send(request('/inject', UPGRADE)).response(500)
      expect(await client.untilEnd()).not.toContain('evil')
      expect((await stateOf(server.url)).started).toBe(before.started)
    })

    test('H16 a fetch that throws is a 500, and onError hears of it', async () => {
      using client = await open()
      await client.send(request('/throw', UPGRADE)).response(500)
      expect(await client.untilEnd()).toEndWith('Internal Server Error\n')
      expect((await stateOf(server.url)).errors.at(-1)).toBe('Error: thrown by fetch')
    })

    test('H16 a 101 that nobody asked the upgrader for is a 500', async () => {
      using client = await open()
      await client.send(request('/bare-101', UPGRADE)).response(500)
      expect((await stateOf(server.url)).errors.at(-1)).toContain('did not upgrade')
    })

    test('S15 the URL of the request: port of Host, query, absolute form', async () => {
      using plain = await open()
      plain.send(request('/page?a=%20b', UPGRADE).replace('localhost', 'example.org:8080'))
      expect(await plain.untilEnd()).toEndWith('page http://example.org:8080/page?a=%20b')
      using absolute = await open()
      absolute.send(request('http://other.example/page?x=1', UPGRADE))
      expect(await absolute.untilEnd()).toEndWith('page http://other.example/page?x=1')
    })

    test('R19 R36 an end and a reset without a Close are 1006, and nothing stays', async () => {
      for (const leave of ['end', 'reset'] as const) {
        using client = await open()
        await client.send(request('/ws', UPGRADE) + frame('here')).until(serverFrame('here'))
        if (leave === 'end') client.socket.end()
        else client.reset()
        const { closes, connections } = await stateWhen(server.url, (state) => state.ended > before.ended)
        expect(closes.at(-1)).toBe(1006)
        expect(connections).toBe(before.connections)
      }
    })

    test('R36 R16 24 MiB to a reader that starts late: send waits until the buffer is low, nothing is lost', async () => {
      using client = await open()
      client.send(request('/flood', UPGRADE))
      await client.until(SWITCHING)
      client.socket.pause()
      await Bun.sleep(300)
      const { rss } = await stateOf(server.url)
      client.socket.resume()
      await client.until(serverFrame('done'))
      const start = client.text.indexOf('\r\n\r\n') + 4
      expect(client.text.length - start).toBe(24 * (1024 * 1024 + 10) + 6)
      expect(rss - before.rss).toBeLessThan(40 * 1024 * 1024)
      expect((await stateOf(server.url)).errors).toEqual(before.errors)
    })

    test('R17 a handler that does not read: the sender is stopped, memory stays', async () => {
      using client = await open()
      client.send(request('/deaf', UPGRADE))
      await client.until(SWITCHING)
      const block = frame('x'.repeat(125)).repeat(8000)
      let sent = 0
      for (; sent < 64 && client.socket.writableLength < 8 * block.length; sent++) {
        client.send(block)
        await Bun.sleep(5)
      }
      expect(sent).toBeLessThan(64)
      expect((await stateOf(server.url)).rss - before.rss).toBeLessThan(40 * 1024 * 1024)
    })
  })
}
