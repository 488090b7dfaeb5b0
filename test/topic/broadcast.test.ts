/** Topics over real sockets: our server, clients of `ws`. */
import { describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { Hono } from 'hono'
import { type ClientOptions, WebSocket } from '../../node_modules/ws/wrapper.mjs'
import { Protocol } from '../../src/codec/protocol.ts'
import type { Connection } from '../../src/connection/connection.ts'
import { type Server, serve } from '../../src/runtime/server.ts'
import type { SockOptions } from '../../src/sock/route-options.ts'
import { Sock } from '../../src/sock/sock.ts'
import type { PublishReport } from '../../src/topic/members.ts'
import { Topics } from '../../src/topic/topics.ts'

const KIB = 1024

interface Hall {
  readonly server: Server
  readonly topics: Topics
  readonly inside: Set<Connection>
  /** Resolves when `condition` holds; looked at after everybody who comes, goes or speaks. */
  until(condition: () => boolean): Promise<void>
}

/** A server where every connection joins the topic of its path, and what it says is published to the others. */
async function openHall(options: SockOptions = {}): Promise<Hall> {
  const topics = new Topics()
  const inside = new Set<Connection>()
  let look = (): void => {}
  const app = new Hono()
  new Sock(app, options).route('/:topic', async (ws, c) => {
    const topic = topics.topic(c.req.param('topic'))
    topic.subscribe(ws)
    inside.add(ws)
    look()
    void ws.closed.then(() => {
      inside.delete(ws)
      queueMicrotask(() => look())
    })
    for await (const message of ws) {
      topic.publish(message, { except: ws })
      look()
    }
  })
  const server = await serve(app, { port: 0, hostname: '127.0.0.1' })
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        look = resolve
      })
    }
  }
  return { server, topics, inside, until }
}

