import { afterEach, describe, expect, mock, spyOn, test } from 'bun:test'
import type { Context } from 'hono'
import { z } from 'zod'
import { ConnectionClosed } from '../../src/codec/errors.ts'
import type { Connection } from '../../src/connection/connection.ts'
import type { RouteOptions } from '../../src/sock/route-options.ts'
import type { StandardResult, StandardSchema } from '../../src/sock/standard-schema.ts'
import { typedConnection } from '../../src/sock/typed.ts'
import { Topics } from '../../src/topic/topics.ts'
import { memoryPair } from './memory-connection.ts'

type Typed<In, Out> = Connection<In, Out>

function typed<In = unknown, Out = unknown>(
  options: object,
): { ws: Typed<In, Out>; raw: Connection; client: Connection } {
  const { server, client } = memoryPair()
  const ws = typedConnection(server, options as RouteOptions, {} as Context) as unknown as Typed<In, Out>
  return { ws, raw: server, client }
}

/** A schema that answers when the test says so. */
class Gate implements StandardSchema<unknown, unknown> {
  readonly asked: {
    value: unknown
    answer: (result: StandardResult<unknown>) => void
    fail: (error: unknown) => void
  }[] = []
  readonly '~standard' = {
    version: 1,
    vendor: 'gate',
    validate: (value: unknown): Promise<StandardResult<unknown>> =>
      new Promise((answer, fail) => {
        this.asked.push({ value, answer, fail })
      }),
  } as const

