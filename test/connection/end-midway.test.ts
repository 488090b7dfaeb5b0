/** A connection that ends in the middle of something: a message in parts, a hook, the closing handshake, a poll. */
import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { Protocol } from '../../src/codec/protocol.ts'
import { agreedDeflate, bench, watch } from './pair.ts'

const NEVER = { pingInterval: Number.POSITIVE_INFINITY }
const MIB = 1 << 20

/** A source that gives `parts` and then waits for ever. */
async function* stuck(...parts: string[]): AsyncGenerator<string> {
  yield* parts
  await new Promise(() => {})
}

/** Messages of 1 MiB each, which deflate makes small. */
function bombs(count: number): Uint8Array {
  const client = new Protocol({ role: 'client', extensions: [agreedDeflate()] })
  const data = 'a'.repeat(MIB)
  return Buffer.concat(Array.from({ length: count }, () => client.send({ type: 'TextMessage', data })))
}

describe('a message in parts', () => {
  test('C1 S7 close() while one is sent ends with our code, and cleanly', async () => {
    const { clock, ws, peer } = bench(NEVER)
    peer.answering = false
    let go = (): void => {}
    async function* parts(): AsyncGenerator<string> {
      yield 'one'
      await new Promise<void>((resolve) => {
        go = resolve
      })
      yield 'two'
    }
    const sending = watch(ws.sendStream(parts()))
    await clock.settle()
    const closed = ws.close(4000, 'bye')
    go()
    await clock.settle()
    peer.close(4000)
    await clock.settle()
    expect(await closed).toEqual({ code: 4000, reason: 'bye', wasClean: true, initiator: 'local' })
    expect(peer.of('CloseConnection')).toEqual([{ type: 'CloseConnection', code: 4000, reason: 'bye' }])
    expect(sending.state).toBe('rejected')
  })

  test('C1 S23 one that the end cuts off leaves no timer behind', async () => {
    const { clock, ws, peer } = bench({ ...NEVER, closeTimeout: 300 })
    const sending = watch(ws.sendStream(stuck('one')))
    await clock.settle()
    peer.transport.destroy()
    await clock.settle()
    expect(ws.code).toBe(1006)
    expect(sending.state).toBe('rejected')
    expect(clock.pending).toEqual([])
  })

  test.each(['TextMessage', 'BytesMessage'] as const)(
    'S2 receiveStream after a connection that was lost in the middle of a %s rejects',
    async (type) => {
      const { clock, ws, peer } = bench(NEVER)
      const data = type === 'TextMessage' ? 'ab€' : Uint8Array.of(1, 2, 3)
      peer.send({ type, data, messageFinished: false } as Parameters<typeof peer.send>[0])
      await clock.settle()
      peer.transport.destroy()
      await clock.settle()
      await expect(ws.receive()).rejects.toMatchObject({ code: 1006 })
      await expect(ws.receiveStream()).rejects.toMatchObject({ code: 1006 })
    },
  )
})

