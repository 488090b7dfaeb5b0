import { afterEach, describe, expect, mock, spyOn, test } from 'bun:test'
import type { EncodedFrame } from '../../src/codec/encoded-frame.ts'
import type { CloseInfo } from '../../src/codec/errors.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import type { Connection } from '../../src/connection/connection.ts'
import type { SharedMessage } from '../../src/connection/shared-message.ts'
import type { Broker } from '../../src/topic/broker.ts'
import type { TopicConnection } from '../../src/topic/members.ts'
import { MemoryBroker } from '../../src/topic/memory-broker.ts'
import { Topics } from '../../src/topic/topics.ts'
import { bytesIn, hexOf } from '../codec/wire-notation.ts'

const INFO: CloseInfo = { code: 1000, reason: '', wasClean: true, initiator: 'remote' }

const ENCODER = new Protocol({ role: 'server' })

/** A connection as a topic sees it. */
class Peer implements TopicConnection {
  readyState: 0 | 1 | 2 | 3 = 1
  readonly got: (string | Uint8Array)[] = []
  readonly frames: EncodedFrame[] = []
  listeners = 0
  policy: 'take' | 'drop' | 'close' = 'take'
  onSend = (): void => {}
  end!: (info: CloseInfo) => void
  readonly closed: Promise<CloseInfo>

  constructor() {
    const ended = new Promise<CloseInfo>((resolve) => {
      this.end = (info) => {
        this.readyState = 3
        resolve(info)
      }
    })
    const peer = this
    this.closed = Object.assign(ended, {
      // biome-ignore lint/suspicious/noThenProperty: counts how often somebody listens to the end
      then(...handlers: Parameters<typeof ended.then>) {
        peer.listeners++
        return Promise.prototype.then.apply(ended, handlers)
      },
    }) as Promise<CloseInfo>
  }

  get connected(): boolean {
    return this.readyState === 1
  }

  trySend(): boolean {
    throw new Error('What is shared goes by sendShared')
  }

  sendShared(message: SharedMessage): boolean {
    this.onSend()
    if (!this.connected) return false
    if (this.policy === 'close') this.end(INFO)
    if (this.policy !== 'take') return false
    this.got.push(message.data)
    this.frames.push(message.frame(ENCODER) as EncodedFrame)
    return true
  }
}

const peers = (count: number): Peer[] => Array.from({ length: count }, () => new Peer())
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

afterEach(() => void mock.restore())

