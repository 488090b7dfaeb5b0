/** H12, H13, H16, S12, R6, R7, R22: everything before the 101, and what the 101 carries. */
import { expect } from 'bun:test'
import { handshake, logged, newRun, Peer, refusal } from './peer.ts'
import type { Scenario } from './scenarios.ts'

async function isIn(url: string, headers: Readonly<Record<string, string>> = {}): Promise<boolean> {
  const peer = await Peer.dial(url, { headers })
  const message = await peer.next()
  peer.terminate()
  return message === 'in'
}

async function refusedBy(option: string, url: string, origin: string): Promise<void> {
  const { status, body } = await refusal(url, { headers: { Origin: origin } })
  expect([status, body]).toEqual([403, expect.stringContaining(`option ${option}`)])
}

async function handlersStarted(url: string): Promise<number> {
  return (await (await fetch(`${url}/handlers-started`)).json()) as number
}

export const ADMISSION_SCENARIOS: readonly Scenario[] = [
  {
    name: 'H12 middleware in front refuses, with its status, headers and body',
    async run(url) {
      const { status, headers, body } = await refusal(`${url}/guarded/ws`)
      expect([status, headers.get('x-why'), body]).toEqual([401, 'guard', '{"error":"who are you?"}'])
      expect(await isIn(`${url}/guarded/ws`, { Authorization: 'let me in' })).toBe(true)
    },
  },
  {
    name: 'H12 R7 an HTTPException, from middleware or from beforeUpgrade, is the answer as it is',
    async run(url) {
      for (const [path, how] of [
        ['exception-in-front', 'in front'],
        ['exception', 'thrown'],
      ]) {
        const { status, headers, body } = await refusal(`${url}/${path}`)
        expect([status, headers.get('www-authenticate'), headers.get('x-how'), body]).toEqual([
          401,
          'Basic realm="x"',
          how as string,
          `denied, ${how}`,
        ])
      }
    },
  },
  {
    name: 'H12 a Response from beforeUpgrade, returned or thrown, is the answer',
    async run(url) {
      const returned = await refusal(`${url}/response`)
      expect([returned.status, returned.headers.get('x-before'), returned.body]).toEqual([402, '1', '{"no":true}'])
      const thrown = await refusal(`${url}/thrown-response`)
      expect([thrown.status, thrown.headers.get('x-thrown'), thrown.body]).toEqual([418, '1', 'thrown'])
    },
  },
  {
    name: 'H12 what fetch gave refuses as well, returned or thrown from beforeUpgrade',
    async run(url) {
      for (const path of ['fetched-response', 'fetched-response-thrown']) {
        const { status, headers, body } = await refusal(`${url}/${path}`)
        expect([status, body]).toEqual([200, 'fetched'])
        expect(headers.get('content-type')).toStartWith('text/plain')
      }
    },
  },
  {
    name: 'H12 what beforeUpgrade gives and is no Response lets nobody in',
    run: async (url) => expect((await refusal(`${url}/says-false`)).status).toBe(500),
  },
  {
    name: 'H12 an error in beforeUpgrade is a 500',
    run: async (url) => expect((await refusal(`${url}/broken-before`)).status).toBe(500),
  },
  {
    name: 'H12 beforeUpgrade leaves what the handler needs in the context',
    async run(url) {
      const peer = await Peer.dial(`${url}/before?name=eve`)
      expect(await peer.next()).toBe('from eve')
    },
  },
  {
    name: 'H12 a handshake that takes too long gets 503 and gives its place back',
    async run(url) {
      // maxConnections is 1 here: the second would be refused for that, had the first kept its place.
      for (let i = 0; i < 2; i++) {
        const { status, headers, body } = await refusal(`${url}/slow`)
        expect([status, body]).toEqual([503, expect.stringContaining('handshakeTimeout')])
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      }
    },
  },
  {
    name: 'H12 no handler starts for a request that was refused',
    async run(url) {
      for (const path of ['exception', 'response', 'broken-before', 'sub/liar', 'replaced']) {
        await refusal(`${url}/${path}`, { subprotocols: ['x'] })
      }
      expect(await handlersStarted(url)).toBe(0)
    },
  },
  {
    name: 'H12 the same origin by default, whatever the scheme in front of a proxy; no Origin is no browser',
    async run(url) {
      const path = `${url}/origin/same`
      const { host } = new URL(url)
      expect(await isIn(path)).toBe(true)
      expect(await isIn(path, { Origin: `http://${host}` })).toBe(true)
      expect(await isIn(path, { Origin: `https://${host}` })).toBe(true)
      expect(await isIn(path, { Host: 'app.example', Origin: 'https://app.example' })).toBe(true)
      expect(await isIn(path, { Host: 'app.example:443', Origin: 'https://app.example' })).toBe(true)
      await refusedBy('origin', path, 'https://evil.example')
      await refusedBy('origin', path, 'http://127.0.0.1:1')
      await refusedBy('origin', path, `http://${host}.evil.example`)
      await refusedBy('origin', path, 'null')
    },
  },
  {
    name: 'H12 origins as a list, any, and by function',
    async run(url) {
      const list = `${url}/origin/list`
      expect(await isIn(list, { Origin: 'https://a.example' })).toBe(true)
      expect(await isIn(list, { Origin: 'https://b.example:8443' })).toBe(true)
      expect(await isIn(list)).toBe(true)
      await refusedBy('origin', list, 'http://a.example')
      await refusedBy('origin', list, 'https://b.example')
      await refusedBy('origin', list, new URL(url).origin)
      expect(await isIn(`${url}/origin/any`, { Origin: 'https://evil.example' })).toBe(true)
      const chosen = `${url}/origin/function?allowed=https://c.example`
      expect(await isIn(chosen, { Origin: 'https://c.example' })).toBe(true)
      await refusedBy('origin', chosen, 'https://a.example')
      expect((await refusal(chosen)).status).toBe(403)
    },
  },
  {
    name: 'H12 caps of a group, a route and a key hold before the 101, and every end gives the place back',
    async run(url) {
      const caps = `${url}/caps`
      const first = await Peer.dial(`${caps}/a?key=x`)
      const perKey = await refusal(`${caps}/a?key=x`)
      expect([perKey.status, perKey.body]).toEqual([429, expect.stringContaining('maxConnectionsPerKey is 1')])
      expect(Number(perKey.headers.get('retry-after'))).toBeGreaterThan(0)
      const second = await Peer.dial(`${caps}/b?key=x`)
      const third = await Peer.dial(`${caps}/b?key=x`)
      const full = await refusal(`${caps}/b?key=y`)
      expect([full.status, full.body]).toEqual([503, expect.stringContaining('maxConnections is')])
      expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0)
      expect((await refusal(`${caps}/a?key=z`)).body).toContain('maxConnections is 3')
      expect((await refusal(`${caps}/fails`)).status).toBe(503)

      // One end of each kind: by the client, by a vanishing client, by a handler that throws.
      await second.close()
      third.terminate()
      const fails = await dialUntilFree(`${caps}/fails`)
      expect(await fails.send('go').closed).toBe('1011')
      const again = [await dialUntilFree(`${caps}/b`), await dialUntilFree(`${caps}/b`)]
      expect((await refusal(`${caps}/a?key=x`)).status).toBe(503)
      await first.close()
      again.push(await dialUntilFree(`${caps}/a?key=x`))
      for (const peer of again) await peer.close()
    },
  },
  {
    name: 'R6 cors, logger, cookies and headers set before and after reach the 101',
    async run(url) {
      const peer = await Peer.dial(`${url}/dressed`, { headers: { Origin: 'https://a.example' } })
      expect(await peer.next()).toBe('in')
      const { headers } = peer
      expect(headers.get('access-control-allow-origin')).toBe('https://a.example')
      expect(headers.get('access-control-allow-credentials')).toBe('true')
      expect(headers.get('x-before')).toBe('before')
      expect(headers.get('x-after')).toBe('after')
      expect(headers.getSetCookie().map((cookie) => cookie.split(';')[0])).toEqual(['a=1', 'b=2', 'c='])
      const lines = (await (await fetch(`${url}/printed`)).json()) as string[]
      expect(lines.filter((line) => line.includes('101'))).not.toEqual([])
    },
  },
  {
    name: 'H13 a header and two cookies set in front reach the 101 without any other middleware',
    async run(url) {
      const { headers } = await Peer.dial(`${url}/plain-header`)
      expect(headers.get('x-only')).toBe('before')
      expect(headers.getSetCookie()).toEqual(['only=1; Path=/', 'and=2; Path=/'])
    },
  },
  {
    name: 'H13 middleware that replaces the 101 has the last word',
    async run(url) {
      const run = newRun()
      const { status, body } = await refusal(`${url}/replaced?run=${run}`)
      expect([status, body]).toEqual([409, 'no, after all'])
      expect(await logged(url, run, [])).toEqual([])
    },
  },
  {
    name: 'H16 a bad handshake gets its exact status and a body that names the header',
    async run(url) {
      const cases: [changes: Record<string, string | undefined>, status: number, names: string][] = [
        [{ 'Sec-WebSocket-Key': undefined }, 400, 'Sec-WebSocket-Key'],
        [{ 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 400, 'Sec-WebSocket-Key'],
        [{ 'Sec-WebSocket-Version': undefined }, 400, 'Sec-WebSocket-Version'],
        [{ 'Sec-WebSocket-Version': '8' }, 426, 'Sec-WebSocket-Version'],
        [{ Connection: 'close' }, 400, 'Connection'],
        [{ 'Sec-WebSocket-Protocol': 'a, a' }, 400, 'Sec-WebSocket-Protocol'],
      ]
      for (const [changes, status, names] of cases) {
        // A server whose parser sees no upgrade in it hands it over as a plain request.
        const answer = await handshake(`${url}/echo`, changes)
        expect([changes, answer.status, answer.body]).toEqual([changes, status, expect.stringContaining(names)])
        if (status === 426) expect(answer.headers.get('sec-websocket-version')).toBe('13')
      }
      expect((await handshake(`${url}/echo`)).status).toBe(101)
    },
  },
  {
    name: 'H16 a POST that asks for a WebSocket gets 405 with Allow',
    async run(url) {
      const { status, headers, body } = await handshake(`${url}/echo`, {}, 'POST')
      expect([status, headers.get('allow'), body]).toEqual([405, 'GET', expect.stringContaining('GET')])
    },
  },
  {
    name: 'R1 a client that vanishes during a slow hook leaves its place, and its handler never starts',
    async run(url) {
      const run = newRun()
      const gone = handshake(`${url}/vanish?run=${run}`, {}, 'GET', logged(url, run, ['before']))
      await expect(gone).rejects.toThrow('Left')
      expect((await refusal(`${url}/vanish?run=${newRun()}`)).status).toBe(503)
      expect(await logged(url, run, ['after'])).toEqual(['before', 'after'])
      const peer = await dialUntilFree(`${url}/vanish?run=${newRun()}`)
      expect(await peer.next()).toBe('here')
      expect(await logged(url, run, [])).toEqual(['before', 'after'])
    },
  },
  {
    name: 'S12 the order of the client wins, none is forced, none is fine',
    async run(url) {
      const say = async (subprotocols: string[]): Promise<string> => {
        const peer = await Peer.dial(`${url}/sub/list`, { subprotocols })
        expect(await peer.next()).toBe(`protocol ${peer.socket.protocol}`)
        return peer.socket.protocol
      }
      expect(await say(['x', 'a', 'b'])).toBe('a')
      expect(await say(['b', 'a'])).toBe('b')
      expect(await say([])).toBe('')
      const none = await handshake(`${url}/sub/list`, { 'Sec-WebSocket-Protocol': 'x' })
      expect([none.status, none.headers.get('sec-websocket-protocol')]).toEqual([101, null])
    },
  },
  {
    name: 'S12 requireSubprotocol refuses with 400',
    async run(url) {
      for (const changes of [{}, { 'Sec-WebSocket-Protocol': 'x' }]) {
        const { status, body } = await handshake(`${url}/sub/required`, changes)
        expect([status, body]).toEqual([400, expect.stringContaining('Sec-WebSocket-Protocol')])
      }
      const peer = await Peer.dial(`${url}/sub/required`, { subprotocols: ['a'] })
      expect(await peer.next()).toBe('a')
    },
  },
  {
    name: 'S12 a function chooses with the real request, and not what was never offered',
    async run(url) {
      const peer = await Peer.dial(`${url}/sub/function?suffix=.2`, { subprotocols: ['v.1', 'v.2'] })
      expect(await peer.next()).toBe('protocol v.2')
      expect(peer.socket.protocol).toBe('v.2')
      expect((await refusal(`${url}/sub/liar`, { subprotocols: ['x'] })).status).toBe(500)
    },
  },
  {
    name: 'R22 middleware and hooks run exactly once per upgrade',
    async run(url) {
      for (let i = 0; i < 2; i++) {
        const run = newRun()
        const peer = await Peer.dial(`${url}/once?run=${run}`)
        expect(await peer.closed).toBe('1000')
        const log = await logged(url, run, ['onClose 1000 true local'])
        expect(log.map((event) => event.split(' ')[0])).toEqual(['middleware', 'before', 'handler', 'onClose'])
      }
    },
  },
]

/** The server learns of an end a little later than we do. */
async function dialUntilFree(url: string): Promise<Peer> {
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      return await Peer.dial(url)
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