  /** Resolves when the schema was asked so often. */
  async until(count: number): Promise<void> {
    for (let turns = 0; this.asked.length < count; turns++) {
      if (turns > 1000) throw new Error(`Asked ${this.asked.length} times, not ${count}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /** Lets the value of question `index` pass. */
  pass(index: number): void {
    const question = this.asked[index]
    question?.answer({ value: question.value })
  }
}

const rejection = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'resolved',
    (error: unknown) => error,
  )

afterEach(() => void mock.restore())

describe('receive', () => {
  test('S1 without a schema the connection is the connection', () => {
    const { ws, raw } = typed({ origin: '*' })
    expect(ws as unknown).toBe(raw)
  })

  test('S3 a slow schema does not change the order of those who wait', async () => {
    const gate = new Gate()
    const { ws, client } = typed({ receive: gate })
    const order: unknown[] = []
    const all = ['a', 'b', 'c'].map((name) => ws.receive().then((value) => order.push([name, value])))
    for (const n of [1, 2, 3]) await client.send(String(n))
    await gate.until(1)
    expect(gate.asked.length).toBe(1)
    gate.pass(0)
    await gate.until(2)
    gate.pass(1)
    await gate.until(3)
    gate.pass(2)
    await Promise.all(all)
    expect(order).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
  })

  test('S1 a timeout during validation loses nothing: the next call gets the message', async () => {
    const gate = new Gate()
    const { ws, client } = typed({ receive: gate })
    await client.send('"slow"')
    expect(await ws.receive({ timeout: 5 })).toBeNull()
    const next = ws.receive()
    gate.pass(0)
    expect(await next).toBe('slow')
    expect(gate.asked.length).toBe(1)
  })

  test('S1 a signal gives up with its reason, and one that gives up in line lets the others through', async () => {
    const gate = new Gate()
    const { ws, client } = typed({ receive: gate })
    const quit = new AbortController()
    const first = ws.receive()
    const second = ws.receive({ signal: quit.signal })
    const third = ws.receive({ timeout: 10_000 })
    quit.abort(new Error('enough'))
    expect(await rejection(second)).toEqual(new Error('enough'))
    expect(await rejection(ws.receive({ signal: quit.signal }))).toEqual(new Error('enough'))
    await client.send('1')
    await client.send('2')
    await gate.until(1)
    gate.pass(0)
    await gate.until(2)
    gate.pass(1)
    expect([await first, await third]).toEqual([1, 2])
  })

  test('S23 a signal that outlives its receive is left without listeners', async () => {
    const { ws, client } = typed({ receive: z.number() })
    const { signal } = new AbortController()
    const added = spyOn(signal, 'addEventListener')
    const removed = spyOn(signal, 'removeEventListener')
    await client.send('1')
    expect(await ws.receive({ signal })).toBe(1)
    expect(added.mock.calls.length).toBeGreaterThan(0)
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener))
  })

  test('S1 timeout 0 polls', async () => {
    const { ws, client } = typed({ receive: z.number() })
    expect(await ws.receive({ timeout: 0 })).toBeNull()
    await client.send('7')
    await new Promise((resolve) => setTimeout(resolve, 2))
    expect(await ws.receive({ timeout: 0 })).toBe(7)
    expect(await ws.receive({ timeout: 0 })).toBeNull()
    expect(await ws.receive({ timeout: 3 })).toBeNull()
  })

  test('S1 wrong options are the errors that they are without a schema', async () => {
    const { ws, client } = typed({ receive: z.number() })
    const wrong: [unknown, string][] = [
      [5, 'Options of receive must be an object'],
      [null, 'Options of receive must be an object'],
      [{ timeoutMs: 5 }, 'Unknown option timeoutMs'],
      [{ timeout: 2 ** 31 }, 'timeout: expected milliseconds from 0 to 2147483647'],
      [{ signal: {} }, 'signal: expected an AbortSignal'],
    ]
    for (const [options, message] of wrong) {
      await expect(ws.receive(options as { timeout: number })).rejects.toThrow(message)
    }
    await client.send('7')
    expect(await ws.receive({ timeout: Number.POSITIVE_INFINITY })).toBe(7)
  })

  test('S1 an error of the schema goes to the handler, and the next message comes after it', async () => {
    const gate = new Gate()
    const { ws, client } = typed({ receive: gate })
    await client.send('1')
    await client.send('2')
    const first = rejection(ws.receive())
    await gate.until(1)
    gate.asked[0]?.fail(new Error('database gone'))
    expect(await first).toEqual(new Error('database gone'))
    const second = ws.receive()
    await gate.until(2)
    gate.pass(1)
    expect(await second).toBe(2)
  })

  test('S2 messages before the close stay readable, then ConnectionClosed, of this very object', async () => {
    const { ws, client } = typed({ receive: z.number() })
    await client.send('1')
    await client.close(4000, 'bye')
    expect(await ws.receive()).toBe(1)
    const error = (await rejection(ws.receive())) as ConnectionClosed
    expect(error).toBeInstanceOf(ConnectionClosed)
    expect([error.code, error.reason, error.connection]).toEqual([4000, 'bye', ws])
  })

  test('S2 iteration ends quietly on 1000, 1001 and 1005 and throws on anything else', async () => {
    for (const [close, ends] of [
      [(client: Connection) => client.close(1000), true],
      [(client: Connection) => client.close(1001), true],
      [(client: Connection) => client.close(4000), false],
      [(client: Connection) => client.terminate(), false],
    ] as const) {
      const { ws, client } = typed({ receive: z.number() })
      await client.send('1')
      await new Promise((resolve) => setTimeout(resolve, 1))
      void close(client)
      const got: unknown[] = []
      const loop = (async () => {
        for await (const value of ws) got.push(value)
      })()
      const outcome = await rejection(loop)
      expect(got).toEqual([1])
      if (ends) expect(outcome).toBe('resolved')
      else expect(outcome).toBeInstanceOf(ConnectionClosed)
    }
  })

  test('S1 leaving the loop does not close, and the next loop goes on', async () => {
    const { ws, client } = typed({ receive: z.number() })
    await client.send('1')
    await client.send('2')
    for await (const value of ws) {
      expect(value).toBe(1)
      break
    }
    expect(ws.connected).toBe(true)
    for await (const value of ws) {
      expect(value).toBe(2)
      break
    }
  })

  test('R10 a next that nobody waits for is no unhandled rejection when the peer goes', async () => {
    const { ws, client } = typed({ receive: z.number() })
    void ws[Symbol.asyncIterator]().next()
    client.terminate()
    await ws.closed
    // An unhandled rejection would fail this test.
    await new Promise((resolve) => setTimeout(resolve, 1))
  })

  test('S1 an iterator can be left while its next is pending, and the message goes to that next', async () => {
    const { ws, client } = typed({ receive: z.number() })
    const messages = ws[Symbol.asyncIterator]()
    const next = messages.next()
    expect(await messages.return?.()).toEqual({ value: undefined, done: true })
    await client.send('1')
    expect(await next).toEqual({ value: 1, done: false })
  })

  test('S1 nothing is delivered after the message that closed, not to anybody in line', async () => {
    const { ws, client } = typed({ receive: z.number() })
    const waiting = [rejection(ws.receive()), rejection(ws.receive())]
    await client.send('"no"')
    await client.send('2')
    for (const error of (await Promise.all(waiting)) as ConnectionClosed[]) {
      expect(error).toBeInstanceOf(ConnectionClosed)
      expect([error.code, error.connection]).toEqual([1007, ws])
      expect(error.reason).toStartWith('Invalid input')
    }
    expect(await client.closed).toMatchObject({ code: 1007 })
    expect(await ws.closed).toMatchObject({ code: 1007, initiator: 'local' })
    expect(await rejection(ws.receive())).toBeInstanceOf(ConnectionClosed)
  })

  test('S1 a long reason is cut to what a Close holds', async () => {
    const deep = z.object({ [`${'ä'.repeat(100)}`]: z.number() })
    const { ws, client } = typed({ receive: deep })
    const waiting = rejection(ws.receive())
    await client.send('{}')
    await waiting
    const { reason } = await client.closed
    expect(reason).toStartWith('ää')
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123)
  })

  test('S1 onInvalid may close with its own code', async () => {
    const seen: unknown[] = []
    const onInvalid = async (issues: readonly unknown[], connection: Connection): Promise<void> => {
      seen.push(issues.length, connection === (ws as unknown))
      await connection.close(4000, 'no')
    }
    const { ws, client } = typed({ receive: z.number(), onInvalid })
    const waiting = rejection(ws.receive())
    await client.send('"x"')
    expect(await waiting).toMatchObject({ code: 4000 })
    expect(await client.closed).toMatchObject({ code: 4000, reason: 'no' })
    expect(seen).toEqual([1, true])
  })

  test('S1 an error in onInvalid is an error of the handler', async () => {
    const onInvalid = (): never => {
      throw new Error('in onInvalid')
    }
    const { ws, client } = typed({ receive: z.number(), onInvalid })
    await client.send('"x"')
    expect(await rejection(ws.receive())).toEqual(new Error('in onInvalid'))
  })
})

describe('send', () => {
  test('S21 sends go in the order of the calls, whichever schema answers first', async () => {
    const gate = new Gate()
    const { ws, client } = typed({ send: gate })
    const sent = [ws.send('a'), ws.send('b')]
    gate.pass(1)
    gate.pass(0)
    await Promise.all(sent)
    expect([await client.receive(), await client.receive()]).toEqual(['"a"', '"b"'])
  })

  test('S4 one that fails its schema stays out, and those behind it go', async () => {
    const gate = new Gate()
    const { ws, client } = typed({ send: gate })
    const wrong = rejection(ws.send('a'))
    const right = ws.send('b')
    gate.pass(1)
    gate.asked[0]?.answer({ issues: [{ message: 'not this', path: ['x', 0] }] })
    expect(String(await wrong)).toBe('TypeError: send got a value that does not fit its schema: x[0]: not this')
    expect(await right).toBe(true)
    expect(await client.receive()).toBe('"b"')
  })

  test('S4 a wrong value for a synchronous schema throws at the call, so that it is never silent', () => {
    const { ws } = typed({ send: z.number() })
    expect(() => void ws.send('x')).toThrow(TypeError)
    expect(() => void ws.send('x')).toThrow('does not fit its schema: ')
  })

  test('S4 what JSON cannot hold is a TypeError', () => {
    const { ws } = typed({ send: z.any() })
    expect(() => void ws.send(undefined)).toThrow('JSON')
  })

  test('S5 after the end send rejects with the code of the end, and nobody has to listen', async () => {
    const { ws, client } = typed({ send: z.number() })
    await client.close(4001)
    await ws.closed
    void ws.send(1)
    expect(await rejection(ws.send(1))).toMatchObject({ code: 4001, connection: ws })
  })

  test('S22 trySend sends what needs no waiting', async () => {
    const { ws, client } = typed({ send: z.number() })
    expect(ws.trySend(1)).toBe(true)
    expect(await client.receive()).toBe('1')
    expect(() => ws.trySend('x')).toThrow(TypeError)
    const gate = new Gate()
    const slow = typed({ send: gate })
    expect(slow.ws.trySend(1)).toBe(false)
    gate.asked[0]?.fail(new Error('nobody listens'))
    await client.close()
    await ws.closed
    expect(ws.trySend(1)).toBe(false)
  })

  test('S21 trySend does not overtake a send whose schema has not answered', async () => {
    const gate = new Gate()
    const quick = z.number()
    const either: StandardSchema = {
      '~standard': {
        version: 1,
        vendor: 'either',
        validate: (value) => (value === 1 ? gate : quick)['~standard'].validate(value),
      },
    }
    const { ws, client } = typed({ send: either })
    const slow = ws.send(1)
    expect(ws.trySend(2)).toBe(false)
    const queued = ws.send(3)
    gate.pass(0)
    await Promise.all([slow, queued])
    expect([await client.receive(), await client.receive()]).toEqual(['1', '3'])
    expect(ws.trySend(2)).toBe(true)
  })

  test('S4 only one direction may have a schema', async () => {
    const out = typed<unknown, unknown>({ send: z.number() })
    await out.client.send('raw text')
    expect(await out.ws.receive()).toBe('raw text')
    await out.client.send('{"json":true}')
    expect(await out.ws.receiveJson()).toEqual({ json: true })
    const into = typed<unknown, string>({ receive: z.number() })
    await into.ws.send('raw text')
    expect(await into.client.receive()).toBe('raw text')
    await into.ws.sendJson([1])
    expect(await into.client.receive()).toBe('[1]')
  })
})

describe('the rest of a connection', () => {
  test('S16 streams carry typed values', async () => {
    const { ws, client } = typed({ receive: z.number(), send: z.string() })
    await client.send('1')
    await client.send('2')
    const reader = ws.readable.getReader()
    expect([await reader.read(), await reader.read()]).toEqual([
      { value: 1, done: false },
      { value: 2, done: false },
    ])
    expect(ws.readable).toBe(ws.readable)
    const writer = ws.writable.getWriter()
    await writer.write('out')
    expect(await client.receive()).toBe('"out"')
    await writer.close()
    expect(await client.closed).toMatchObject({ code: 1000 })
  })

  test('S20 every member of the connection is there', async () => {
    const { ws, raw, client } = typed({ receive: z.number() })
    const keys = ['id', 'protocol', 'extensions', 'url', 'request', 'mode', 'remoteAddress', 'capabilities'] as const
    for (const key of keys) expect(ws[key]).toBe(raw[key] as never)
    expect([ws.readyState, ws.connected, ws.bufferedAmount, ws.code]).toEqual([1, true, 0, undefined])
    ws.data = { any: 1 }
    expect(raw.data).toBe(ws.data)
    const echo = (async () => {
      for await (const _ of client);
    })()
    expect(await ws.ping('x')).toBeGreaterThanOrEqual(0)
    expect(ws.latency).toBe(raw.latency as number)
    expect([ws.closed, ws.signal] as unknown[]).toEqual([raw.closed, raw.signal])
    await ws.close(1000, 'done')
    await echo
    expect([ws.code, ws.reason, ws.wasClean, ws.initiator, ws.readyState]).toEqual([1000, 'done', true, 'local', 3])
    expect(() => void ws.close(1005)).toThrow(RangeError)
    const dropped = typed({ receive: z.number() })
    dropped.ws.terminate()
    expect(await dropped.ws.closed).toMatchObject({ code: 1006 })
    const disposed = typed({ receive: z.number() })
    await disposed.ws[Symbol.asyncDispose]()
    expect(await disposed.client.closed).toMatchObject({ code: 1000 })
  })

  test('R11 a typed connection joins a topic, gets what is published, and can be the exception', async () => {
    const { ws, client } = typed({ receive: z.number(), send: z.number() })
    const topic = new Topics().topic('news')
    topic.subscribe(ws)
    expect(topic.has(ws)).toBe(true)
    topic.publish('not for itself', { except: ws })
    topic.publish('for all')
    expect(await client.receive()).toBe('for all')
    await client.close()
    await ws.closed
    expect(topic.size).toBe(0)
  })

  test('R10 promises that nobody awaits reject in silence', async () => {
    const unhandled = spyOn(process, 'emit')
    const { ws, client } = typed({ receive: new Gate(), send: new Gate() })
    void ws.receive()
    void ws.receive()
    void ws.send(1)
    void ws.sendJson(1)
    void ws.ping()
    client.terminate()
    await ws.closed
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(unhandled.mock.calls.filter(([event]) => (event as string) === 'unhandledRejection')).toEqual([])
  })
})