describe('joining and leaving', () => {
  test('H20 a connection joins, is counted, and leaves', () => {
    const room = new Topics().topic('room/42')
    const [one, two] = peers(2) as [Peer, Peer]
    expect([room.name, room.size, room.has(one)]).toEqual(['room/42', 0, false])
    const leave = room.subscribe(one)
    room.subscribe(two)
    room.subscribe(two)
    expect([room.size, room.has(one), room.has(two)]).toEqual([2, true, true])
    leave()
    leave()
    expect([room.size, room.has(one), room.has(two)]).toEqual([1, false, true])
    room.unsubscribe(two)
    room.unsubscribe(two)
    expect([room.size, room.has(two)]).toEqual([0, false])
  })

  test('H20 handles of one name are one topic, handles of two names are two', () => {
    const topics = new Topics()
    const before = topics.topic('a')
    const [one] = peers(1) as [Peer]
    topics.topic('a').subscribe(one)
    expect([before.size, topics.topic('a').size, topics.topic('b').size]).toEqual([1, 1, 0])
    before.unsubscribe(one)
    topics.topic('a').subscribe(one)
    expect(before.has(one)).toBe(true)
  })

  test('H20 a connection that ends leaves all its topics', async () => {
    const topics = new Topics()
    const [one, two] = peers(2) as [Peer, Peer]
    for (const name of ['a', 'b', 'c']) topics.topic(name).subscribe(one)
    topics.topic('a').subscribe(two)
    one.end(INFO)
    await settled()
    expect([topics.topic('a').size, topics.topic('b').size, topics.size]).toEqual([1, 0, 1])
    expect(topics.topic('a').publish('x')).toEqual({ sent: 1, dropped: 0, closed: 0 })
  })

  test('H20 a connection that is closing or closed does not join', () => {
    const topics = new Topics()
    const [one] = peers(1) as [Peer]
    for (const state of [2, 3] as const) {
      one.readyState = state
      const leave = topics.topic('a').subscribe(one)
      expect(topics.topic('a').has(one)).toBe(false)
      leave()
    }
    expect(topics.size).toBe(0)
  })

  test('R11 what wraps a connection is that connection: one member, found either way', () => {
    const room = new Topics().topic('a')
    const [raw] = peers(1) as [Peer]
    const wrapper = {
      closed: raw.closed,
      get readyState() {
        return raw.readyState
      },
      get connected() {
        return raw.connected
      },
      trySend: () => raw.trySend(),
    }
    room.subscribe(raw)
    room.subscribe(wrapper)
    expect([room.size, room.has(wrapper)]).toEqual([1, true])
    expect(room.publish('x', { except: wrapper })).toEqual({ sent: 0, dropped: 0, closed: 0 })
    room.unsubscribe(wrapper)
    expect(room.size).toBe(0)
  })

  test('R11 1,000 joins and leaves leave nothing behind', async () => {
    const broker = new MemoryBroker()
    const topics = new Topics(broker)
    const [stays] = peers(1) as [Peer]
    for (let round = 0; round < 1000; round++) {
      const room = topics.topic(`room/${round % 10}`)
      const [passes] = peers(1) as [Peer]
      room.subscribe(stays)
      room.subscribe(passes)
      room.unsubscribe(stays)
      if (round % 2 === 0) room.unsubscribe(passes)
      else passes.end(INFO)
    }
    await settled()
    expect([topics.size, broker.size]).toEqual([0, 0])
    expect(stays.listeners).toBe(1)
  })

  test('R11 a connection that nobody else holds is not kept by topics that it has left', async () => {
    const topics = new Topics()
    let collected = 0
    const registry = new FinalizationRegistry(() => collected++)
    const join = (): void => {
      for (const peer of peers(100)) {
        registry.register(peer, undefined)
        topics.topic('a').subscribe(peer)
        topics.topic('a').unsubscribe(peer)
      }
    }
    join()
    for (let round = 0; round < 50 && collected < 90; round++) {
      Bun.gc(true)
      await settled()
    }
    expect(collected).toBeGreaterThanOrEqual(90)
  })
})

