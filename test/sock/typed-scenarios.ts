/** S1, S4: messages that pass a schema. */
import { expect } from 'bun:test'
import { logged, newRun, Peer } from './peer.ts'
import type { Scenario } from './scenarios.ts'

export const TYPED_SCENARIOS: readonly Scenario[] = [
  {
    name: 'S1 S4 typed messages pass their schemas as JSON, defaults filled in',
    async run(url) {
      const peer = await Peer.dial(`${url}/typed`)
      expect(await peer.send('{"x":1,"y":{"deep":[2]},"more":true}').next()).toBe('{"sum":3,"note":"none"}')
      expect(await peer.close()).toBe('1000')
    },
  },
  {
    name: 'S1 a message that does not fit closes with 1007 and its path, and never reaches the handler',
    async run(url) {
      const cases: [message: string | Uint8Array, reason: string][] = [
        ['{"x":"1"}', '1007 x: '],
        ['{"x":1,"y":{"deep":[0,"1"]}}', '1007 y.deep[1]: '],
        ['{"x":', '1007 text that is not JSON'],
        [new Uint8Array([123, 125]), '1007 binary message where JSON text is expected'],
        ['null', '1007 Invalid input'],
        ['{"__proto__":{"x":1}}', '1007 x: '],
      ]
      for (const [message, reason] of cases) {
        const run = newRun()
        const peer = await Peer.dial(`${url}/typed?run=${run}`)
        peer.send(message).send('{"x":1}')
        expect(await peer.closed).toStartWith(reason)
        expect(await logged(url, run, ['onClose 1007 true local'])).toEqual(['onClose 1007 true local'])
      }
    },
  },
  {
    name: 'S1 onInvalid may answer, and the connection goes on',
    async run(url) {
      const peer = await Peer.dial(`${url}/typed/answers`)
      expect(await peer.send('{}').next()).toStartWith('invalid: Invalid input')
      expect(await peer.send('nonsense').next()).toBe('invalid: text that is not JSON')
      expect(await peer.send('{"x":5}').next()).toBe('x 5')
      expect(await peer.close()).toBe('1000')
    },
  },
  {
    name: 'S1 S4 asynchronous schemas of another library keep the order, and giving up loses nothing',
    async run(url) {
      const peer = await Peer.dial(`${url}/typed/async`)
      peer.send('{"wait":60}').send('{"wait":0}')
      expect(await peer.next()).toBe('{"waited":60}')
      expect(await peer.next()).toBe('{"waited":0}')
      peer.send('{"wait":100}')
      expect(await peer.next()).toBe('{"waited":100}')
      expect(await peer.closed).toBe('1000')
    },
  },
  {
    name: 'S4 a value that does not fit the send schema is an error of the handler and never sent',
    async run(url) {
      const run = newRun()
      const peer = await Peer.dial(`${url}/typed/sends-wrong?run=${run}`)
      expect(await peer.closed).toBe('1011')
      const [error] = await logged(url, run, ['onClose 1011 true local'])
      expect(error).toStartWith('onError send got a value that does not fit its schema: sum: ')
    },
  },
  {
    name: 'S1 S4 another codec by option',
    async run(url) {
      const peer = await Peer.dial(`${url}/typed/codec`)
      expect(await peer.send('a,b,c').next()).toBe('c,b,a')
    },
  },
  {
    name: 'R11 a typed connection is the same object throughout, also in its ConnectionClosed',
    async run(url) {
      const run = newRun()
      const peer = await Peer.dial(`${url}/typed/identity?run=${run}`)
      expect(await peer.send('"a"').next()).toBe('a 1')
      expect(await peer.send('"b"').next()).toBe('b 1')
      await peer.close()
      expect(await logged(url, run, ['own true', 'left 0'])).toContain('left 0')
      expect(await logged(url, run, ['own true'])).toContain('own true')
    },
  },
  {
    name: 'S1 S4 no way around a schema',
    async run(url) {
      const peer = await Peer.dial(`${url}/typed/around`)
      expect(await peer.next()).toBe(JSON.stringify(Array(6).fill('TypeError').join(' ')))
    },
  },
]