describe('a hook', () => {
  test('C5 one that throws after our Close went out does not change what was said', async () => {
    const { clock, ws, peer } = bench({
      ...NEVER,
      onPong() {
        throw new Error('hook')
      },
    })
    peer.answering = false
    void ws.close(4000, 'mine')
    peer.send({ type: 'Pong' })
    await clock.settle()
    expect(await ws.closed).toEqual({ code: 4000, reason: 'mine', wasClean: false, initiator: 'local' })
    expect(peer.of('CloseConnection').map(({ code }) => code)).toEqual([4000])
  })

  test('C5 a violation after our Close does not either', async () => {
    const { clock, ws, peer } = bench(NEVER)
    peer.answering = false
    void ws.close(4000, 'mine')
    peer.raw(0x83, 0x80, 0, 0, 0, 0)
    await clock.settle()
    expect(await ws.closed).toEqual({ code: 4000, reason: 'mine', wasClean: false, initiator: 'local' })
  })

  test('S18 one that rejects ends the connection with 1011, and no rejection is left', async () => {
    const { clock, ws, peer } = bench({ ...NEVER, onPing: () => Promise.reject(new Error('later')) as never })
    peer.send({ type: 'Ping' })
    await clock.settle()
    expect(ws.code).toBe(1011)
    expect(ws.reason).toBe('A ping hook threw: Error: later')
  })

  test('S10 none is called once the connection has ended', async () => {
    let calls = 0
    const { clock, ws, peer } = bench({
      ...NEVER,
      onPing() {
        calls++
        ws.terminate()
      },
    })
    peer.transport.write(Buffer.from('898000000000898000000000898000000000', 'hex'))
    await clock.settle()
    peer.send({ type: 'Ping' })
    await clock.settle()
    expect(calls).toBe(1)
  })

  test.each(['close', 'terminate'] as const)(
    'S9 %s in one that reading ahead has called ends keepalive',
    async (how) => {
      const options = { inboxBytes: 1000, pingInterval: 1000, pongTimeout: 1000, closeTimeout: 50_000 }
      const { clock, ws, peer } = bench({
        ...options,
        onPing: () => void (how === 'close' ? ws.close(4000, 'bye') : ws.terminate()),
      })
      peer.answering = false
      // In one chunk, of which 16 × inboxBytes are taken in at first; then one for which reading pauses.
      const message = peer.protocol.send({ type: 'TextMessage', data: 'x'.repeat(900) })
      const ping = peer.protocol.send({ type: 'Ping' })
      peer.transport.write(Buffer.concat([...Array.from({ length: 17 }, () => message), ping]))
      await clock.settle()
      peer.text('x'.repeat(1000))
      await clock.run(1500)
      if (how === 'terminate') {
        expect(ws.code).toBe(1006)
        expect(clock.pending).toEqual([])
        return
      }
      await clock.run(5000)
      expect(ws.code).toBeUndefined()
      peer.close(4000)
      await clock.settle()
      expect(await ws.closed).toEqual({ code: 4000, reason: 'bye', wasClean: true, initiator: 'local' })
    },
  )
})

describe('what a few compressed bytes stand for', () => {
  test('R15 a poll takes in one message, not all that was read', async () => {
    const { clock, ws, peer } = bench({ ...NEVER, permessageDeflate: true })
    peer.transport.write(bombs(50))
    await clock.settle()
    const took: number[] = []
    for (let count = 0; count < 50; count++) {
      const begun = performance.now()
      expect(await ws.receive({ timeout: 0 })).toHaveLength(MIB)
      took.push(performance.now() - begun)
    }
    expect(await ws.receive({ timeout: 0 })).toBeNull()
    expect(Math.max(...took)).toBeLessThan(took.reduce((sum, time) => sum + time) / 2)
  })

  test('R15 terminate lets what was read go, and does not inflate it', async () => {
    const { clock, ws, peer } = bench({ ...NEVER, permessageDeflate: true })
    let pings = 0
    const other = bench({ ...NEVER, onPing: () => void pings++ })
    other.peer.transport.write(Buffer.from('898000000000', 'hex'))
    other.ws.terminate()
    await other.clock.settle()
    expect(pings).toBe(0)
    peer.transport.write(bombs(400))
    await clock.settle()
    ws.terminate()
    const begun = process.cpuUsage()
    await clock.settle()
    expect(ws.code).toBe(1006)
    // To inflate them all takes several times as long.
    expect(process.cpuUsage(begun).user).toBeLessThan(25_000)
  })

  test('R15 others have their turn while we close as well', async () => {
    const { clock, ws, peer } = bench({ ...NEVER, permessageDeflate: true })
    peer.answering = false
    void ws.close(1000)
    peer.transport.write(bombs(8))
    peer.close(1000)
    await clock.settle()
    expect(ws.code).toBeUndefined()
    await clock.run(100)
    expect(await ws.closed).toEqual({ code: 1000, reason: '', wasClean: true, initiator: 'local' })
  })
})

describe('the end of the transport', () => {
  test('R3 a message, a Close and the end in one packet: the message is answered before our Close', async () => {
    const { clock, ws, peer } = bench(NEVER)
    peer.answering = false
    const chunk = Buffer.concat([
      peer.protocol.send({ type: 'TextMessage', data: 'hi' }),
      peer.protocol.send({ type: 'CloseConnection', code: 1000, reason: '' }),
    ])
    const handler = (async (): Promise<void> => {
      for await (const message of ws) await ws.send(message)
    })()
    peer.transport.write(chunk)
    peer.transport.end()
    await clock.settle()
    await handler
    expect(peer.messages).toEqual(['hi'])
    expect(peer.events.at(-1)).toMatchObject({ type: 'CloseConnection', code: 1000 })
  })
})
