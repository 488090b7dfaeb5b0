/** What a client sees of `app.ts`, beyond the scenarios: the connection itself, on every runtime that there is. */
import { expect } from 'bun:test'
import type { DrainOptions, DrainReport } from '../../src/connection/live-connections.ts'
import { frame, request, UPGRADE, WireClient } from '../runtime/wire-client.ts'
import { handshake, newRun, Peer, refusal } from '../sock/peer.ts'
import type { Scenario } from '../sock/scenarios.ts'

async function notes(url: string, run: string, count: number): Promise<string[]> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const found = (await (await fetch(`${url}/contract/notes/${run}`)).json()) as string[]
    if (found.length >= count || Date.now() > deadline) return found
    await Bun.sleep(10)
  }
}

/** A client that sends bytes of its own. */
async function wire(url: string, target: string, first: string = ''): Promise<WireClient> {
  const client = await WireClient.open({ port: Number(new URL(url).port) })
  client.send(request(target, UPGRADE) + first)
  await client.until('\r\n\r\n')
  return client
}

/** What a server sent after its 101. */
function frames(client: WireClient): string {
  return client.text.slice(client.text.indexOf('\r\n\r\n') + 4)
}

async function openOf(url: string): Promise<unknown> {
  return (await fetch(`${url}/contract/open`)).json()
}

/** Begins a drain of the Sock at this path. @returns its report */
async function drain(url: string, options: DrainOptions): Promise<DrainReport> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(options) })
  return (await response.json()) as DrainReport
}

/** Text of up to a million bytes that no other number gives, every third one with characters of two bytes. */
function largeText(number: number): string {
  const word = `${number % 3 === 0 ? '\u00e9' : '-'}${number}`
  return word.repeat(Math.floor((300_000 + 20_000 * (number % 20)) / word.length))
}

/** Compared here: a difference of a million characters is nothing to print. */
async function sameText(peer: Peer, wanted: string): Promise<boolean> {
  return (await peer.next()) === wanted
}

