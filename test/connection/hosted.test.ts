/** A connection over a socket that a host frames, with the socket in the hands of the test. */
import { expect, test } from 'bun:test'
import { ConnectionClosed, WebSocketError } from '../../src/codec/errors.ts'
import type { Capabilities } from '../../src/connection/connection.ts'
import { applicationCode, HostedConnection } from '../../src/connection/hosted.ts'
import type { HostedSocket, HostedSocketEvents } from '../../src/connection/hosted-socket.ts'
import { type ConnectionOptions, resolveConnectionOptions } from '../../src/connection/options.ts'
import { SharedMessage } from '../../src/connection/shared-message.ts'
import { FakeClock } from './fake-clock.ts'

const LEAST: Capabilities = {
  receiveBackpressure: false,
  sendBackpressure: true,
  ping: false,
  closeCodes: false,
  deflateOptions: false,
  fragments: false,
  messageSizeLimit: false,
  responseHeaders: true,
}

class FakeSocket implements HostedSocket {
  readyState = 1
  bufferedAmount = 0
  readonly remoteAddress = '192.0.2.1'
  readonly sent: (string | Uint8Array)[] = []
  readonly closes: string[] = []
  terminated = 0
  refuses = false
  /** Whether the peer does not read. */
  stalled = false
  events!: HostedSocketEvents
  #drained: (() => void) | undefined

  attach(events: HostedSocketEvents): void {
    this.events = events
  }
  send(data: string | Uint8Array): void {
    if (this.refuses) throw new WebSocketError('The host did not send the message: no')
    this.sent.push(data)
    if (this.stalled) this.bufferedAmount += data.length
  }
  ping(payload: Uint8Array): void {
    this.sent.push(`ping ${payload.length}`)
  }
  close(code: number, reason: string): void {
    this.closes.push(`${code} ${reason}`.trimEnd())
  }
  terminate(): void {
    this.terminated++
  }
  onceDrained(callback: () => void): void {
    this.#drained = callback
  }
  drain(left: number): void {
    this.bufferedAmount = left
    const callback = this.#drained
    this.#drained = undefined
    callback?.()
  }
}

function hosted(
  options: ConnectionOptions = {},
  capabilities: Partial<Capabilities> = {},
): { ws: HostedConnection; socket: FakeSocket; clock: FakeClock } {
  const socket = new FakeSocket()
  const clock = new FakeClock()
  const ws = new HostedConnection({
    socket,
    clock,
    options: resolveConnectionOptions(options),
    subprotocol: 'v1',
    extensions: '',
    url: 'http://host/',
    request: undefined,
    mode: 'fake',
    capabilities: { ...LEAST, ...capabilities },
  })
  return { ws, socket, clock }
}

test('C12 R17 a peer that breaks a limit after our own Close is dropped after closeTimeout all the same', () => {
  const { ws, socket, clock } = hosted({ maxMessageSize: 10, closeTimeout: 50 })
  void ws.close(1000)
  socket.events.onMessage('longer than ten')
  expect(socket.closes).toEqual(['1000'])
  clock.advance(49)
  expect(socket.terminated).toBe(0)
  clock.advance(1)
  expect(socket.terminated).toBe(1)
})

test('S23 a connection that has failed leaves no timer once the host has told the end', () => {
  const { socket, clock } = hosted({ maxMessageSize: 10, pingInterval: Number.POSITIVE_INFINITY })
  socket.events.onMessage('longer than ten')
  expect(clock.pending).toHaveLength(1)
  socket.events.onClose(1009, '', true)
  expect(clock.pending).toEqual([])
})

test('C11 a code that a host cannot send goes out, and is reported, 3000 higher', async () => {
  expect([1000, 1001, 1009, 1011, 3000, 4999].map(applicationCode)).toEqual([1000, 4001, 4009, 4011, 3000, 4999])
  const { ws, socket } = hosted()
  const closed = ws.close(1001, 'going')
  expect(socket.closes).toEqual(['4001 going'])
  socket.events.onClose(4001, 'going', true)
  expect(await closed).toEqual({ code: 4001, reason: 'going', wasClean: true, initiator: 'local' })
  const able = hosted({}, { closeCodes: true })
  void able.ws.close(1001)
  expect(able.socket.closes).toEqual(['1001'])
})

