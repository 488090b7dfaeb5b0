/** H7–H10, H18, R10: how a handler's outcome becomes a Close, and what runs at the end. */
import { expect } from 'bun:test'
import { logged, newRun, Peer } from './peer.ts'
import type { Scenario } from './scenarios.ts'

/** Dials with a run of its own; `log` waits for events and gives all of them. */
async function start(
  url: string,
  path: string,
): Promise<{ peer: Peer; log: (...events: string[]) => Promise<string[]> }> {
  const run = newRun()
  const peer = await Peer.dial(`${url}/${path}?run=${run}`)
  return { peer, log: (...events) => logged(url, run, events) }
}

async function isAlive(url: string): Promise<void> {
  const peer = await Peer.dial(`${url}/echo`)
  expect(await peer.send('alive').next()).toBe('alive')
  await peer.close()
}

export const LIFETIME_SCENARIOS: readonly Scenario[] = [
  {
    name: 'H7 a handler that returns closes with 1000 and waits for the closing handshake',
    async run(url) {
      const { peer, log } = await start(url, 'return')
      expect(await peer.closed).toBe('1000')
      expect(await log('onClose 1000 true local')).toEqual(['onClose 1000 true local'])
    },
  },
  {
    name: 'H10 what a handler returns is ignored',
    async run(url) {
      for (const path of ['return-value', 'return-getter']) {
        const { peer } = await start(url, path)
        expect(await peer.closed).toBe('1000')
      }
    },
  },
  {
    name: 'H10 listeners, as upgradeWebSocket of Hono wants them, are an error that says so',
    async run(url) {
      const { peer, log } = await start(url, 'return-listeners')
      expect(await peer.closed).toBe('1011')
      const [first] = await log('onClose 1011 true local')
      expect(first).toContain('gives no listeners; those are for upgradeWebSocket')
    },
  },
  {
    name: 'H10 a generator, which would never run, is an error that says so',
    async run(url) {
      for (const path of ['return-generator', 'return-async-generator']) {
        const { peer, log } = await start(url, path)
        expect(await peer.closed).toBe('1011')
        const [first] = await log('onClose 1011 true local')
        expect(first).toContain('no generator: that would never run')
      }
    },
  },
  {
    name: 'H8 the ConnectionClosed of its own connection is the normal end of a handler',
    async run(url) {
      const { peer, log } = await start(url, 'own-end')
      expect(await peer.close(4321)).toBe('4321')
      const events = await log('own true', 'onClose 4321 true remote')
      expect(events.toSorted()).toEqual(['onClose 4321 true remote', 'own true'])
    },
  },
  {
    name: 'H8 the ConnectionClosed of another connection is an error: onError and 1011',
    async run(url) {
      const { peer: victim, log: logOfVictim } = await start(url, 'victim')
      expect(await victim.next()).toBe('ready')
      await victim.close(4000)
      await logOfVictim('victim gone')
      const { peer, log } = await start(url, 'uses-victim')
      expect(await peer.send('go').closed).toBe('1011')
      const events = await log('onClose 1011 true local')
      expect(events).toEqual([expect.stringContaining('onError Connection closed: 4000'), 'onClose 1011 true local'])
    },
  },
  {
    name: 'H9 R10 a handler that throws, at once, as a rejection or after an await: onError once, 1011, the process lives',
    async run(url) {
      for (const when of ['at once', 'as rejection', 'later']) {
        const { peer, log } = await start(url, `throws/${encodeURIComponent(when)}`)
        if (when === 'later') peer.send('go')
        expect(await peer.closed).toBe('1011')
        const events = await log('onClose 1011 true local')
        expect(events).toEqual([`onError threw ${when}`, 'onClose 1011 true local'])
      }
      await isAlive(url)
    },
  },
  {
    name: 'H9 errorToClose chooses code and reason; the reason is cut between characters',
    async run(url) {
      const { peer } = await start(url, 'error-to-close')
      const [code, ...reason] = (await peer.closed).split(' ')
      expect(code).toBe('4001')
      const text = reason.join(' ')
      expect('RangeError: mineé'.repeat(30)).toStartWith(text)
      expect(Buffer.byteLength(text)).toBeGreaterThan(123 - 2)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(123)
    },
  },
  {
    name: 'H9 a code that may not be sent becomes 1011',
    async run(url) {
      const { peer } = await start(url, 'bad-error-to-close')
      expect(await peer.closed).toBe('1011')
      await isAlive(url)
    },
  },
  {
    name: 'H9 an error in onError or onClose harms nobody',
    async run(url) {
      const { peer, log } = await start(url, 'bad-on-error')
      expect(await peer.closed).toBe('1011')
      expect((await log('onError', 'onClose')).toSorted()).toEqual(['onClose', 'onError'])
      await isAlive(url)
    },
  },
  {
    name: 'H9 what onError sends goes before the Close',
    async run(url) {
      const { peer } = await start(url, 'last-words')
      expect(await peer.next()).toBe('sorry')
      expect(await peer.closed).toBe('1011')
    },
  },
  ...(
    [
      ['the client closes', (peer: Peer) => peer.close(4444), '4444', 4444, true, 'remote'],
      ['the handler returns', (peer: Peer) => peer.send('return').closed, '1000', 1000, true, 'local'],
      ['the handler throws', (peer: Peer) => peer.send('throw').closed, '1011', 1011, true, 'local'],
      ['the handler closes', (peer: Peer) => peer.send('close').closed, '4002 done', 4002, true, 'local'],
      ['the handler terminates', (peer: Peer) => peer.send('terminate').closed, '1006', 1006, false, 'local'],
      [
        'the client vanishes',
        (peer: Peer) => {
          peer.terminate()
          return peer.closed
        },
        '1006',
        1006,
        false,
        'transport',
      ],
    ] as const
  ).map(
    ([how, end, seen, code, wasClean, initiator]): Scenario => ({
      name: `H18 cleanup runs once when ${how}`,
      async run(url) {
        const { peer, log } = await start(url, 'cleanup')
        expect(await end(peer)).toBe(seen)
        const onClose = `onClose ${code} ${wasClean} ${initiator}`
        const expected = ['finally', 'signal', `closed ${code}`, onClose]
        if (how === 'the handler throws') expected.push('onError thrown')
        await log(...expected)
        await isAlive(url)
        expect((await log(...expected)).toSorted()).toEqual(expected.toSorted())
      },
    }),
  ),
]
