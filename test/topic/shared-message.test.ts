/** Published messages among other messages: framed connections joined in memory. */
import { describe, expect, test } from 'bun:test'
import { Hono } from 'hono'
import type { Connection } from '../../src/connection/connection.ts'
import { connectInMemory } from '../../src/runtime/testing.ts'
import { Sock } from '../../src/sock/sock.ts'
import { Topics } from '../../src/topic/topics.ts'
import { type MemoryPair, memoryPair } from '../sock/memory-connection.ts'

/** A pair whose server is a member. */
function join(topics: Topics): MemoryPair {
  const pair = memoryPair()
  topics.topic('a').subscribe(pair.server)
  return pair
}

/** The next `count` messages, binary ones as their length. */
async function receive(connection: Connection, count: number): Promise<(string | number)[]> {
  const got: (string | number)[] = []
  while (got.length < count) {
    const message = await connection.receive()
    got.push(typeof message === 'string' ? message : message.length)
  }
  return got
}

describe('published among other messages', () => {
  test('S21 every member gets its own messages and the published ones in the order of the calls', async () => {
    const topics = new Topics()
    const topic = topics.topic('a')
    const pairs = Array.from({ length: 5 }, () => join(topics))
    const expected = pairs.map((): (string | number)[] => [])
    // More than a slab of memory, in frames of every header size, with each member's own messages in other places.
    const sizes = [1, 125, 126, 4000, 65_000, 65_535, 70_000]
    for (let round = 0; round < 60; round++) {
      const size = sizes[round % sizes.length] ?? 0
      const text = String(round).padEnd(size, 'x')
      if (round % 5 === 4) topic.publish(new Uint8Array(size).fill(round))
      else topic.publish(text)
      for (const [index, { server }] of pairs.entries()) {
        expected[index]?.push(round % 5 === 4 ? size : text)
        if (round % (index + 2) !== 0) continue
        const own = `own ${index} ${round}`
        void server.send(own)
        expected[index]?.push(own)
      }
      if (round % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 0))
    }
    const all = await Promise.all(pairs.map(({ client }, index) => receive(client, expected[index]?.length ?? 0)))
    expect(all).toEqual(expected)
    for (const { client } of pairs) client.terminate()
  })

  test('S21 a publisher may fill its buffer anew, also where a member encodes for itself', async () => {
    const app = new Hono()
    const sock = new Sock(app)
    const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false }
    sock.route('/a', { permessageDeflate: takeover, maxMessageSize: 1 << 20 }, async (ws) => {
      sock.topic('a').subscribe(ws)
      await ws.closed
    })
    const options = { permessageDeflate: takeover, clientTransport: { capacity: 1000, highWaterMark: 1000 } }
    const { ws } = await connectInMemory(app, '/a', { ...options, maxMessageSize: 1 << 20 })
    expect(ws.extensions).toStartWith('permessage-deflate')
    const bytes = new Uint8Array(100_000)
    for (let round = 1; round <= 5; round++) sock.topic('a').publish(bytes.fill(round), { compress: false })
    for (let round = 1; round <= 5; round++) {
      const message = (await ws.receive()) as Uint8Array
      expect(message.every((byte) => byte === round)).toBe(true)
    }
    ws.terminate()
  })

  test('S21 a published message waits behind a message in fragments', async () => {
    const topics = new Topics()
    const { server, client } = join(topics)
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    async function* parts(): AsyncGenerator<string> {
      yield 'frag'
      await finished
      yield 'ments'
    }
    const streamed = server.sendStream(parts())
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(topics.topic('a').publish('published').sent).toBe(1)
    finish()
    await streamed
    expect(await receive(client, 2)).toEqual(['fragments', 'published'])
    client.terminate()
  })

  test('R11 a framed connection that ends leaves its topics', async () => {
    const topics = new Topics()
    const { server, client } = join(topics)
    const other = join(topics)
    await client.close()
    await server.closed
    await Promise.resolve()
    expect(topics.topic('a').size).toBe(1)
    expect(topics.topic('a').publish('x')).toEqual({ sent: 1, dropped: 0, closed: 0 })
    other.client.terminate()
  })

  test('S21 a client may be a member: it masks what it sends', async () => {
    const topics = new Topics()
    const { server, client } = memoryPair()
    topics.topic('a').subscribe(client)
    const member = join(topics)
    expect(topics.topic('a').publish('x').sent).toBe(2)
    topics.topic('a').publish(new Uint8Array(3))
    expect(await receive(server, 2)).toEqual(['x', 3])
    expect(await receive(member.client, 2)).toEqual(['x', 3])
    client.terminate()
    member.client.terminate()
  })
})