async function enter(hall: Hall, topic: string, options: ClientOptions = {}): Promise<WebSocket> {
  const { port } = hall.server.address as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}/${topic}`, options)
  await once(client, 'open')
  return client
}

/** Enters `count` clients and waits until the server has them in its topic. */
async function enterAll(hall: Hall, topic: string, count: number, options?: ClientOptions): Promise<WebSocket[]> {
  const size = hall.topics.topic(topic).size + count
  const clients = await Promise.all(Array.from({ length: count }, () => enter(hall, topic, options)))
  await hall.until(() => hall.topics.topic(topic).size === size)
  return clients
}

/** Bytes that the client's socket has read. */
function bytesRead(client: WebSocket): number {
  return (client as unknown as { _socket: Socket })._socket.bytesRead
}

/** The next `count` messages of a client, as text. */
function messages(client: WebSocket, count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const got: string[] = []
    client.on('message', function listen(data, isBinary) {
      got.push(isBinary ? `binary ${data}` : String(data))
      if (got.length < count) return
      client.off('message', listen)
      resolve(got)
    })
  })
}

/** Runs `work` and counts how often a published message was encoded for several members meanwhile. */
async function countEncodings(work: () => Promise<void>): Promise<number> {
  const original = Protocol.prototype.encodeMessage
  let encodings = 0
  Protocol.prototype.encodeMessage = function (data, compress) {
    encodings++
    return original.call(this, data, compress)
  }
  try {
    await work()
  } finally {
    Protocol.prototype.encodeMessage = original
  }
  return encodings
}

describe('broadcast over sockets', () => {
  test('H20 reaches all members in order, leaves out the sender and other topics, and is encoded once', async () => {
    const hall = await openHall()
    await using _server = hall.server
    const members = await enterAll(hall, 'a', 50)
    const [stranger] = (await enterAll(hall, 'b', 2)) as [WebSocket, WebSocket]
    const [speaker, ...others] = members as [WebSocket, ...WebSocket[]]
    const heard = others.map((client) => messages(client, 3))
    const strangerHeard = messages(stranger, 1)
    const encodings = await countEncodings(async () => {
      speaker.send('one')
      speaker.send(Buffer.from('two'))
      speaker.send('drei €')
      for (const got of await Promise.all(heard)) expect(got).toEqual(['one', 'binary two', 'drei €'])
    })
    expect(encodings).toBe(3)
    const speakerHeard = messages(speaker, 1)
    expect(hall.topics.topic('a').publish('to all')).toEqual({ sent: 50, dropped: 0, closed: 0 })
    expect(await speakerHeard).toEqual(['to all'])
    expect(hall.topics.topic('b').publish('to b').sent).toBe(2)
    expect(await strangerHeard).toEqual(['to b'])
    for (const client of [...members, stranger]) client.terminate()
  })

  test('S13 a published message is compressed once for all members with the same parameters, and by each that takes over', async () => {
    const hall = await openHall({ permessageDeflate: { serverNoContextTakeover: false } })
    await using _server = hall.server
    const plain = await enterAll(hall, 'a', 3, { perMessageDeflate: false })
    const alike = await enterAll(hall, 'a', 4, { perMessageDeflate: { serverNoContextTakeover: true } })
    const narrow = await enterAll(hall, 'a', 2, {
      perMessageDeflate: { serverNoContextTakeover: true, serverMaxWindowBits: 10 },
    })
    const takeover = await enterAll(hall, 'a', 2, { perMessageDeflate: true })
    const members = [plain, alike, narrow, takeover]
    const compressible = JSON.stringify(Array.from({ length: 400 }, (_, i) => ({ row: i % 7, text: 'on and on' })))
    const sent = [compressible, 'short', compressible, `not this one: ${compressible}`]
    const heard = members.map((group) => group.map((client) => messages(client, sent.length)))
    const before = members.map((group) => group.map(bytesRead))
    const topic = hall.topics.topic('a')
    const encodings = await countEncodings(async () => {
      for (const [i, text] of sent.entries()) {
        expect(topic.publish(text, i === 3 ? { compress: false } : {})).toEqual({ sent: 11, dropped: 0, closed: 0 })
      }
      for (const got of await Promise.all(heard.flat())) expect(got).toEqual(sent)
    })
    // Plain, 15 bits and 10 bits; those that take their context over encode for themselves.
    expect(encodings).toBe(3 * sent.length)
    const read = members.map((group, g) => group.map((client, i) => bytesRead(client) - (before[g]?.[i] ?? 0)))
    for (const bytes of read[0] ?? []) expect(bytes).toBeGreaterThan(3 * compressible.length)
    for (const bytes of read.slice(1).flat()) {
      expect(bytes).toBeGreaterThan(compressible.length)
      expect(bytes).toBeLessThan(1.2 * compressible.length)
    }
    for (const client of members.flat()) client.terminate()
  })

  test('R11 1,000 connections that join and leave, in every way, leave nothing behind', async () => {
    const hall = await openHall()
    await using server = hall.server
    const [stays] = (await enterAll(hall, 'a', 1)) as [WebSocket]
    for (let round = 0; round < 20; round++) {
      const clients = await enterAll(hall, 'a', 50)
      expect(hall.topics.topic('a').publish(`round ${round}`).sent).toBe(51)
      for (const [index, client] of clients.entries()) {
        if (index % 3 === 0) client.terminate()
        else if (index % 3 === 1) client.close()
        else client.send('bye', () => client.close(4000, 'enough'))
      }
      await hall.until(() => hall.inside.size === 1)
      expect(hall.topics.topic('a').size).toBe(1)
    }
    stays.close()
    await hall.until(() => hall.inside.size === 0)
    expect([hall.topics.size, server.connections]).toEqual([0, 0])
  }, 30_000)

  /** Publishes 64 KiB messages to one that reads and one that does not, until the report shows the slow one. */
  async function publishToSlow(
    hall: Hall,
  ): Promise<{ reports: PublishReport[]; fast: string[]; slow: WebSocket; most: number }> {
    const [fast, slow] = (await enterAll(hall, 'a', 2)) as [WebSocket, WebSocket]
    slow.pause()
    const fastHeard: string[] = []
    fast.on('message', (data) => fastHeard.push(String(data).slice(0, 8)))
    const topic = hall.topics.topic('a')
    const reports: PublishReport[] = []
    let most = 0
    for (let number = 0; number < 2000; number++) {
      const report = topic.publish(String(number).padEnd(64 * KIB, ' '))
      reports.push(report)
      for (const ws of hall.inside) most = Math.max(most, ws.bufferedAmount)
      await new Promise((resolve) => setImmediate(resolve))
      if (report.dropped + report.closed > 0) break
    }
    while (fastHeard.length < reports.length) await once(fast, 'message')
    return { reports, fast: fastHeard, slow, most }
  }

  test('R16 a member that does not read loses messages when its policy is drop; the others get all', async () => {
    const hall = await openHall({ sendPolicy: 'drop' })
    await using _server = hall.server
    const { reports, fast, slow, most } = await publishToSlow(hall)
    expect(reports.at(-1)).toEqual({ sent: 1, dropped: 1, closed: 0 })
    expect(fast.map(Number)).toEqual(reports.map((_, number) => number))
    expect(most).toBeLessThan(8 * 1024 * KIB)
    expect(hall.topics.topic('a').size).toBe(2)
    const heard: string[] = []
    slow.on('message', (data) => heard.push(String(data).slice(0, 8)))
    slow.resume()
    while (heard.length < reports.length - 1) await once(slow, 'message')
    expect(heard.map(Number)).toEqual(reports.slice(0, -1).map((_, number) => number))
  }, 30_000)

  test('R16 a member that does not read is closed with 1013 above maxBufferedAmount; the others get all', async () => {
    const maxBufferedAmount = 1024 * KIB
    const hall = await openHall({ maxBufferedAmount, closeTimeout: 500 })
    await using _server = hall.server
    const ended: number[] = []
    const published = publishToSlow(hall)
    await hall.until(() => hall.inside.size === 2)
    for (const ws of hall.inside) void ws.closed.then(({ code }) => ended.push(code))
    const { reports, fast, most } = await published
    expect(reports.at(-1)).toEqual({ sent: 1, dropped: 0, closed: 1 })
    expect(fast.map(Number)).toEqual(reports.map((_, number) => number))
    expect(most).toBeLessThan(maxBufferedAmount + 8 * 1024 * KIB)
    await hall.until(() => hall.topics.topic('a').size === 1)
    expect(ended).toEqual([1013])
  }, 30_000)
})
