/** Random conversations over random networks: everything that was sent arrives, once, in order, whole. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Connection, Received } from '../../src/connection/connection.ts'
import type { FakeClock } from './fake-clock.ts'
import { joined } from './pair.ts'

const payload = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 0, max: 70_000 }).map((size) => 'x'.repeat(size)),
  fc.integer({ min: 0, max: 70_000 }).map((size) => new Uint8Array(size).fill(size)),
)
const message = fc.record({ payload, how: fc.constantFrom('send', 'send', 'stream', 'awaited', 'pinged') })
const network = fc.record({
  // Byte by byte a long message takes too many turns.
  capacity: fc.integer({ min: 2000, max: 100_000 }),
  highWaterMark: fc.integer({ min: 1, max: 100_000 }),
  split: fc.oneof(fc.integer({ min: 500, max: 70_000 }), fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 50 })),
  merge: fc.boolean(),
})
const options = fc.record({
  inboxMessages: fc.integer({ min: 1, max: 20 }),
  inboxBytes: fc.integer({ min: 1, max: 100_000 }),
  highWaterMark: fc.integer({ min: 1, max: 100_000 }),
})
const way = fc.constantFrom('receive', 'poll', 'iterate', 'stream', 'give up')

async function say(ws: Connection, messages: readonly { payload: Received; how: string }[]): Promise<void> {
  for (const { payload: data, how } of messages) {
    if (how === 'pinged') void ws.ping()
    if (how === 'stream') void ws.sendStream(halves(data))
    else if (how === 'awaited') await ws.send(data)
    else void ws.send(data)
  }
}

async function* halves(data: Received): AsyncGenerator<string | Uint8Array> {
  const half = data.length >> 1
  yield data.slice(0, half)
  await Promise.resolve()
  yield data.slice(half)
}

/** Takes `count` messages, each in one of the ways. */
async function hear(ws: Connection, count: number, ways: readonly string[], clock: FakeClock): Promise<Received[]> {
  const heard: Received[] = []
  for (let turn = 0; heard.length < count; turn++) {
    switch (ways[turn % ways.length]) {
      case 'poll': {
        const polled = await ws.receive({ timeout: 0 })
        if (polled !== null) heard.push(polled)
        else await new Promise((resolve) => setTimeout(resolve, 0))
        break
      }
      case 'iterate':
        for await (const next of ws) {
          heard.push(next)
          break
        }
        break
      case 'stream': {
        const stream = (await ws.receiveStream()) as ReadableStream<Received>
        heard.push(joinedParts(await Array.fromAsync(stream)))
        break
      }
      case 'give up': {
        const controller = new AbortController()
        const waiting = ws.receive({ signal: controller.signal }).catch(() => null)
        controller.abort()
        const got = await waiting
        if (got !== null) heard.push(got)
        else heard.push(await ws.receive())
        break
      }
      default:
        heard.push(await ws.receive())
    }
  }
  expect(clock.now()).toBe(0)
  return heard
}

function joinedParts(parts: readonly Received[]): Received {
  return typeof parts[0] === 'string' ? parts.join('') : new Uint8Array(Buffer.concat(parts as Uint8Array[]))
}

/** An empty message that came as a stream has no part that says its type. */
function comparable(received: Received): string {
  if (received.length === 0) return 'empty'
  return typeof received === 'string' ? `text ${received}` : `binary ${Buffer.from(received).toString('latin1')}`
}

describe('conversations', () => {
  test('S21 everything that was sent arrives, once, in order, whole', async () => {
    const conversation = fc.record({
      options,
      network,
      fromServer: fc.array(message, { maxLength: 30 }),
      fromClient: fc.array(message, { maxLength: 30 }),
      ways: fc.array(way, { minLength: 1, maxLength: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(conversation, async ({ options: given, network: between, fromServer, fromClient, ways }) => {
        const { clock, server, client } = joined(given, between)
        let done = false
        const talk = Promise.all([
          say(server, fromServer),
          say(client, fromClient),
          hear(client, fromServer.length, ways, clock),
          hear(server, fromClient.length, ways, clock),
        ]).finally(() => {
          done = true
        })
        for (let turn = 0; !done; turn++) {
          if (turn === 3000) throw new Error('The conversation has come to a halt')
          await clock.settle()
        }
        const [, , atClient, atServer] = await talk
        expect(atClient.map(comparable)).toEqual(fromServer.map(({ payload: data }) => comparable(data)))
        expect(atServer.map(comparable)).toEqual(fromClient.map(({ payload: data }) => comparable(data)))
        void client.close(4000)
        await clock.settle()
        expect(server).toMatchObject({ code: 4000, wasClean: true, initiator: 'remote' })
        expect(client).toMatchObject({ code: 4000, wasClean: true, initiator: 'local' })
        expect(clock.pending).toEqual([])
      }),
      // A failure is told at once: shrinking a conversation that halts would take minutes.
      { numRuns: 100, seed: Number(process.env.FUZZ_SEED ?? 20_261_122), endOnFailure: true },
    )
  }, 60_000)
})