test('C11 wrong codes and reasons are refused at the call', () => {
  const { ws, socket } = hosted()
  for (const code of [999, 1004, 1005, 1006, 1015, 2999, 5000, 1.5]) expect(() => ws.close(code)).toThrow(RangeError)
  expect(() => ws.close(1000, 'é'.repeat(62))).toThrow(RangeError)
  expect(socket.closes).toEqual([])
})

test('C9 a message over maxMessageSize: 1009, or 4009 where the host cannot, and nothing of it is received', async () => {
  for (const closeCodes of [true, false]) {
    const { ws, socket } = hosted({ maxMessageSize: 4 }, { closeCodes })
    socket.events.onMessage('éé')
    socket.events.onMessage('ééx')
    socket.events.onMessage('late')
    const code = closeCodes ? 1009 : 4009
    expect(socket.closes).toEqual([`${code} Peer sent a message over maxMessageSize`])
    expect(await ws.receive()).toBe('éé')
    await expect(ws.receive()).rejects.toMatchObject({ name: 'ConnectionClosed', code, wasClean: false })
  }
})

test('R17 an inbox of more than 16 × inboxBytes closes with 1013 when another message comes', async () => {
  const { ws, socket } = hosted({ inboxBytes: 1000 }, { closeCodes: true })
  const message = new Uint8Array(936)
  for (let i = 0; i < 17; i++) socket.events.onMessage(message)
  expect(socket.closes).toEqual([])
  socket.events.onMessage(message)
  expect(socket.closes).toEqual(['1013 Messages come faster than they are read'])
  for (let i = 0; i < 17; i++) expect(await ws.receive()).toBe(message)
  await expect(ws.receive()).rejects.toBeInstanceOf(ConnectionClosed)
})

test('C12 closeTimeout ends the wait for the host, and drops the socket', async () => {
  const { ws, socket, clock } = hosted({ closeTimeout: 100 })
  const closed = ws.close()
  clock.advance(99)
  expect(socket.terminated).toBe(0)
  clock.advance(1)
  expect(socket.terminated).toBe(1)
  expect(await closed).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'local' })
})

test('C14 idleTimeout and maxLifetime pass on the given clock, and no Ping is sent by a host that cannot', () => {
  const { socket, clock } = hosted({ maxLifetime: 90_000 }, { closeCodes: true })
  clock.advance(89_000)
  expect([socket.sent, socket.closes]).toEqual([[], []])
  clock.advance(1000)
  expect(socket.closes).toEqual(['1001 Maximum lifetime reached'])
})

test('C13 on a host with Pings, a peer that is silent after one is dropped', async () => {
  const { ws, socket, clock } = hosted({ pingInterval: 10, pongTimeout: 5 }, { ping: true })
  clock.advance(10)
  expect(socket.sent).toEqual(['ping 4'])
  socket.events.onMessage('alive')
  clock.advance(10)
  expect(ws.connected).toBe(true)
  clock.advance(20)
  expect(socket.terminated).toBe(1)
  expect(ws.code).toBe(1006)
})

test('C13 ping where a host has none rejects and names it', async () => {
  const { ws } = hosted()
  await expect(ws.ping()).rejects.toThrow('the host (fake) sends no Ping')
  const able = hosted({}, { ping: true })
  expect(() => able.ws.ping(new Uint8Array(126))).toThrow(RangeError)
  expect(() => able.ws.ping(5 as unknown as string)).toThrow(TypeError)
})

test('S6 close validates at the call on a host as well', () => {
  const { ws } = hosted()
  expect(() => ws.close(1005)).toThrow(RangeError)
  expect(() => ws.close('1000' as unknown as number)).toThrow(new TypeError('Close code must be a number, not string'))
  expect(() => ws.close(1000, 'é'.repeat(62))).toThrow(/124 bytes/)
  expect(() => ws.close(1000, 5 as unknown as string)).toThrow(TypeError)
  expect(ws.connected).toBe(true)
})