export const RUNTIME_CASES: readonly Scenario[] = [
  {
    name: 'R16 large texts of several connections at once arrive whole, also where the peer reads late',
    async run(url) {
      const late = await Peer.dial(`${url}/echo`)
      const prompt = [await Peer.dial(`${url}/echo`), await Peer.dial(`${url}/echo`)]
      // More than the buffers of the operating system hold, so that answers wait in the server.
      late.socket.pause()
      for (let i = 0; i < 12; i++) late.send(largeText(i))
      for (let round = 0; round < 8; round++) {
        const texts = prompt.map((_, n) => largeText(20 + 2 * round + n))
        prompt.forEach((peer, n) => void peer.send(texts[n] as string))
        for (const [n, peer] of prompt.entries()) expect(await sameText(peer, texts[n] as string)).toBe(true)
      }
      late.socket.resume()
      for (let i = 0; i < 12; i++) expect(await sameText(late, largeText(i))).toBe(true)
      for (const peer of [late, ...prompt]) await peer.close()
    },
  },
  {
    name: 'R11 a connection is one object from the first message to the last, and nothing of it stays',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/identity`)
      for (const count of ['1', '2', '3']) expect(await peer.send('x').next()).toBe(count)
      expect(await openOf(url)).toBe(1)
      await peer.close()
      const deadline = Date.now() + 5000
      while ((await openOf(url)) !== 0 && Date.now() < deadline) await Bun.sleep(10)
      expect(await openOf(url)).toBe(0)
    },
  },
  {
    name: 'H11 the request, its signal and the address of the peer are readable while the connection lasts',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/request?q=1`)
      for (let i = 0; i < 2; i++) {
        const [method, search, isSame, aborted, address] = JSON.parse(await peer.send('?').next())
        expect([method, search, isSame, aborted]).toEqual(['GET', '?q=1', true, false])
        expect(['127.0.0.1', '::ffff:127.0.0.1', 'none']).toContain(address)
        await Bun.sleep(20)
      }
      await peer.close()
    },
  },
  {
    name: 'R30 readyState is live; what is sent or received after the end is refused, by ConnectionClosed',
    async run(url) {
      const run = newRun()
      const peer = await Peer.dial(`${url}/contract/state?run=${run}`)
      expect(await peer.next()).toBe('1')
      expect(await peer.closed).toBe('4000 over')
      expect(await notes(url, run, 6)).toEqual([
        'then true',
        'last 3 false 4000 over local',
        'send ConnectionClosed',
        'trySend false',
        'ping ConnectionClosed',
        'receive 4000',
      ])
    },
  },
  {
    name: 'C11 every close code that may be sent arrives as it was given',
    async run(url) {
      for (const code of [1000, 1001, 1003, 1008, 1011, 1013, 3000, 4999]) {
        const peer = await Peer.dial(`${url}/contract/close/${code}`)
        expect(await peer.closed).toBe(`${code} because`)
      }
    },
  },
  {
    name: 'S7 a Close without a code is answered, at once',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/identity`)
      expect(await peer.send('x').next()).toBe('1')
      const asked = performance.now()
      peer.socket.close()
      expect(await peer.closed).toMatch(/^10(00|05)$/)
      expect(performance.now() - asked).toBeLessThan(3000)
    },
  },
  {
    name: 'C3 everything that can be sent arrives as a message, and text is UTF-8 whatever was in the string',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/sends`)
      const all: string[] = []
      for (let i = 0; i < 9; i++) all.push(await peer.next())
      expect(all).toEqual([
        'text',
        '',
        'bytes 0102',
        'bytes 03',
        'bytes 626c6f62',
        'lone \ufffd',
        'abc',
        'bytes 0102',
        'TypeError',
      ])
      expect(await peer.closed).toBe('1000')
    },
  },
  {
    name: 'C1 every way to receive: polled, timed, aborted, as bytes of its own, as a stream, as JSON',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/receives`)
      expect(await peer.next()).toBe('poll null')
      expect(await peer.next()).toBe('timeout null')
      expect(await peer.next()).toBe('signal TimeoutError')
      expect(await peer.send(new Uint8Array([1, 2])).next()).toBe('owns true')
      expect(await peer.send('héllo').next()).toBe('streamed héllo')
      expect(await peer.send('{"a":[1]}').next()).toBe('{"a":[1]}')
      expect(await peer.send(new Uint8Array([1])).closed).toBe('1003 Expected text')
    },
  },
  {
    name: 'R3 a frame in the same packet as the request is delivered',
    async run(url) {
      using client = await wire(url, '/echo', frame('early'))
      await client.until('\u0081\u0005early')
    },
  },
  {
    name: 'R3 messages that come before the first receive are kept, in order',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/late?after=100`)
      for (let i = 0; i < 500; i++) peer.send('12345678')
      expect(await peer.send('end').next()).toBe('500 messages, 4000 bytes')
    },
  },
  {
    name: 'R17 a handler that does not receive for a while gets every message: its peer is slowed down',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/late?after=300`)
      const message = new Uint8Array(65_536)
      for (let i = 0; i < 128; i++) peer.send(message)
      expect(await peer.send('end').next()).toBe('128 messages, 8388608 bytes')
    },
  },
  {
    name: 'R17 a handler that does not receive holds a bounded number of bytes, or is told that the peer was too fast',
    async run(url) {
      const run = newRun()
      const peer = await Peer.dial(`${url}/contract/late?after=500&run=${run}`)
      const message = new Uint8Array(65_536)
      for (let i = 0; i < 128; i++) peer.send(message)
      peer.send('end')
      const [held, ended] = await notes(url, run, 2)
      if (held === 'all') expect(await peer.next()).toBe('128 messages, 8388608 bytes')
      else expect([Number.parseInt(held ?? '', 10) <= 1_048_576 + 65_536, ended]).toEqual([true, 'ended 1013'])
      peer.terminate()
    },
  },
  {
    name: 'C9 a message over maxMessageSize, in bytes and not in characters, is refused with 1009',
    async run(url) {
      const fits = await Peer.dial(`${url}/contract/limited`)
      expect(await fits.send('ééééé').next()).toBe('ééééé')
      expect(await fits.send('éééééx').closed).toStartWith('1009')
      const bytes = await Peer.dial(`${url}/contract/limited`)
      expect(await bytes.send(new Uint8Array(11)).closed).toStartWith('1009')
    },
  },
  {
    name: 'C14 idleTimeout and maxLifetime end a connection with 1001',
    async run(url) {
      const idle = await Peer.dial(`${url}/contract/idle`)
      expect(await idle.closed).toBe('1001 Idle timeout')
      const busy = await Peer.dial(`${url}/contract/lifetime`)
      expect(await busy.send('x').next()).toBe('x')
      expect(await busy.closed).toBe('1001 Maximum lifetime reached')
    },
  },
  {
    name: 'C12 a Close that the peer never answers ends with 1006 after closeTimeout',
    async run(url) {
      const run = newRun()
      using client = await wire(url, `/contract/never-answered?run=${run}`, frame('go'))
      await client.until('\u0088\u0002\u000f\u00a0')
      expect(await notes(url, run, 1)).toEqual(['ended 1006 false local'])
    },
  },
  {
    name: 'C13 a Ping of the peer is answered with its payload',
    async run(url) {
      using client = await wire(url, '/echo')
      client.send(frame('are you there', 9))
      await client.until('\u008a\u000dare you there')
    },
  },
  {
    name: 'C13 ping measures the round trip',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/ping`)
      expect(await peer.next()).toBe('latency true')
      await peer.close()
    },
  },
  {
    name: 'R19 a peer that answers no Ping is dropped after pongTimeout',
    async run(url) {
      const run = newRun()
      using client = await wire(url, `/contract/keepalive?run=${run}`)
      expect(await notes(url, run, 1)).toEqual(['ended 1006'])
      await client.untilEnd()
      expect(frames(client)).toContain('\u0089')
    },
  },
  {
    name: 'R16 send waits for a peer that does not read',
    async run(url) {
      const run = newRun()
      using client = await wire(url, `/contract/flood?run=${run}`)
      client.socket.pause()
      // The buffers in between fill up first; then the handler stands still, at less than all.
      let looks = 2
      for (;;) {
        const [before, last] = (await notes(url, run, looks++)).slice(-2)
        expect(last).toMatch(/^sent \d+ of 256$/)
        if (last === before) break
      }
      client.socket.resume()
      while (!(await notes(url, run, 1)).includes('all')) await Bun.sleep(20)
    },
  },
  {
    name: 'S22 bufferedAmount is what a peer that does not read leaves unsent, to the byte, and 0 once it has read',
    async run(url) {
      const run = newRun()
      using client = await wire(url, `/contract/unsent?run=${run}`)
      client.socket.pause()
      client.send(frame('go'))
      const [open, unsent, more] = (await notes(url, run, 3)).map(Number)
      expect(open).toBe(0)
      // Of the last MiB that was sent, and the messages of earlier attempts. Some hosts count the headers of frames.
      expect(unsent).toBeGreaterThan(0)
      expect(unsent).toBeLessThanOrEqual(16 * (65_536 + 10) + 20 * 10 * 1004)
      expect(more).toBeGreaterThanOrEqual(10 * 1000)
      expect(more).toBeLessThanOrEqual(10 * 1004)
      client.socket.resume()
      client.send(frame('read'))
      expect((await notes(url, run, 4))[3]).toBe('empty')
    },
  },
  {
    name: 'S14 a topic reaches the other connections of its room, and not the sender',
    async run(url) {
      const room = `${url}/contract/room/${newRun()}`
      const [ada, grace] = [await Peer.dial(room), await Peer.dial(room)]
      expect([await ada.next(), await grace.next()]).toEqual(['subscribed', 'subscribed'])
      expect((await ada.send('hello').send(new Uint8Array([7]))) && (await grace.next())).toBe('hello')
      expect(await grace.next()).toBe('bytes 07')
      expect((await grace.send('back')) && (await ada.next())).toBe('back')
      await Promise.all([ada.close(), grace.close()])
    },
  },
  {
    name: 'R1 a client that vanishes while the application decides gives its place back',
    async run(url) {
      const run = newRun()
      const decides = async (): Promise<void> => {
        const log = `${url}/log/${run}`
        while (!(await (await fetch(log)).text()).includes('before')) await Bun.sleep(10)
      }
      await handshake(`${url}/vanish?run=${run}`, {}, 'GET', decides()).catch((left: Error) => left.message)
      const deadline = Date.now() + 10_000
      let peer: Peer | undefined
      while (peer === undefined && Date.now() < deadline) {
        peer = await Peer.dial(`${url}/vanish?run=${newRun()}`).catch(() => undefined)
      }
      expect(await peer?.next()).toBe('here')
      expect(await peer?.closed).toBe('1000')
    },
  },
  {
    name: 'R29 sock.drain refuses upgrades with 503, closes one connection after the other, and waits for the handlers',
    async run(url) {
      const path = `${url}/contract/drain/orderly`
      const run = newRun()
      const peers: Peer[] = []
      for (let i = 0; i < 4; i++) {
        const peer = await Peer.dial(`${path}?run=${run}`)
        expect(await peer.next()).toBe('open')
        peers.push(peer)
      }
      const slow = newRun()
      const deciding = refusal(`${path}/slow?run=${slow}`)
      expect(await notes(url, slow, 1)).toEqual(['deciding'])
      const started = performance.now()
      const report = drain(path, { code: 1012, reason: 'restart', spread: 400, deadline: 8000 })
      const times = peers.map(async (peer) => {
        expect(await peer.closed).toBe('1012 restart')
        return performance.now() - started
      })
      for (const refused of [await deciding, await refusal(path)]) {
        expect([refused.status, refused.body]).toEqual([503, 'Server is shutting down\n'])
        expect(refused.headers.get('retry-after')).toBe('5')
      }
      expect(await report).toEqual({ clean: 4, terminated: 0, lost: 0, unfinished: 0 })
      expect(await notes(url, run, 0)).toEqual(Array(4).fill('ended 1012'))
      expect(await notes(url, slow, 0)).toEqual(['deciding'])
      expect(Math.max(...(await Promise.all(times)))).toBeGreaterThan(280)
      expect(await drain(path, {})).toEqual(await report)
      const other = await Peer.dial(`${url}/echo`)
      expect(await other.send('still here').next()).toBe('still here')
      await other.close()
    },
  },
  {
    name: 'R29 sock.drain does not wait beyond its deadline for a handler that goes on',
    async run(url) {
      const path = `${url}/contract/drain/stuck`
      const peers = [await Peer.dial(path), await Peer.dial(`${path}/never`)]
      const report = drain(path, { deadline: 300 })
      for (const peer of peers) expect(await peer.closed).toBe('1001')
      expect(await report).toEqual({ clean: 2, terminated: 0, lost: 0, unfinished: 1 })
    },
  },
  {
    name: 'R29 sock.drain terminates at its deadline what has not answered',
    async run(url) {
      const path = '/contract/drain/silent'
      using silent = await wire(url, path)
      const peer = await Peer.dial(url + path)
      const report = drain(url + path, { deadline: 300 })
      await silent.until('\u0088\u0002\u0003\u00e9')
      expect(await peer.closed).toBe('1001')
      expect(await report).toEqual({ clean: 1, terminated: 1, lost: 0, unfinished: 1 })
    },
  },
  {
    name: 'R32 middleware that throws behind the route: that is the answer, no handler starts, the process lives',
    async run(url) {
      const run = newRun()
      expect((await refusal(`${url}/contract/throws-after?run=${run}`)).status).toBe(500)
      expect(await notes(url, run, 0)).toEqual([])
      const peer = await Peer.dial(`${url}/echo`)
      expect(await peer.send('alive').next()).toBe('alive')
      await peer.close()
    },
  },
  ...(
    [
      ['P1 an unmasked frame', '\u0081\u0001x', 1002],
      ['P3 text that is not UTF-8', '\u0081\u0081\0\0\0\0\u00ff', 1007],
      ['P5 a reserved bit', '\u00c1\u0081\0\0\0\0x', 1002],
      ['P9 a Close code that may not be sent', '\u0088\u0082\0\0\0\0\u0003\u00ee', 1002],
    ] as const
  ).map(
    ([what, bytes, code]): Scenario => ({
      name: `${what} fails the connection with ${code}`,
      async run(url) {
        using client = await wire(url, '/echo')
        client.send(bytes)
        await client.untilEnd()
        const close = frames(client)
        expect([close.charCodeAt(0), close.charCodeAt(2) * 256 + close.charCodeAt(3)]).toEqual([0x88, code])
      },
    }),
  ),
]