describe('publishing', () => {
  test('H20 a publish reaches all members, is encoded once, and except leaves one out', () => {
    const room = new Topics().topic('a')
    const members = peers(1000)
    for (const member of members) room.subscribe(member)
    const [first] = members as [Peer]
    expect(room.publish('hello', { except: first })).toEqual({ sent: 999, dropped: 0, closed: 0 })
    expect(first.got).toEqual([])
    expect(members.slice(1).every((member) => member.got.length === 1 && member.got[0] === 'hello')).toBe(true)
    expect(new Set(members.slice(1).map((member) => member.frames[0])).size).toBe(1)
    expect(members[1]?.frames.map(bytesIn).map((frame) => hexOf(frame))).toEqual(['810568656c6c6f'])
  })

  test('H20 a connection that is no member may be excepted', () => {
    const room = new Topics().topic('a')
    const [one, stranger] = peers(2) as [Peer, Peer]
    room.subscribe(one)
    expect(room.publish('x', { except: stranger }).sent).toBe(1)
    expect(room.publish('x', { except: undefined }).sent).toBe(1)
  })

  test('H20 bytes go as a binary frame, whichever view they came as', () => {
    const room = new Topics().topic('a')
    const [one] = peers(1) as [Peer]
    room.subscribe(one)
    const buffer = new Uint8Array([9, 1, 2, 9]).buffer
    room.publish(new DataView(buffer, 1, 2))
    room.publish(buffer)
    expect(one.frames.map((frame) => hexOf(bytesIn(frame)))).toEqual(['82020102', '820409010209'])
  })

  test('H20 what cannot be sent is a TypeError, members or none', () => {
    const room = new Topics().topic('a')
    for (const data of [undefined, null, 1, {}, new Blob(['x'])]) {
      expect(() => room.publish(data as never)).toThrow(TypeError)
    }
    expect(() => new Topics().topic(1 as never)).toThrow(/name must be a string/)
  })

  test('H20 options that would be overlooked are a TypeError, members or none', () => {
    const topic = new Topics().topic('room')
    const peer = new Peer()
    topic.subscribe(peer)
    expect(() => topic.publish('x', { exept: peer } as object)).toThrow(
      new TypeError('Unknown option exept; known are except, compress'),
    )
    expect(() => topic.publish('x', { compress: 'no' as never })).toThrow(
      new TypeError('compress: expected a boolean, got string'),
    )
    expect(() => topic.publish('x', null as never)).toThrow(
      new TypeError('Options of publish must be an object, not null'),
    )
    for (const except of [3, null, {}, 'peer']) {
      expect(() => topic.publish('x', { except: except as never })).toThrow(/^except: expected a connection, got /)
    }
    expect(peer.got).toEqual([])
    for (const none of [undefined, null, {}, 3]) {
      for (const call of ['subscribe', 'unsubscribe', 'has'] as const) {
        expect(() => topic[call](none as never)).toThrow(/^connection: expected a connection, got /)
      }
    }
    expect(() => new Topics(undefined, { onEror: () => {} } as object)).toThrow(
      new TypeError('Unknown option onEror; known are onError'),
    )
    expect(() => new Topics(undefined, { onError: 5 as never })).toThrow(
      new TypeError('onError: expected a function, got number'),
    )
  })

  test('S22 the report tells sent, dropped and closed apart', async () => {
    const room = new Topics().topic('a')
    const [taking, dropping, closing, closed] = peers(4) as [Peer, Peer, Peer, Peer]
    for (const peer of [taking, dropping, closing, closed]) room.subscribe(peer)
    dropping.policy = 'drop'
    closing.policy = 'close'
    closed.readyState = 2
    expect(room.publish('x')).toEqual({ sent: 1, dropped: 1, closed: 2 })
    await settled()
    expect(room.size).toBe(3)
  })

  test('H20 members that leave and join while a message is sent: nobody gets it twice, nobody is skipped', () => {
    const room = new Topics().topic('a')
    const members = peers(10)
    const late = peers(3)
    for (const member of members) room.subscribe(member)
    const [first, second, , fourth] = members as [Peer, Peer, Peer, Peer]
    second.onSend = () => {
      room.unsubscribe(first)
      room.unsubscribe(fourth)
      for (const peer of late) room.subscribe(peer)
    }
    room.publish('x')
    const others = members.filter((member) => member !== fourth)
    expect(others.map((member) => member.got.length)).toEqual(others.map(() => 1))
    expect(late.map((member) => member.got.length)).toEqual([0, 0, 0])
    second.onSend = () => {}
    expect(room.publish('y').sent).toBe(11)
    expect(first.got).toEqual(['x'])
  })

  test('S17 a connection without the shared way gets its own message', () => {
    const room = new Topics().topic('a')
    const sent: unknown[] = []
    const [peer] = peers(1) as [Peer]
    const foreign = {
      closed: peer.closed,
      connected: true,
      readyState: 1,
      trySend: (...args: unknown[]) => {
        sent.push(args)
        return true
      },
    } as unknown as Connection
    room.subscribe(foreign)
    expect(room.publish('x', { compress: false }).sent).toBe(1)
    expect(sent).toEqual([['x', { compress: false }]])
  })
})