test('C3 sendStream joins what has parts, within maxBufferedAmount, and others wait behind it', async () => {
  async function* parts(...all: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
    yield* all
  }
  const { ws, socket } = hosted()
  const first = ws.sendStream(parts('a', 'b'))
  const second = ws.send('c')
  expect(await Promise.all([first, second])).toEqual([true, true])
  await ws.sendStream(parts(new Uint8Array([1]), new Uint8Array([2, 3])))
  await ws.sendStream(parts())
  expect(socket.sent).toEqual(['ab', 'c', new Uint8Array([1, 2, 3]), ''])
  const small = hosted({ maxBufferedAmount: 10, highWaterMark: 10 })
  await expect(small.ws.sendStream(parts('123456', '78901'))).rejects.toThrow('maxBufferedAmount (10 bytes)')
  expect(small.socket.sent).toEqual([])
  const wide = hosted({ maxBufferedAmount: 10, highWaterMark: 10 })
  await wide.ws.sendStream(parts('€€', 'é', '', 'é'))
  await expect(wide.ws.sendStream(parts('€€', 'é', 'éé'))).rejects.toThrow('maxBufferedAmount (10 bytes)')
  expect(wide.socket.sent).toEqual(['€€éé'])
})

test('S22 parts of text that wait for the last one count in bytes, wherever they are cut, and what waits behind them', async () => {
  const pieces: [part: string, counted: number][] = [
    ['plain', 5],
    ['aé€', 5 + 6],
    // The first half of a character waits for the second.
    ['😀\ud83d', 5 + 6 + 4],
    ['\ude00', 5 + 6 + 4 + 4],
    ['\ude00\ud83d', 5 + 6 + 4 + 4 + 3],
    ['!', 5 + 6 + 4 + 4 + 3 + 4],
  ]
  const { ws, socket } = hosted()
  const seen: number[] = []
  const sent = ws.sendStream(
    (async function* () {
      for (const [part] of pieces) {
        yield part
        seen.push(ws.bufferedAmount)
      }
      void ws.send('€€')
      seen.push(ws.bufferedAmount)
      yield '\ud83d'
    })(),
  )
  expect(await sent).toBe(true)
  expect(seen).toEqual([...pieces.map(([, counted]) => counted), 26 + 6])
  await Bun.sleep(0)
  expect(socket.sent).toEqual(['plainaé€😀😀\ufffd\ufffd!\ufffd', '€€'])
  expect(ws.bufferedAmount).toBe(0)
})

test('S22 bufferedAmount is what the host has not taken, and what waits here for its turn', async () => {
  const { ws, socket } = hosted()
  socket.stalled = true
  void ws.send('12345')
  void ws.send(new Uint8Array(7))
  expect(ws.bufferedAmount).toBe(12)
  const rest = Promise.withResolvers<string>()
  const inParts = ws.sendStream(
    (async function* () {
      yield 'abc'
      yield await rest.promise
    })(),
  )
  const behind = ws.send(new Uint8Array(100))
  await Bun.sleep(0)
  expect([socket.bufferedAmount, ws.bufferedAmount]).toEqual([12, 12 + 3 + 100])
  rest.resolve('de')
  await Promise.all([inParts, behind])
  expect([socket.bufferedAmount, ws.bufferedAmount]).toEqual([12 + 5 + 100, 12 + 5 + 100])
  socket.drain(20)
  expect(ws.bufferedAmount).toBe(20)
  socket.drain(0)
  expect(ws.bufferedAmount).toBe(0)
})

test('C4 send waits above highWaterMark until the host has sent enough', async () => {
  const { ws, socket } = hosted({ highWaterMark: 10 })
  expect(await ws.send('x')).toBe(true)
  socket.bufferedAmount = 11
  let done = false
  const waits = ws.send('y').then((sent) => {
    done = sent
  })
  expect(ws.trySend('z')).toBe(false)
  socket.drain(11)
  await Promise.resolve()
  expect(done).toBe(false)
  socket.drain(10)
  await waits
  expect(done).toBe(true)
})

test('C5 sendPolicy: drop leaves a message out, close and too much unsent end with 1013', async () => {
  const drop = hosted({ highWaterMark: 10, sendPolicy: 'drop' }, { closeCodes: true })
  drop.socket.bufferedAmount = 11
  expect(await drop.ws.send('x')).toBe(false)
  for (const options of [{ sendPolicy: 'close' }, { maxBufferedAmount: 10 }] as const) {
    const { ws, socket } = hosted({ highWaterMark: 10, ...options }, { closeCodes: true })
    socket.bufferedAmount = 11
    await expect(ws.send('x')).rejects.toBeInstanceOf(ConnectionClosed)
    expect(socket.closes).toEqual(['1013 Peer reads too slowly'])
  }
})

