/**
 * What every `Broker` must do (src/topic/broker.ts).
 *
 * Built on `node:test` and `node:assert`, so that the same file runs under `bun test`, `deno test` and `node --test`.
 * That something does not come is proved by a later message of the same publisher, which comes: order is part of the
 * contract.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Broker, Published, Subscriber } from '../../src/topic/broker.ts'

/** Two brokers that are joined: the same one, or two that meet in a server. */
export interface BrokerPair {
  readonly near: Broker
  readonly far: Broker
  /** How many topics the broker holds memory for, where it can tell. */
  readonly topicsHeld?: () => number
  readonly dispose: () => void | Promise<void>
}

/** How long a case waits for a message, in milliseconds. */
const PATIENCE = 5000

class Listener implements Subscriber {
  readonly got: [topic: string, data: Published][] = []
  publishing = false
  reentered = false
  #wake = (): void => {}

  deliver(topic: string, data: Published): void {
    if (this.publishing) this.reentered = true
    this.got.push([topic, data])
    this.#wake()
  }

  async until(count: number): Promise<void> {
    const deadline = performance.now() + PATIENCE
    while (this.got.length < count) {
      const left = deadline - performance.now()
      if (left <= 0) assert.fail(`${count} messages did not come; got ${JSON.stringify(this.got)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

interface Case {
  readonly rule: string
  readonly run: (pair: BrokerPair) => Promise<void>
}

/** Names that a broker with patterns, separators or a limited alphabet of its own would get wrong. */
const NAMES = ['room/42', '', '*', 'a.b', 'a.*', '>', 'room/4?', '[ab]', ' ', 'Grüße/🎉', '__proto__', 'x'.repeat(200)]

export type BrokerCase =
  | 'reaches-others'
  | 'topics-apart'
  | 'names-opaque'
  | 'data-intact'
  | 'order'
  | 'bytes-released'
  | 'not-reentrant'
  | 'once'
  | 'unsubscribe'
  | 'call-order'
  | 'no-subscribers'
  | 'nothing-held'
  | 'close'

const CASES: Record<BrokerCase, Case> = {
  'reaches-others': {
    rule: 'a message reaches every subscriber of its topic but the publisher',
    run: async ({ near, far }) => {
      const [publisher, neighbour, distant] = [new Listener(), new Listener(), new Listener()]
      await near.subscribe('t', publisher)
      await near.subscribe('t', neighbour)
      await far.subscribe('t', distant)
      await near.publish('t', 'one', publisher)
      await near.publish('t', 'two')
      await neighbour.until(2)
      await distant.until(2)
      await publisher.until(1)
      assert.deepEqual(neighbour.got, [
        ['t', 'one'],
        ['t', 'two'],
      ])
      assert.deepEqual(distant.got, neighbour.got)
      assert.deepEqual(publisher.got, [['t', 'two']])
    },
  },
  'topics-apart': {
    rule: 'a subscriber gets its own topics and no others, each under its name',
    run: async ({ near, far }) => {
      const listener = new Listener()
      await far.subscribe('a', listener)
      await far.subscribe('c', listener)
      for (const topic of ['a', 'b', 'ab', 'A', 'c']) await near.publish(topic, topic)
      await near.publish('a', 'last of a')
      await near.publish('c', 'last of c')
      await listener.until(4)
      const of = (topic: string): Published[] => listener.got.filter(([name]) => name === topic).map(([, data]) => data)
      assert.deepEqual(of('a'), ['a', 'last of a'])
      assert.deepEqual(of('c'), ['c', 'last of c'])
      assert.equal(listener.got.length, 4)
    },
  },
  'names-opaque': {
    rule: 'any string is a name, and no character is a wildcard',
    run: async ({ near, far }) => {
      const listeners = new Map<string, Listener>()
      for (const name of NAMES) {
        const listener = new Listener()
        listeners.set(name, listener)
        await far.subscribe(name, listener)
      }
      for (const name of NAMES) {
        await near.publish(name, `to ${name}`)
        await near.publish(name, 'last')
      }
      for (const [name, listener] of listeners) {
        await listener.until(2)
        assert.deepEqual(listener.got, [
          [name, `to ${name}`],
          [name, 'last'],
        ])
      }
    },
  },
  'data-intact': {
    rule: 'text stays text and bytes stay bytes, empty and large ones included',
    run: async ({ near, far }) => {
      const listener = new Listener()
      await far.subscribe('t', listener)
      const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      const part = every.subarray(10, 20)
      const sent: Published[] = ['', 'text', '\u0000\ufeffß🎉', new Uint8Array(0), every, part, 'x'.repeat(100_000)]
      for (const data of sent) await near.publish('t', data)
      await listener.until(sent.length)
      for (const [index, [, data]] of listener.got.entries()) {
        const original = sent[index]
        if (typeof original === 'string') assert.equal(data, original)
        else {
          assert.ok(data instanceof Uint8Array, 'bytes came as text')
          assert.deepEqual([...data], [...(original ?? [])])
        }
      }
    },
  },
  order: {
    rule: 'the messages of one publisher arrive in the order of its calls, awaited or not',
    run: async ({ near, far }) => {
      const listener = new Listener()
      await far.subscribe('t', listener)
      const taken: Promise<void>[] = []
      for (let message = 0; message < 500; message++) taken.push(near.publish('t', String(message)))
      await Promise.all(taken)
      await listener.until(500)
      assert.deepEqual(
        listener.got.map(([, data]) => data),
        Array.from({ length: 500 }, (_, message) => String(message)),
      )
    },
  },
  'bytes-released': {
    rule: 'the array given to publish is the caller’s again when the call returns',
    run: async ({ near, far }) => {
      const listener = new Listener()
      await far.subscribe('t', listener)
      const array = new Uint8Array([1, 2, 3])
      const taken = near.publish('t', array)
      array.fill(9)
      await taken
      await listener.until(1)
      assert.deepEqual(Array.from((listener.got[0]?.[1] ?? '') as Uint8Array), [1, 2, 3])
    },
  },
  'not-reentrant': {
    rule: 'no subscriber is called before publish has returned',
    run: async ({ near }) => {
      const listener = new Listener()
      await near.subscribe('t', listener)
      listener.publishing = true
      const taken = near.publish('t', 'x')
      listener.publishing = false
      await taken
      await listener.until(1)
      assert.equal(listener.reentered, false)
    },
  },
  once: {
    rule: 'a message comes once, although the subscriber subscribed twice',
    run: async ({ near, far }) => {
      const listener = new Listener()
      await far.subscribe('t', listener)
      await far.subscribe('t', listener)
      await near.publish('t', 'first')
      await near.publish('t', 'last')
      await listener.until(2)
      assert.deepEqual(
        listener.got.map(([, data]) => data),
        ['first', 'last'],
      )
      await far.unsubscribe('t', listener)
      const control = new Listener()
      await far.subscribe('t', control)
      await near.publish('t', 'after')
      await control.until(1)
      assert.equal(listener.got.length, 2, 'one unsubscribe undoes two subscribes')
    },
  },
  unsubscribe: {
    rule: 'nothing is delivered after unsubscribe has returned, and others are not touched',
    run: async ({ near, far }) => {
      const leaver = new Listener()
      const stayer = new Listener()
      await far.subscribe('t', leaver)
      await far.subscribe('t', stayer)
      await near.publish('t', 'before')
      await stayer.until(1)
      await leaver.until(1)
      const taken = near.publish('t', 'on its way')
      const left = far.unsubscribe('t', leaver)
      await Promise.all([taken, left])
      await near.publish('t', 'after')
      await stayer.until(3)
      assert.deepEqual(leaver.got, [['t', 'before']])
      await far.unsubscribe('t', leaver)
      await far.unsubscribe('never', leaver)
    },
  },
  'call-order': {
    rule: 'calls that are not awaited take effect in their order',
    run: async ({ near, far }) => {
      const joined = new Listener()
      const left = new Listener()
      const calls = [
        far.subscribe('t', left),
        far.subscribe('t', joined),
        far.unsubscribe('t', joined),
        far.unsubscribe('t', left),
        far.subscribe('t', joined),
      ]
      await Promise.all(calls)
      await near.publish('t', 'x')
      await joined.until(1)
      assert.deepEqual(left.got, [])
    },
  },
  'no-subscribers': {
    rule: 'publishing to a topic that nobody hears is no error, and is not kept for later',
    run: async ({ near, far }) => {
      await near.publish('t', 'lost')
      const publisher = new Listener()
      await near.subscribe('t', publisher)
      await near.publish('t', 'lost as well', publisher)
      const listener = new Listener()
      await far.subscribe('t', listener)
      await near.publish('t', 'heard', publisher)
      await listener.until(1)
      assert.deepEqual(listener.got, [['t', 'heard']])
    },
  },
  'nothing-held': {
    rule: 'topics without subscribers hold no memory',
    run: async ({ near, far, topicsHeld }) => {
      const listener = new Listener()
      for (let topic = 0; topic < 1000; topic++) {
        await far.subscribe(`t${topic}`, listener)
        await near.publish(`t${topic}`, 'x', listener)
        await far.unsubscribe(`t${topic}`, listener)
      }
      if (topicsHeld !== undefined) assert.equal(topicsHeld(), 0)
      const control = new Listener()
      await far.subscribe('t0', control)
      await near.publish('t0', 'x', listener)
      await control.until(1)
      assert.deepEqual(listener.got, [])
    },
  },
  close: {
    rule: 'close ends delivery at once; publish and subscribe then reject, unsubscribe and close do not',
    run: async ({ far }) => {
      const listener = new Listener()
      await far.subscribe('t', listener)
      const taken = far.publish('t', 'on its way')
      await far.close()
      await taken
      await far.close()
      await assert.rejects(far.publish('t', 'x'), { name: 'WebSocketError', message: /closed/ })
      await assert.rejects(far.subscribe('t', listener), { name: 'WebSocketError', message: /closed/ })
      await far.unsubscribe('t', listener)
      await new Promise((resolve) => setTimeout(resolve, 10))
      assert.deepEqual(listener.got, [])
    },
  },
}

/** Cases that an implementation cannot meet, each with the reason. */
export type BrokerSkips = Partial<Record<BrokerCase, string>>

/** Proves that an implementation keeps the contract. A fresh pair is made for each case and disposed of after it. */
export function brokerContract(
  name: string,
  makePair: () => BrokerPair | Promise<BrokerPair>,
  skips: BrokerSkips = {},
): void {
  describe(`Broker: ${name}`, () => {
    for (const [id, { rule, run }] of Object.entries(CASES) as [BrokerCase, Case][]) {
      const reason = skips[id]
      const title = `H20 ${name} ${id}: ${rule}${reason === undefined ? '' : ` (skipped: ${reason})`}`
      test(title, { skip: reason !== undefined }, async () => {
        const pair = await makePair()
        try {
          await run(pair)
        } finally {
          await pair.near.close()
          await pair.far.close()
          await pair.dispose()
        }
      })
    }
  })
}