describe('what throws', () => {
  test('R10 a member that throws is reported and holds up nobody, neither now nor later', () => {
    const reported = spyOn(console, 'error').mockImplementation(() => {})
    const room = new Topics().topic('a')
    const [first, bad, last] = peers(3) as [Peer, Peer, Peer]
    for (const peer of [first, bad, last]) room.subscribe(peer)
    bad.onSend = () => {
      throw new Error('bad')
    }
    expect(room.publish('x')).toEqual({ sent: 2, dropped: 1, closed: 0 })
    expect([first.got, last.got]).toEqual([['x'], ['x']])
    expect(reported.mock.calls).toEqual([[expect.stringContaining('member'), new Error('bad')]])
  })

  test('H20 a broker that throws in place of rejecting is reported by topic; members here are served', async () => {
    const fail = (what: string) => (): never => {
      throw new Error(what)
    }
    const throwing: Broker = {
      publish: fail('publish'),
      subscribe: fail('subscribe'),
      unsubscribe: fail('unsubscribe'),
      close: () => Promise.resolve(),
    }
    const errors: string[] = []
    const onError = (error: unknown, topic: string): void => void errors.push(`${topic}: ${(error as Error).message}`)
    const room = new Topics(throwing, { onError }).topic('a')
    const [one] = peers(1) as [Peer]
    room.subscribe(one)
    expect(room.publish('x').sent).toBe(1)
    room.unsubscribe(one)
    await settled()
    expect(errors).toEqual(['a: subscribe', 'a: publish', 'a: unsubscribe'])
    expect([one.got, room.size]).toEqual([['x'], 0])
  })

  test('R10 an onError that throws or rejects is no unhandled rejection: both errors are reported', async () => {
    const reported = spyOn(console, 'error').mockImplementation(() => {})
    const closed = new MemoryBroker()
    await closed.close()
    const failures = [
      () => {
        throw new Error('onError')
      },
      () => Promise.reject(new Error('onError')),
    ]
    for (const onError of failures) new Topics(closed, { onError }).topic('a').publish('x')
    // An unhandled rejection would fail this test.
    await settled()
    const messages = reported.mock.calls.map(([, error]) => (error as Error).message)
    expect(messages.toSorted()).toEqual(['The broker is closed', 'The broker is closed', 'onError', 'onError'])
  })
})

describe('over a broker', () => {
  test('H20 topics that share a broker reach each other’s members, once, and never their own again', async () => {
    const broker = new MemoryBroker()
    const [here, there] = [new Topics(broker), new Topics(broker)]
    const [one, two, other] = peers(3) as [Peer, Peer, Peer]
    here.topic('a').subscribe(one)
    there.topic('a').subscribe(two)
    there.topic('b').subscribe(other)
    expect(here.topic('a').publish('x', { except: one })).toEqual({ sent: 0, dropped: 0, closed: 0 })
    here.topic('a').publish('y')
    await settled()
    expect([one.got, two.got, other.got]).toEqual([['y'], ['x', 'y'], []])
  })

  test('H20 topics without members of their own still publish to others', async () => {
    const broker = new MemoryBroker()
    const [one] = peers(1) as [Peer]
    new Topics(broker).topic('a').subscribe(one)
    const bytes = new Uint8Array([1])
    new Topics(broker).topic('a').publish(bytes)
    bytes.fill(7)
    await settled()
    expect(one.got).toEqual([new Uint8Array([1])])
  })

  test('H20 a broker that fails is reported by topic; members here are served', async () => {
    const failing: Broker = {
      publish: () => Promise.reject(new Error('publish')),
      subscribe: () => Promise.reject(new Error('subscribe')),
      unsubscribe: () => Promise.reject(new Error('unsubscribe')),
      close: () => Promise.resolve(),
    }
    const errors: string[] = []
    const onError = (error: unknown, topic: string): void => void errors.push(`${topic}: ${(error as Error).message}`)
    const topics = new Topics(failing, { onError })
    const [one] = peers(1) as [Peer]
    topics.topic('a').subscribe(one)
    expect(topics.topic('a').publish('x').sent).toBe(1)
    topics.topic('a').unsubscribe(one)
    await settled()
    expect(errors).toEqual(['a: subscribe', 'a: publish', 'a: unsubscribe'])
    expect(one.got).toEqual(['x'])
  })
})