test('S14 a message that the host refuses is an error of send, and no silent loss of a publish', async () => {
  const { ws, socket } = hosted()
  expect(ws.sendShared(new SharedMessage('all'))).toBe(true)
  socket.refuses = true
  await expect(ws.send('x')).rejects.toThrow('The host did not send the message')
  expect(ws.trySend('x')).toBe(false)
  expect(ws.sendShared(new SharedMessage('all'))).toBe(false)
  expect(ws.connected).toBe(true)
  socket.refuses = false
  expect(await ws.send('y')).toBe(true)
  expect(socket.sent).toEqual(['all', 'y'])
})

test('C10 how the host tells the end becomes code, reason, wasClean and initiator', async () => {
  const cases: [tell: [number, string, boolean], info: unknown[]][] = [
    [
      [1000, 'bye', true],
      [1000, 'bye', true, 'remote'],
    ],
    [
      [1005, '', true],
      [1005, '', true, 'remote'],
    ],
    [
      [0, '', false],
      [1006, '', false, 'transport'],
    ],
    [
      [1001, 'host gave up', false],
      [1006, '', false, 'transport'],
    ],
    [
      [1006, 'gone', true],
      [1006, '', false, 'transport'],
    ],
  ]
  for (const [tell, info] of cases) {
    const { ws, socket } = hosted()
    socket.events.onClose(...tell)
    socket.events.onClose(4999, 'again', true)
    const { code, reason, wasClean, initiator } = await ws.closed
    expect([code, reason, wasClean, initiator]).toEqual(info as never)
    expect([ws.readyState, ws.signal.aborted]).toEqual([3, true])
  }
})

test('C10 a host that tells the end while close runs', async () => {
  const { ws, socket } = hosted()
  socket.close = (code, reason) => socket.events.onClose(code, reason, true)
  expect(await ws.close(4000, 'x')).toEqual({ code: 4000, reason: 'x', wasClean: true, initiator: 'local' })
  await expect(ws.send('late')).rejects.toMatchObject({ code: 4000 })
})

test('S5 a send after the host has begun to close, and before it says why, tells that the peer did', async () => {
  const { ws, socket } = hosted()
  socket.readyState = 2
  await expect(ws.send('late')).rejects.toMatchObject({ code: 1005, initiator: 'remote', wasClean: false })
})

test('S4 a refused message is no fault of the ones behind it', async () => {
  const { ws, socket } = hosted()
  socket.refuses = true
  await expect(ws.send('refused')).rejects.toThrow(WebSocketError)
  socket.refuses = false
  async function* parts(): AsyncGenerator<string> {
    yield 'a'
    // While a message is sent in parts, a published one waits behind it.
    expect(ws.sendShared(new SharedMessage('shared'))).toBe(true)
    yield 'b'
  }
  expect(await ws.sendStream(parts())).toBe(true)
  await Bun.sleep(0)
  expect(socket.sent).toEqual(['ab', 'shared'])
  expect(ws.connected).toBe(true)
})

test('C5 what breaks after our own Close does not change what was said', async () => {
  const { ws, socket } = hosted({ maxMessageSize: 10 }, { closeCodes: true })
  void ws.close(4000, 'mine')
  socket.events.onMessage('longer than ten')
  expect(await ws.closed).toEqual({ code: 4000, reason: 'mine', wasClean: false, initiator: 'local' })
})

test('S10 no hook is called once the connection has ended, and one that rejects ends it with 1011', async () => {
  let calls = 0
  const onPing = (): Promise<void> => {
    calls++
    return Promise.reject(new Error('later'))
  }
  const { ws, socket } = hosted({ onPing: onPing as never }, { ping: true, closeCodes: true })
  socket.events.onPing(new Uint8Array(0))
  expect(await ws.closed).toMatchObject({ code: 1011, reason: 'A ping hook threw: Error: later' })
  socket.events.onPing(new Uint8Array(0))
  expect(calls).toBe(1)
})
