import { describe, expect, spyOn, test } from 'bun:test'
import { ConnectionClosed } from '../../src/codec/errors.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import type { ReceiveOptions, Sendable, SendMessageOptions } from '../../src/connection/connection.ts'
import type { MemoryTransport } from '../../src/connection/memory-transport.ts'
import { SharedMessage } from '../../src/connection/shared-message.ts'
import { agreedDeflate, bench, joined, watch } from './pair.ts'

const NEVER = { pingInterval: Number.POSITIVE_INFINITY }

describe('receiving', () => {
  test('S1 text comes as a string, binary as bytes that own their buffer', async () => {
    const { clock, ws, peer } = bench()
    peer.text('héllo').send({ type: 'BytesMessage', data: Uint8Array.of(1, 2, 3) })
    await clock.settle()
    expect(await ws.receive()).toBe('héllo')
    const bytes = (await ws.receive()) as Uint8Array
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3))
    expect(bytes.buffer.byteLength).toBe(3)
  })

  test('S1 a timeout resolves to null and loses nothing', async () => {
    const { clock, ws, peer } = bench(NEVER)
    const waiting = watch(ws.receive({ timeout: 100 }))
    await clock.run(99)
    expect(waiting.state).toBe('pending')
    await clock.run(1)
    expect(waiting).toEqual({ state: 'resolved', value: null })
    peer.text('late')
    await clock.settle()
    expect(await ws.receive({ timeout: 100 })).toBe('late')
    expect(clock.pending).toEqual([])
  })

  test('S1 timeout 0 polls', async () => {
    const { clock, ws, peer } = bench()
    expect(await ws.receive({ timeout: 0 })).toBeNull()
    peer.text('here')
    await clock.settle()
    expect(await ws.receive({ timeout: 0 })).toBe('here')
    expect(await ws.receive({ timeout: 0 })).toBeNull()
  })

  test('S1 an aborted call rejects with the reason, and the next call gets the message', async () => {
    const { clock, ws, peer } = bench()
    const controller = new AbortController()
    const first = watch(ws.receive({ signal: controller.signal }))
    const second = watch(ws.receive())
    controller.abort(new Error('enough'))
    await clock.settle()
    expect(first.state).toBe('rejected')
    expect((first.value as Error).message).toBe('enough')
    peer.text('for the second')
    await clock.settle()
    expect(second.value).toBe('for the second')
    const late = watch(ws.receive({ signal: controller.signal }))
    peer.text('kept')
    await clock.settle()
    expect(late.state).toBe('rejected')
    expect(await ws.receive()).toBe('kept')
  })

  test('S1 an aborted signal and a message in the same turn: the message is not lost', async () => {
    const { clock, ws, peer } = bench()
    const controller = new AbortController()
    const first = watch(ws.receive({ signal: controller.signal }))
    peer.text('one')
    controller.abort()
    await clock.settle()
    expect(first.state).toBe('rejected')
    expect(await ws.receive()).toBe('one')
  })

  test('S1 listeners on a signal do not pile up', async () => {
    const { clock, ws, peer } = bench()
    const { signal } = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args: Parameters<typeof addEventListener>): void => {
      listeners++
      addEventListener.apply(signal, args)
    }
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>): void => {
      listeners--
      removeEventListener.apply(signal, args)
    }
    for (let count = 0; count < 20; count++) {
      const waiting = ws.receive({ signal, timeout: 1000 })
      expect(listeners).toBe(1)
      peer.text('x')
      await clock.settle()
      expect(await waiting).toBe('x')
      expect(listeners).toBe(0)
    }
    const timed = watch(ws.receive({ signal, timeout: 1000 }))
    await clock.run(1000)
    expect([timed.value, listeners]).toEqual([null, 0])
  })

  test('S23 a call that was aborted leaves no timer', async () => {
    const { clock, ws } = bench(NEVER)
    const controller = new AbortController()
    const waiting = watch(ws.receive({ signal: controller.signal, timeout: 1000 }))
    expect(clock.pending).toHaveLength(1)
    controller.abort()
    expect(clock.pending).toEqual([])
    await clock.settle()
    expect(waiting.state).toBe('rejected')
  })

  test('S1 wrong options are errors that name the option', async () => {
    const { ws } = bench()
    await expect(ws.receive({ timeout: -1 })).rejects.toThrow(RangeError)
    await expect(ws.receive({ timeout: Number.NaN })).rejects.toThrow(/timeout/)
    await expect(ws.receive({ timeout: '5' as unknown as number })).rejects.toThrow(TypeError)
    // A timer would take it for one millisecond.
    await expect(ws.receive({ timeout: 2 ** 31 })).rejects.toThrow(
      'timeout: expected milliseconds from 0 to 2147483647, or Infinity; got 2147483648',
    )
  })

  test('S1 options that would be overlooked are errors, and leave nobody waiting', async () => {
    const { ws, peer, clock } = bench(NEVER)
    const wrong: [unknown, string][] = [
      [5, 'Options of receive must be an object, not 5'],
      [null, 'Options of receive must be an object, not null'],
      [{ timeoutMs: 5 }, 'Unknown option timeoutMs; known are timeout, signal'],
      [{ signal: {} }, 'signal: expected an AbortSignal, got object'],
      [{ signal: null }, 'signal: expected an AbortSignal, got null'],
    ]
    for (const [options, message] of wrong) {
      await expect(ws.receive(options as ReceiveOptions)).rejects.toThrow(new TypeError(message))
    }
    peer.text('for the next')
    await clock.settle()
    expect(await ws.receive()).toBe('for the next')
    peer.transport.reset()
    await clock.settle()
    expect(ws.code).toBe(1006)
  })

  test('S3 options of a send that would be overlooked are errors, and nothing is sent', async () => {
    const { ws, peer, clock } = bench(NEVER)
    const wrong: [unknown, string][] = [
      [true, 'Options of send must be an object, not true'],
      [null, 'Options of send must be an object, not null'],
      [{ compres: true }, 'Unknown option compres; known are compress'],
      [{ compress: 1 }, 'compress: expected a boolean, got number'],
      [{ compress: null }, 'compress: expected a boolean, got null'],
    ]
    for (const [given, message] of wrong) {
      const options = given as SendMessageOptions
      const error = new TypeError(message)
      await expect(ws.send('x', options)).rejects.toThrow(error)
      await expect(ws.sendJson(1, options)).rejects.toThrow(error)
      await expect(ws.sendStream(new Blob(['x']).stream(), options)).rejects.toThrow(error)
      expect(() => ws.trySend('x', options)).toThrow(error)
    }
    await ws.send('y', { compress: undefined })
    await clock.settle()
    expect(peer.messages).toEqual(['y'])
    peer.transport.reset()
    await clock.settle()
  })

  test('S1 receiveText, receiveBytes and receiveJson give their type, and close on the other', async () => {
    const good = bench()
    good.peer
      .text('t')
      .text('{"a":1}')
      .send({ type: 'BytesMessage', data: Uint8Array.of(9) })
    await good.clock.settle()
    expect(await good.ws.receiveText()).toBe('t')
    expect(await good.ws.receiveJson()).toEqual({ a: 1 })
    expect(await good.ws.receiveBytes()).toEqual(Uint8Array.of(9))
    expect(await good.ws.receiveText({ timeout: 0 })).toBeNull()
    expect(await good.ws.receiveJson({ timeout: 0 })).toBeNull()

    const cases = [
      ['receiveText', { type: 'BytesMessage', data: Uint8Array.of(1) }, 1003],
      ['receiveBytes', { type: 'TextMessage', data: 'x' }, 1003],
      ['receiveJson', { type: 'TextMessage', data: '{' }, 1007],
    ] as const
    for (const [method, event, code] of cases) {
      const { clock, ws, peer } = bench()
      peer.send(event)
      await clock.settle()
      await expect(ws[method]()).rejects.toMatchObject({ name: 'ConnectionClosed', code })
      await clock.settle()
      expect(peer.of('CloseConnection')).toMatchObject([{ code }])
      expect(await ws.closed).toMatchObject({ code, initiator: 'local', wasClean: true })
    }
  })

  test('S2 what came before the close stays readable, then receive rejects', async () => {
    const { clock, ws, peer } = bench()
    peer.text('one').text('two').close(4000, 'done')
    await clock.settle()
    expect(ws.readyState).toBe(3)
    expect(await ws.receive()).toBe('one')
    expect(await ws.receive({ timeout: 0 })).toBe('two')
    await expect(ws.receive()).rejects.toMatchObject({
      code: 4000,
      reason: 'done',
      wasClean: true,
      initiator: 'remote',
    })
    await expect(ws.receive({ timeout: 0 })).rejects.toThrow(ConnectionClosed)
  })

  test.each([1000, 1001, 1005])('S2 iteration ends quietly on %d, after what was buffered', async (code) => {
    const { clock, ws, peer } = bench()
    peer.text('one').text('two').close(code)
    await clock.settle()
    const seen: unknown[] = []
    for await (const message of ws) seen.push(message)
    expect(seen).toEqual(['one', 'two'])
  })

  test.each([1000, 1001, 1005])('S2 iteration that waits ends quietly on %d', async (code) => {
    const { clock, ws, peer } = bench()
    const next = watch(ws[Symbol.asyncIterator]().next())
    peer.close(code)
    await clock.settle()
    expect(next).toEqual({ state: 'resolved', value: { value: undefined, done: true } })
  })

  test('S2 iteration throws on any other code', async () => {
    for (const code of [1002, 1011, 3000, 4999]) {
      const { clock, ws, peer } = bench()
      const next = watch(ws[Symbol.asyncIterator]().next())
      peer.close(code)
      await clock.settle()
      expect(next.state).toBe('rejected')
      expect(next.value).toMatchObject({ code })
    }
  })

  test('S2 break does not close, and loses nothing', async () => {
    const { clock, ws, peer } = bench()
    peer.text('one').text('two')
    await clock.settle()
    for await (const message of ws) {
      expect(message).toBe('one')
      break
    }
    expect(ws.connected).toBe(true)
    expect(await ws.receive()).toBe('two')
  })

  test('S3 callers are served first come, first served, whatever they call', async () => {
    const { clock, ws, peer } = bench(NEVER)
    const served: string[] = []
    const note =
      (name: string) =>
      (value: unknown): void => {
        served.push(`${name} ${JSON.stringify(value)}`)
      }
    void ws.receive().then(note('a'))
    void ws.receive({ timeout: 10 }).then(note('b'))
    void ws[Symbol.asyncIterator]().next().then(note('c'))
    void ws.receiveText().then(note('d'))
    await clock.run(10)
    peer.text('1').text('2').text('3')
    await clock.settle()
    expect(served).toEqual(['b null', 'a "1"', 'c {"value":"2","done":false}', 'd "3"'])
  })

  test('S14 a full inbox pauses the transport, and half of it taken resumes', async () => {
    const { clock, ws, transport, peer } = bench({ inboxMessages: 4, inboxBytes: 2000, ...NEVER })
    const calls: string[] = []
    const { pause, resume } = transport
    transport.pause = () => {
      calls.push('pause')
      pause.call(transport)
    }
    transport.resume = () => {
      calls.push('resume')
      resume.call(transport)
    }
    const sent = Array.from({ length: 100 }, (_, index) => `${index}`.padStart(94, '.'))
    for (const message of sent) peer.text(message)
    await clock.settle()
    expect(calls).toEqual(['pause'])
    const seen: unknown[] = []
    // 25 are here: four, the one that is too many, and as many as 2,000 bytes of grace hold, of 100 each.
    for (let count = 0; count < 23; count++) {
      expect(calls).toEqual(['pause'])
      seen.push(await ws.receive())
    }
    await clock.settle()
    expect(calls).toEqual(['pause', 'resume', 'pause'])
    for (let count = 23; count < 100; count++) {
      seen.push(await ws.receive())
      await clock.settle()
    }
    expect(seen).toEqual(sent)
    expect(calls.at(-1)).toBe('resume')
  })

  test('R17 a Ping and a Close in what was read are seen while nobody receives', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 1000, ...NEVER })
    peer.text('x'.repeat(2000)).send({ type: 'Ping', payload: Uint8Array.of(7) })
    await clock.settle()
    expect(peer.of('Pong').map(({ payload }) => [...payload])).toEqual([[7]])
    peer.close(4001)
    await clock.run(0)
    await ws.receive()
    await clock.settle()
    expect(ws.code).toBe(4001)
  })

  test('R17 behind a full inbox a Ping is answered within a ping interval, for a bounded number of bytes', async () => {
    const { clock, ws, transport, peer } = bench({ inboxBytes: 1000, pingInterval: 1000, pongTimeout: 1000 })
    let resumed = 0
    const { resume } = transport
    transport.resume = () => {
      resumed++
      resume.call(transport)
    }
    const message = 'x'.repeat(900)
    for (let count = 0; count < 60; count++) peer.text(message)
    peer.send({ type: 'Ping', payload: Uint8Array.of(1) })
    await clock.settle()
    expect(peer.of('Pong')).toEqual([])
    // Two fill the inbox, and each interval, up to sixteen, two more are read.
    await clock.run(40_000)
    expect(resumed).toBe(16)
    expect(peer.of('Pong')).toEqual([])
    expect(ws.connected).toBe(true)
    let received = 0
    while ((await ws.receive({ timeout: 0 })) !== null) {
      received++
      await clock.settle()
    }
    expect(received).toBe(60)
    expect(peer.of('Pong').map(({ payload }) => [...payload])).toEqual([[1]])
  })

  test('R17 a Ping and a Close behind small messages that nobody receives are answered at once', async () => {
    const { clock, ws, peer } = bench(NEVER)
    for (let count = 0; count < 200; count++) peer.text(`${count}`)
    peer.send({ type: 'Ping', payload: Uint8Array.of(1) })
    peer.close(1000)
    await clock.settle()
    expect(peer.of('Pong').map(({ payload }) => [...payload])).toEqual([[1]])
    expect(ws.code).toBe(1000)
    for (let count = 0; count < 200; count++) expect(await ws.receive()).toBe(`${count}`)
  })

  test('R17 a Close one chunk behind a full inbox is seen within a ping interval', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 1000, pingInterval: 1000, pongTimeout: 1000 })
    for (let count = 0; count < 4; count++) peer.text('x'.repeat(900))
    peer.close(1000)
    await clock.settle()
    expect(ws.connected).toBe(true)
    await clock.run(4000)
    expect(ws.code).toBe(1000)
    for (let count = 0; count < 4; count++) expect(await ws.receive()).toHaveLength(900)
    await expect(ws.receive()).rejects.toMatchObject({ code: 1000 })
  })

  test('S14 a caller that waits gets a message larger than the inbox', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 100 }, { transport: { split: 50 } })
    const waiting = watch(ws.receive())
    peer.text('y'.repeat(50_000))
    await clock.settle()
    expect(waiting.value).toBe('y'.repeat(50_000))
  })

  test('S14 a message larger than the inbox is not taken in without a caller', async () => {
    const { clock, ws, transport, peer } = bench({ inboxBytes: 100, ...NEVER }, { transport: { split: 100 } })
    peer.text('y'.repeat(60_000))
    await clock.settle()
    let chunks = 0
    const { resume } = transport
    transport.resume = () => {
      chunks++
      resume.call(transport)
    }
    expect(peer.transport.bufferedAmount).toBe(0)
    expect(chunks).toBe(0)
    expect(await ws.receive({ timeout: 0 })).toBeNull()
    const waiting = watch(ws.receive())
    await clock.settle()
    expect(waiting.value).toBe('y'.repeat(60_000))
    expect(chunks).toBe(1)
  })

  test('S1 a caller that only polls gets a message larger than the inbox as well', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 100 }, { transport: { split: 50 } })
    peer.text('y'.repeat(50_000)).text('next')
    let message: unknown = null
    for (let polls = 0; message === null && polls < 2000; polls++) {
      await clock.settle()
      message = await ws.receive({ timeout: 0 })
    }
    expect(message).toBe('y'.repeat(50_000))
    await clock.settle()
    expect(await ws.receive({ timeout: 0 })).toBe('next')
  })

  test('S14 a message under way behind a full inbox goes on when the inbox was emptied', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 100, inboxMessages: 1 })
    peer.text('a').text('b').text('c')
    // As much as is parsed ahead, to the byte, and the chunk of grace before it.
    peer.send({ type: 'TextMessage', data: 'd'.repeat(1600), messageFinished: false })
    peer.send({ type: 'TextMessage', data: 'e', messageFinished: true })
    await clock.settle()
    const seen: unknown[] = []
    for (let count = 0; count < 4; count++) {
      const waiting = watch(ws.receive())
      await clock.settle()
      seen.push(waiting.value)
    }
    expect(seen).toEqual(['a', 'b', 'c', `${'d'.repeat(1600)}e`])
  })

  test('S11 a larger message than allowed fails with 1009, and what came before stays readable', async () => {
    const { clock, ws, peer } = bench({ maxMessageSize: 10 })
    peer.text('fits').text('does not fit')
    await clock.settle()
    expect(peer.of('CloseConnection')).toMatchObject([{ code: 1009 }])
    expect(await ws.receive()).toBe('fits')
    await expect(ws.receive()).rejects.toMatchObject({ code: 1009, wasClean: false, initiator: 'local' })
  })
})

describe('receiving in parts', () => {
  test('S1 receiveStream gives a message larger than the inbox, with flow control', async () => {
    const size = 500_000
    const { clock, ws, peer } = bench(
      { inboxBytes: 1000, maxMessageSize: size },
      { transport: { split: 4096, capacity: 16_384 } },
    )
    const streaming = ws.receiveStream()
    const data = Uint8Array.from({ length: size }, (_, index) => index % 251)
    peer.send({ type: 'BytesMessage', data }).text('next')
    await clock.settle()
    const stream = (await streaming) as ReadableStream<Uint8Array>
    // Nobody reads: the writer keeps most of it.
    expect(peer.transport.bufferedAmount).toBeGreaterThan(size / 2)
    let received = 0
    const reader = stream.getReader()
    for (;;) {
      const part = reader.read()
      await clock.settle()
      const { value, done } = await part
      if (done) break
      expect(value.length).toBeLessThanOrEqual(4096)
      expect(value.every((byte, index) => byte === (received + index) % 251)).toBe(true)
      received += value.length
    }
    expect(received).toBe(size)
    expect(await ws.receive()).toBe('next')
  })

  test('S1 receiveStream gives text as strings, and what is here already as one part', async () => {
    const { clock, ws, peer } = bench()
    peer.text('whole')
    await clock.settle()
    const whole = (await ws.receiveStream()) as ReadableStream<string>
    expect(await Array.fromAsync(whole)).toEqual(['whole'])
    peer.send({ type: 'TextMessage', data: 'begun ', messageFinished: false })
    await clock.settle()
    const begun = (await ws.receiveStream()) as ReadableStream<string>
    peer.send({ type: 'TextMessage', data: 'ended', messageFinished: true })
    await clock.settle()
    expect((await Array.fromAsync(begun)).join('')).toBe('begun ended')
    expect(await ws.receiveStream({ timeout: 0 })).toBeNull()
  })

  test('S1 options of receiveStream are looked at while a message is under way as well', async () => {
    const { clock, ws, peer } = bench()
    peer.send({ type: 'TextMessage', data: 'a', messageFinished: false })
    await clock.settle()
    await expect(ws.receiveStream({ timout: 1 } as object)).rejects.toThrow(TypeError)
    const reason = new Error('no more')
    await expect(ws.receiveStream({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await ws.receiveStream()).toBeInstanceOf(ReadableStream)
  })

  test('S1 a cancelled stream lets the rest pass, and the next message comes', async () => {
    const { clock, ws, peer } = bench()
    const streaming = ws.receiveStream()
    peer.send({ type: 'TextMessage', data: 'a', messageFinished: false })
    await clock.settle()
    await ((await streaming) as ReadableStream).cancel()
    peer.send({ type: 'TextMessage', data: 'b', messageFinished: false })
    peer.send({ type: 'TextMessage', data: 'c', messageFinished: true }).text('next')
    await clock.settle()
    expect(await ws.receive()).toBe('next')
  })

  test('S1 the end of the connection errors the stream', async () => {
    const { clock, ws, peer } = bench()
    const streaming = ws.receiveStream()
    peer.send({ type: 'TextMessage', data: 'a', messageFinished: false })
    await clock.settle()
    const stream = (await streaming) as ReadableStream<string>
    peer.transport.end()
    await clock.settle()
    await expect(Array.fromAsync(stream)).rejects.toMatchObject({ code: 1006 })
  })

  test('R10 a stream that is cancelled while its last part is given harms nobody', async () => {
    let reader: ReadableStreamDefaultReader | undefined
    const { clock, ws, peer } = bench({ onPing: () => void reader?.cancel() })
    const streaming = ws.receiveStream()
    peer.send({ type: 'TextMessage', data: 'a', messageFinished: false })
    await clock.settle()
    reader = ((await streaming) as ReadableStream<string>).getReader()
    expect(await reader.read()).toEqual({ value: 'a', done: false })
    const last = watch(reader.read())
    const end = peer.protocol.send({ type: 'TextMessage', data: 'b', messageFinished: true })
    const ping = peer.protocol.send({ type: 'Ping', payload: new Uint8Array(0) })
    peer.raw(...end, ...ping).text('next')
    await clock.settle()
    expect(last.value).toEqual({ value: 'b', done: false })
    expect(await ws.receive()).toBe('next')
  })

  test('S7 close is answered although a stream is left unread', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 1000 }, { transport: { split: 1000 } })
    const streaming = ws.receiveStream()
    peer.send({ type: 'TextMessage', data: 'x'.repeat(20_000), messageFinished: true })
    await clock.settle()
    const stream = (await streaming) as ReadableStream<string>
    const closed = watch(ws.close())
    await clock.settle()
    expect(closed.value).toMatchObject({ code: 1000, wasClean: true })
    await expect(Array.fromAsync(stream)).rejects.toThrow(ConnectionClosed)
  })
})

describe('sending', () => {
  const forms: [string, Sendable, string | Uint8Array][] = [
    ['a string', 'é', 'é'],
    ['a Uint8Array', Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    ['a view of part of a buffer', new Uint8Array([9, 1, 2, 9]).subarray(1, 3), Uint8Array.of(1, 2)],
    ['a DataView', new DataView(Uint8Array.of(1, 2).buffer), Uint8Array.of(1, 2)],
    ['an Int16Array', Int16Array.of(1), new Uint8Array(Int16Array.of(1).buffer)],
    ['a Buffer', Buffer.from('ab'), Uint8Array.of(97, 98)],
    ['an ArrayBuffer', Uint8Array.of(3).buffer, Uint8Array.of(3)],
    ['a Blob', new Blob(['cd']), Uint8Array.of(99, 100)],
    ['an empty string', '', ''],
    ['empty bytes', new Uint8Array(0), new Uint8Array(0)],
  ]
  test.each(forms)('S4 %s', async (_, data, expected) => {
    const { clock, ws, peer } = bench()
    expect(await ws.send(data)).toBe(true)
    await clock.settle()
    expect(peer.messages).toEqual([expected])
  })

  test('S4 anything else is a TypeError, and nothing is sent', async () => {
    const { clock, ws, peer } = bench()
    for (const wrong of [undefined, null, 1, true, {}, [1], () => 1, Symbol('x')]) {
      await expect(ws.send(wrong as unknown as string)).rejects.toThrow(TypeError)
      expect(() => ws.trySend(wrong as unknown as string)).toThrow(TypeError)
    }
    expect(() => ws.trySend(new Blob(['x']))).toThrow(TypeError)
    await expect(ws.sendJson(undefined)).rejects.toThrow(TypeError)
    await clock.settle()
    expect(peer.events).toEqual([])
    expect(ws.connected).toBe(true)
  })

  test('S4 sendJson', async () => {
    const { clock, ws, peer } = bench()
    await ws.sendJson({ a: [1, null] })
    await clock.settle()
    expect(peer.messages).toEqual(['{"a":[1,null]}'])
  })

  test('S4 what has no JSON rejects, and never throws at the call', async () => {
    const { ws } = bench()
    const cyclic: unknown[] = []
    cyclic.push(cyclic)
    for (const value of [undefined, () => 1, 5n, cyclic]) await expect(ws.sendJson(value)).rejects.toThrow(TypeError)
    expect(ws.connected).toBe(true)
  })

  test('S5 after the close send rejects with the true code', async () => {
    const { clock, ws, peer } = bench()
    peer.close(4002, 'why')
    await clock.settle()
    await expect(ws.send('x')).rejects.toMatchObject({ code: 4002, reason: 'why', initiator: 'remote' })
    await expect(ws.sendStream(parts('x'))).rejects.toThrow(ConnectionClosed)
    expect(ws.trySend('x')).toBe(false)
    await expect(ws.ping()).rejects.toMatchObject({ code: 4002 })
  })

  test('S5 while we close send rejects with our code', async () => {
    const { clock, ws, peer } = bench()
    peer.answering = false
    void ws.close(4003, 'ours')
    await clock.settle()
    expect(ws.readyState).toBe(2)
    await expect(ws.send('x')).rejects.toMatchObject({ code: 4003, reason: 'ours', initiator: 'local' })
    await expect(ws.ping()).rejects.toMatchObject({ code: 4003 })
  })

  test('S21 concurrent sends go out in the order of the calls, Blobs and streams among them', async () => {
    const { clock, ws, peer } = bench()
    const gate = Promise.withResolvers<void>()
    async function* slow(): AsyncGenerator<string> {
      yield 'b1'
      await gate.promise
      yield 'b2'
    }
    const sent = [
      ws.send('a'),
      ws.sendStream(slow()),
      ws.send('c'),
      ws.send(new Blob(['d'])),
      ws.sendStream(parts('e')),
      ws.send('f'),
    ]
    await clock.settle()
    expect(ws.trySend('not now')).toBe(false)
    expect(peer.messages).toEqual(['a'])
    gate.resolve()
    await clock.settle()
    expect(await Promise.all(sent)).toEqual(Array(6).fill(true))
    await clock.settle()
    expect(peer.messages).toEqual(['a', 'b1b2', 'c', Uint8Array.of(100), 'e', 'f'])
  })

  test('S10 a Ping is answered between the parts of a message that is being sent', async () => {
    const { clock, ws, peer } = bench()
    const gate = Promise.withResolvers<void>()
    async function* slow(): AsyncGenerator<string> {
      yield 'one '
      await gate.promise
      yield 'two'
    }
    void ws.sendStream(slow())
    await clock.settle()
    peer.send({ type: 'Ping', payload: Uint8Array.of(5) })
    await clock.settle()
    expect(peer.events.map(({ type }) => type)).toEqual(['TextMessage', 'Pong'])
    gate.resolve()
    await clock.settle()
    expect(peer.messages).toEqual(['one two'])
  })

  test('S4 sendStream: strings, bytes, nothing, a ReadableStream', async () => {
    const { clock, ws, peer } = bench()
    await ws.sendStream(parts('a', '', 'b'))
    await ws.sendStream(parts(Uint8Array.of(1), Uint8Array.of(2)))
    await ws.sendStream(parts())
    await ws.sendStream(new Blob(['blob']).stream() as ReadableStream<Uint8Array>)
    await clock.settle()
    expect(peer.messages).toEqual(['ab', Uint8Array.of(1, 2), '', new TextEncoder().encode('blob')])
  })

  test('R34 a character cut in two by the parts is whole; half of one at the end is U+FFFD', async () => {
    const { clock, ws, peer } = bench()
    await ws.sendStream(parts('a\ud83d', '\ude00b', '\ud83d', '', '\ude00\ud83d'))
    await clock.settle()
    expect(peer.messages).toEqual(['a😀b😀\ufffd'])
  })

  test('S4 a part that is filled anew for the next one is sent as it was', async () => {
    // What is sent stays with us, since the peer does not read and the mark is high.
    const { clock, ws, peer } = bench({ highWaterMark: 1_000_000 }, NARROW)
    peer.transport.hold()
    async function* reused(): AsyncGenerator<Uint8Array> {
      const buffer = Buffer.alloc(70_000)
      for (const value of [1, 2, 3]) yield buffer.fill(value)
    }
    await Promise.all([ws.sendStream(reused()), clock.settle()])
    peer.transport.release()
    await clock.settle()
    const [message] = peer.messages as [Uint8Array]
    expect([message[0], message[70_000], message[140_000], message.length]).toEqual([1, 2, 3, 210_000])
  })

  test('S4 a source that fails before its first part rejects, and the connection lives', async () => {
    const { clock, ws, peer } = bench()
    await expect(ws.sendStream(failing())).rejects.toThrow('no source')
    await expect(ws.sendStream(parts({} as string))).rejects.toThrow(TypeError)
    await expect(ws.sendStream(['x'] as unknown as AsyncIterable<string>)).rejects.toThrow(TypeError)
    await ws.send('alive')
    await clock.settle()
    expect(peer.messages).toEqual(['alive'])
  })

  test.each([
    ['throws', failing('begun'), /no source/],
    ['changes its type', parts('begun', Uint8Array.of(1)), /Cannot send bytes inside a text message/],
    ['gives what is no part', parts('begun', 1 as unknown as string), TypeError],
  ])('S4 a source that %s inside the message rejects and fails the connection with 1011', async (_, source, error) => {
    const { clock, ws, peer } = bench()
    const sent = watch(ws.sendStream(source))
    const behind = watch(ws.send('behind'))
    await clock.settle()
    expect(sent.state).toBe('rejected')
    if (error instanceof RegExp) expect(String(sent.value)).toMatch(error)
    else expect(sent.value).toBeInstanceOf(error)
    expect(behind.value).toMatchObject({ code: 1011 })
    expect(peer.of('CloseConnection')).toMatchObject([{ code: 1011 }])
    expect(peer.messages).toEqual([])
    expect(ws).toMatchObject({ code: 1011, initiator: 'local', wasClean: false })
  })

  test('S4 a source is told when the connection ends, and its sends settle although it gives nothing more', async () => {
    const { clock, ws, peer } = bench()
    let returned = false
    let given = 0
    const source: AsyncIterableIterator<string> = {
      [Symbol.asyncIterator]: () => source,
      next: () => (given++ === 0 ? Promise.resolve({ value: 'first', done: false }) : new Promise(() => {})),
      return: () => {
        returned = true
        return Promise.resolve({ value: undefined, done: true })
      },
    }
    const sent = watch(ws.sendStream(source))
    const behind = watch(ws.send('behind'))
    await clock.settle()
    expect(sent.state).toBe('pending')
    peer.transport.reset()
    await clock.settle()
    expect(sent.value).toMatchObject({ name: 'ConnectionClosed', code: 1006 })
    expect(behind.value).toMatchObject({ name: 'ConnectionClosed', code: 1006 })
    expect(returned).toBe(true)
  })

  test('S5 a stream for a connection that has ended rejects at once, and its source is told', async () => {
    for (const end of ['close', 'terminate'] as const) {
      const { clock, ws } = bench()
      void ws[end]()
      await clock.settle()
      let returned = false
      const source: AsyncIterableIterator<string> = {
        [Symbol.asyncIterator]: () => source,
        next: () => new Promise(() => {}),
        return: () => {
          returned = true
          return Promise.resolve({ value: undefined, done: true })
        },
      }
      const sent = watch(ws.sendStream(source))
      await clock.settle()
      expect(sent.value).toMatchObject({ name: 'ConnectionClosed' })
      expect(returned).toBe(true)
    }
  })

  /** A source of one part that gives its second one when told. */
  function twoParts(): { readonly source: AsyncIterable<string>; readonly finish: () => void } {
    let finish = (): void => {}
    const told = new Promise<void>((resolve) => {
      finish = resolve
    })
    async function* source(): AsyncGenerator<string> {
      yield 'a'
      await told
      yield 'b'
    }
    return { source: source(), finish }
  }

  test('S21 S22 a message that waits behind a stream is sent as it was, and counts as unsent', async () => {
    const { clock, ws, peer } = bench()
    const { source, finish } = twoParts()
    const stream = watch(ws.sendStream(source))
    await clock.settle()
    const bytes = Uint8Array.of(1, 2, 3)
    const behind = [watch(ws.send(bytes)), watch(ws.send('four')), watch(ws.send(new Blob(['fifth'])))]
    bytes.fill(9)
    expect(ws.bufferedAmount).toBe(12)
    finish()
    await clock.settle()
    expect([stream, ...behind].map(({ value }) => value)).toEqual([true, true, true, true])
    expect(peer.messages).toEqual(['ab', Uint8Array.of(1, 2, 3), 'four', new TextEncoder().encode('fifth')])
    expect(ws.bufferedAmount).toBe(0)
  })

  test('S22 text that waits behind a stream counts in bytes, published text too', async () => {
    const { clock, ws, peer } = bench()
    const { source, finish } = twoParts()
    void ws.sendStream(source)
    await clock.settle()
    for (const [text, counted] of [
      ['plain', 5],
      ['aé€😀', 5 + 10],
      ['half \ud83d', 5 + 10 + 8],
    ] as const) {
      void ws.send(text)
      expect(ws.bufferedAmount).toBe(counted)
    }
    expect(ws.sendShared(new SharedMessage('€€'))).toBe(true)
    expect(ws.bufferedAmount).toBe(23 + 6)
    finish()
    await clock.settle()
    expect(peer.messages).toEqual(['ab', 'plain', 'aé€😀', 'half \ufffd', '€€'])
    expect(ws.bufferedAmount).toBe(0)
  })

  test('S22 R16 what waits behind a stream is bounded by sendPolicy and maxBufferedAmount', async () => {
    // Each counts for 64 bytes more, so that empty ones are bounded as well.
    for (const [sendPolicy, text, size, taken, code] of [
      ['wait', 'y'.repeat(1000), 1000, 5, 1013],
      ['close', 'y'.repeat(1000), 1000, 2, 1013],
      ['drop', 'y'.repeat(1000), 1000, 2, undefined],
      ['wait', '😀'.repeat(500), 2000, 3, 1013],
      ['close', '€'.repeat(1000), 3000, 1, 1013],
      ['drop', '€'.repeat(1000), 3000, 1, undefined],
      ['wait', '', 0, 79, 1013],
      ['close', '', 0, 32, 1013],
      ['drop', '', 0, 32, undefined],
    ] as const) {
      const { clock, ws, peer } = bench({ sendPolicy, highWaterMark: 2000, maxBufferedAmount: 5000 })
      const { source, finish } = twoParts()
      void ws.sendStream(source)
      await clock.settle()
      const sends: ReturnType<typeof watch>[] = []
      for (let count = 0; count < 100; count++) sends.push(watch(ws.send(text)))
      expect(ws.bufferedAmount).toBe(taken * size)
      await clock.settle()
      expect(ws.code).toBe(code)
      finish()
      await clock.settle()
      expect(peer.messages.length).toBe(code === undefined ? 1 + taken : 0)
      const outcomes = sends.map(({ state, value }) => (state === 'resolved' ? value : (value as Error).name))
      expect(outcomes).toEqual(
        code === undefined
          ? [...Array(taken).fill(true), ...Array(100 - taken).fill(false)]
          : Array(100).fill('ConnectionClosed'),
      )
    }
  })
})

describe('promises that nobody keeps', () => {
  test('S23 R1 the end of the connection rejects them and nobody hears of it', async () => {
    const unheard: unknown[] = []
    const listen = (error: unknown): void => void unheard.push(error)
    process.on('unhandledRejection', listen)
    for (const ask of ['receive', 'receiveText', 'receiveBytes', 'receiveJson', 'receiveStream'] as const) {
      const { clock, ws, peer } = bench()
      const abort = new AbortController()
      const { signal } = abort
      for (const options of [undefined, { timeout: 10 }, { signal }]) void ws[ask](options as { timeout: 10 })
      abort.abort(new Error('no more'))
      peer.transport.reset()
      await clock.settle()
      void ws[ask]()
    }
    // Told of after the microtasks of a turn.
    await new Promise((resolve) => setTimeout(resolve, 5))
    process.off('unhandledRejection', listen)
    expect(unheard).toEqual([])
  })
})

describe('streams behind a stream', () => {
  test('S22 R16 they are bounded like messages, and who is refused is told that no part is wanted', async () => {
    for (const [sendPolicy, taken, code] of [
      ['wait', 79, 1013],
      ['close', 32, 1013],
      ['drop', 32, undefined],
    ] as const) {
      const { clock, ws, peer } = bench({ sendPolicy, highWaterMark: 2000, maxBufferedAmount: 5000 })
      let finish = (): void => {}
      const first = new ReadableStream<string>({
        start(controller) {
          controller.enqueue('a')
          finish = () => controller.close()
        },
      })
      void ws.sendStream(first)
      await clock.settle()
      let cancelled = 0
      const sends: ReturnType<typeof watch>[] = []
      for (let count = 0; count < 100; count++) {
        const part = new ReadableStream<string>(
          {
            pull(controller) {
              controller.enqueue('b')
              controller.close()
            },
            cancel() {
              cancelled++
            },
          },
          { highWaterMark: 0 },
        )
        sends.push(watch(ws.sendStream(part)))
      }
      await clock.settle()
      expect(ws.code).toBe(code)
      finish()
      await clock.settle()
      expect(cancelled).toBe(code === undefined ? 100 - taken : 100)
      expect(peer.messages).toEqual(code === undefined ? ['a', ...Array(taken).fill('b')] : [])
      const outcomes = sends.map(({ state, value }) => (state === 'resolved' ? value : (value as Error).name))
      expect(outcomes).toEqual(
        code === undefined
          ? [...Array(taken).fill(true), ...Array(100 - taken).fill(false)]
          : Array(100).fill('ConnectionClosed'),
      )
    }
  })

  test('S21 what has no parts is a TypeError at the call, also behind another stream', async () => {
    const { clock, ws } = bench()
    void ws.sendStream(new ReadableStream())
    await clock.settle()
    const locked = new ReadableStream()
    locked.getReader()
    await expect(ws.sendStream('text' as never)).rejects.toThrow('expected an AsyncIterable or a ReadableStream')
    await expect(ws.sendStream(locked)).rejects.toThrow(TypeError)
    expect(ws.connected).toBe(true)
  })
})

/** Room for 1,000 bytes on the way, and marks that are soon reached. */
const NARROW = { transport: { capacity: 1000, highWaterMark: 1000 } }

describe('backpressure', () => {
  test('S22 send waits above the high-water mark until the peer reads; bufferedAmount is true', async () => {
    const { clock, ws, peer } = bench({ highWaterMark: 2000 }, NARROW)
    peer.transport.hold()
    expect(await ws.send('x'.repeat(500))).toBe(true)
    await clock.settle()
    const blocked: ReturnType<typeof watch>[] = []
    for (let count = 0; count < 5; count++) {
      blocked.push(watch(ws.send('y'.repeat(1000))))
      await clock.settle()
    }
    // A header of 4 bytes each; the network has taken 1,000.
    expect(ws.bufferedAmount).toBe(504 + 5 * 1004 - 1000)
    expect(blocked.at(-1)?.state).toBe('pending')
    expect(ws.trySend('z')).toBe(false)
    peer.transport.release()
    await clock.settle()
    expect(blocked.map(({ value }) => value)).toEqual(Array(5).fill(true))
    expect(ws.bufferedAmount).toBe(0)
    expect(ws.trySend('z')).toBe(true)
    await clock.settle()
    expect(peer.messages).toHaveLength(7)
  })

  test('S22 R16 beyond maxBufferedAmount a caller that does not wait is refused, with 1013', async () => {
    const { clock, ws, peer } = bench({ highWaterMark: 1000, maxBufferedAmount: 10_000 }, NARROW)
    peer.transport.hold()
    const sends: ReturnType<typeof watch>[] = []
    for (let count = 0; count < 30; count++) {
      sends.push(watch(ws.send('y'.repeat(1000))))
      await clock.settle()
    }
    expect(ws).toMatchObject({ code: 1013, initiator: 'local', wasClean: false })
    expect(ws.bufferedAmount).toBeLessThan(12_500)
    expect(sends.at(-1)?.value).toMatchObject({ code: 1013 })
    expect(sends.every(({ state }) => state !== 'pending')).toBe(true)
    await clock.run(10_000)
    expect(peer.ends).toEqual([])
    peer.transport.release()
    await clock.settle()
    expect(peer.ends).toContain('end')
    expect(clock.pending).toEqual([])
  })

  test("S22 sendPolicy 'drop' leaves the message out and says so", async () => {
    const { clock, ws, peer } = bench({ highWaterMark: 1000, sendPolicy: 'drop' }, NARROW)
    peer.transport.hold()
    const outcomes: ReturnType<typeof watch>[] = []
    for (let count = 0; count < 10; count++) {
      outcomes.push(watch(ws.send(`${count}`.repeat(1000))))
      await clock.settle()
    }
    expect(ws.bufferedAmount).toBeLessThan(4000)
    peer.transport.release()
    await clock.settle()
    const sent = outcomes.filter(({ value }) => value === true).length
    const dropped = outcomes.filter(({ value }) => value === false).length
    expect([sent + dropped, peer.messages.length]).toEqual([10, sent])
    expect(dropped).toBeGreaterThan(5)
    expect(ws.connected).toBe(true)
  })

  test("S22 sendPolicy 'close' ends the connection with 1013", async () => {
    const { clock, ws, peer } = bench({ highWaterMark: 1000, sendPolicy: 'close' }, NARROW)
    peer.transport.hold()
    const outcomes: ReturnType<typeof watch>[] = []
    for (let count = 0; count < 5; count++) {
      outcomes.push(watch(ws.send('x'.repeat(1000))))
      await clock.settle()
    }
    expect(ws.code).toBe(1013)
    expect(outcomes.at(-1)?.value).toMatchObject({ code: 1013 })
    peer.transport.release()
    await clock.settle()
    expect(peer.of('CloseConnection')).toMatchObject([{ code: 1013 }])
  })

  test('S22 R15 what a little compressed input becomes does not keep the event loop: after 1 MiB others have a turn', async () => {
    const { clock, ws, peer } = bench({ permessageDeflate: true, ...NEVER })
    const compressed = new Protocol({ role: 'client', extensions: [agreedDeflate()] })
    const wire = Array.from({ length: 40 }, () =>
      compressed.send({ type: 'BytesMessage', data: new Uint8Array(262_144), compress: true }),
    )
    const end = compressed.send({ type: 'CloseConnection', code: 1000 })
    let received = 0
    const reading = (async () => {
      for await (const message of ws) received += message.length
    })()
    await clock.settle()
    peer.transport.write(Buffer.concat([...wire, end]))
    await clock.settle()
    expect(received).toBe(1 << 20)
    const turns = spyOn(clock, 'setTimeout')
    await clock.run(0)
    expect(received).toBe(10 << 20)
    expect(turns.mock.calls.filter(([, delay]) => delay === 0).length).toBe(9)
    await reading
    expect(ws.code).toBe(1000)
    peer.transport.end()
    await clock.settle()
    expect(clock.pending).toEqual([])
  })

  test('S22 R15 what came before the end of the transport is received in spite of that turn, and a poll sees it', async () => {
    const { clock, ws, peer } = bench({ permessageDeflate: true, ...NEVER })
    const compressed = new Protocol({ role: 'client', extensions: [agreedDeflate()] })
    const message = (): Uint8Array =>
      compressed.send({ type: 'BytesMessage', data: new Uint8Array(1 << 20), compress: true })
    peer.transport.write(Buffer.concat([message(), message(), message()]))
    await clock.settle()
    expect(((await ws.receive()) as Uint8Array).length).toBe(1 << 20)
    expect(((await ws.receive({ timeout: 0 })) as Uint8Array).length).toBe(1 << 20)
    peer.transport.end()
    await clock.settle()
    expect(((await ws.receive()) as Uint8Array).length).toBe(1 << 20)
    await expect(ws.receive()).rejects.toMatchObject({ code: 1006 })
    expect(clock.pending.length).toBeLessThanOrEqual(1)
  })

  test('S22 R16 a peer that pings and does not read takes no memory; the last Ping is answered when it reads', async () => {
    const { clock, ws, peer } = bench({ highWaterMark: 1000 }, NARROW)
    peer.transport.hold()
    void ws.send('x'.repeat(5000))
    await clock.settle()
    const before = ws.bufferedAmount
    for (let count = 0; count < 200; count++) {
      peer.send({ type: 'Ping', payload: new Uint8Array(125).fill(count) })
      await clock.settle()
    }
    expect(ws.bufferedAmount).toBe(before)
    peer.transport.release()
    await clock.settle()
    expect(peer.of('Pong').map(({ payload }) => payload[0])).toEqual([199])
  })

  /** Counts the writes to a transport. */
  function countWrites(transport: MemoryTransport): () => number {
    let writes = 0
    const { write } = transport
    transport.write = (bytes) => {
      writes++
      return write.call(transport, bytes)
    }
    return () => writes
  }

  test('S22 sends of one turn leave as one write', async () => {
    const { clock, ws, transport, peer } = bench()
    const writes = countWrites(transport)
    for (let count = 0; count < 100; count++) void ws.send('batch')
    expect(writes()).toBe(0)
    expect(ws.bufferedAmount).toBe(700)
    await clock.settle()
    expect(writes()).toBe(1)
    expect(peer.messages).toHaveLength(100)
  })

  describe('answers', () => {
    /** Has each message answered by as many as `answers` says, and gives how many writes there had been after each send. */
    async function written(chunks: readonly (readonly string[])[], answers: readonly number[]): Promise<number[]> {
      const { clock, ws, transport, peer } = bench()
      const writes = countWrites(transport)
      const seen: number[] = []
      const handled = (async () => {
        for (const count of answers) {
          const message = await ws.receive()
          for (let left = count; left > 0; left--) {
            void ws.send(message)
            seen.push(writes())
          }
        }
        await ws.receive()
      })()
      for (const chunk of chunks) {
        const frames = chunk.map((data) => peer.protocol.send({ type: 'TextMessage', data }))
        peer.transport.write(Buffer.concat(frames))
        await clock.settle()
      }
      expect(peer.messages).toHaveLength(seen.length)
      ws.terminate()
      await expect(handled).rejects.toBeInstanceOf(ConnectionClosed)
      return seen
    }

    test('S22 one for each message: written by the send, once the handler has done so before', async () => {
      expect(await written([['a'], ['b'], ['c']], [1, 1, 1])).toEqual([0, 2, 3])
    })

    test('S22 several for a message: in one write, from the second time on', async () => {
      expect(await written([['a'], ['b'], ['c']], [1, 2, 2])).toEqual([0, 2, 2, 3, 3])
    })

    test('S22 to messages that are here together: in one write', async () => {
      expect(await written([['a'], ['b', 'c', 'd'], ['e']], [1, 1, 1, 1, 1])).toEqual([0, 1, 1, 1, 2])
    })

    test('S22 none for a message: changes nothing', async () => {
      expect(await written([['a'], ['b'], ['c']], [1, 0, 1])).toEqual([0, 2])
    })
  })
})

describe('closing', () => {
  test('S6 close is idempotent, and validates at the call', async () => {
    const { clock, ws, peer } = bench()
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1000.5, Number.NaN]) {
      expect(() => ws.close(code)).toThrow(RangeError)
    }
    expect(() => ws.close(1000, 'x'.repeat(124))).toThrow(RangeError)
    expect(() => ws.close('1000' as unknown as number)).toThrow(
      new TypeError('Close code must be a number, not string'),
    )
    expect(() => ws.close(1000, 5 as unknown as string)).toThrow(
      new TypeError('Close reason must be a string, not number'),
    )
    expect(ws.connected).toBe(true)
    const first = ws.close(4000, 'first')
    expect(ws.close(4001, 'second')).toBe(first)
    await clock.settle()
    expect(await first).toEqual({ code: 4000, reason: 'first', wasClean: true, initiator: 'local' })
    expect(await ws.close()).toMatchObject({ code: 4000 })
    expect(peer.of('CloseConnection')).toHaveLength(1)
  })

  test('R18 a reason of 123 bytes is sent', async () => {
    const { clock, ws, peer } = bench()
    const reason = `${'é'.repeat(61)}x`
    void ws.close(1000, reason)
    await clock.settle()
    expect(peer.of('CloseConnection')).toMatchObject([{ reason }])
    expect(() => ws.close(1000, `${reason}y`)).toThrow(/124 bytes/)
  })

  test.each(['server', 'client'] as const)('S7 a %s answers the Close of its peer with the same code', async (role) => {
    const { clock, ws, peer } = bench({}, { role })
    peer.close(3456, 'theirs')
    await clock.settle()
    expect(peer.of('CloseConnection')).toMatchObject([{ code: 3456, reason: 'theirs' }])
    expect(await ws.closed).toEqual({ code: 3456, reason: 'theirs', wasClean: true, initiator: 'remote' })
    // The server ends TCP first; a client waits for that.
    expect(peer.ends.includes('end')).toBe(role === 'server')
    peer.transport.end()
    await clock.settle()
    expect(clock.pending).toEqual([])
  })

  test('S7 Closes that cross: each side keeps its own code', async () => {
    const { clock, server, client } = joined()
    void server.close(4001)
    void client.close(4002)
    await clock.settle()
    expect(server).toMatchObject({ code: 4001, wasClean: true, initiator: 'local' })
    expect(client).toMatchObject({ code: 4002, wasClean: true, initiator: 'local' })
  })

  test('S7 messages in front of our Close are sent, and those in front of the answer can still be received', async () => {
    const { clock, server, client } = joined()
    void server.send('from server')
    void server.close()
    void client.send('from client')
    await clock.settle()
    expect(await client.receive()).toBe('from server')
    expect(await server.receive()).toBe('from client')
    await expect(server.receive()).rejects.toMatchObject({ code: 1000, initiator: 'local' })
  })

  test('S7 a message and a Close in one packet: the handler answers before our Close', async () => {
    const { clock, ws, peer } = bench({}, { transport: { merge: true } })
    const handler = (async () => {
      for await (const message of ws) await ws.send(`echo ${message}`)
    })()
    peer.text('a').text('b').close(1000)
    await clock.settle()
    await handler
    expect(peer.messages).toEqual(['echo a', 'echo b'])
    expect(peer.events.at(-1)).toMatchObject({ type: 'CloseConnection', code: 1000 })
  })

  test('R29 a peer that never answers our Close is gone after closeTimeout, with 1006', async () => {
    const { clock, ws, peer } = bench({ closeTimeout: 3000 })
    peer.answering = false
    const closed = watch(ws.close(1000))
    await clock.run(2999)
    expect(closed.state).toBe('pending')
    expect(ws.readyState).toBe(2)
    await clock.run(1)
    expect(closed.value).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'local' })
    await clock.settle()
    expect(peer.ends).toEqual(['end'])
    expect(clock.pending).toEqual([])
  })

  test('S9 while we close no Ping decides: closeTimeout does', async () => {
    const { clock, ws, peer } = bench({ closeTimeout: 60_000, pingInterval: 1000, pongTimeout: 1000 })
    peer.answering = false
    await clock.run(1500)
    const closed = watch(ws.close())
    await clock.run(59_999)
    expect(closed.state).toBe('pending')
    await clock.run(1)
    expect(closed.value).toMatchObject({ code: 1006, reason: '' })
  })

  test('S8 a peer that goes in place of answering our Close: 1006, and it was we who began', async () => {
    const { clock, ws, peer } = bench()
    peer.answering = false
    const closed = watch(ws.close(4000))
    await clock.settle()
    peer.transport.end()
    await clock.settle()
    expect(closed.value).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'local' })
    expect(clock.pending).toEqual([])
  })

  test('S7 after our Close messages that find no room are let go, and the answer is still seen', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 1000 })
    peer.answering = false
    void ws.close(4000)
    for (let count = 0; count < 100; count++) peer.text('x'.repeat(400))
    peer.close(4000)
    await clock.settle()
    expect(ws).toMatchObject({ code: 4000, wasClean: true })
    let received = 0
    while ((await ws.receive().catch(() => null)) !== null) received++
    expect(received).toBe(3)
  })

  test('R29 a peer that answers our Close and does not end TCP is dropped after closeTimeout', async () => {
    const { clock, ws, peer } = bench({ closeTimeout: 3000 })
    void ws.close()
    await clock.settle()
    expect(ws).toMatchObject({ code: 1000, wasClean: true })
    expect(clock.pending).toHaveLength(1)
    await clock.run(3000)
    expect(clock.pending).toEqual([])
    expect(peer.ends).toEqual(['end'])
    expect(ws).toMatchObject({ code: 1000, wasClean: true })
  })

  test('R19 the peer ends TCP without a Close: 1006, by the transport', async () => {
    const { clock, ws, peer } = bench()
    const waiting = watch(ws.receive())
    peer.transport.end()
    await clock.settle()
    expect(waiting.value).toMatchObject({ code: 1006, wasClean: false, initiator: 'transport' })
    expect(peer.ends).toEqual(['end', 'close end'])
    expect(clock.pending).toEqual([])
  })

  test('S8 terminate is at once and without a Close', async () => {
    const { clock, ws, peer } = bench()
    const waiting = watch(ws.receive())
    ws.terminate()
    expect(ws).toMatchObject({ code: 1006, wasClean: false, initiator: 'local', readyState: 3 })
    await clock.settle()
    expect(waiting.value).toMatchObject({ code: 1006 })
    expect(peer.events).toEqual([])
    expect(peer.ends).toEqual(['end'])
    expect(clock.pending).toEqual([])
    ws.terminate()
    expect(await ws.close()).toMatchObject({ code: 1006 })
  })

  test('S8 signal aborts with the ConnectionClosed; closed, code, reason, wasClean and initiator agree', async () => {
    const { clock, ws, peer } = bench()
    const { signal } = ws
    expect([signal.aborted, ws.code, ws.reason, ws.wasClean, ws.initiator]).toEqual([
      false,
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    peer.close(4000, 'x')
    await clock.settle()
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toBeInstanceOf(ConnectionClosed)
    expect(signal.reason.connection).toBe(ws)
    expect(await ws.closed).toEqual({ code: 4000, reason: 'x', wasClean: true, initiator: 'remote' })
    const late = bench()
    late.ws.terminate()
    expect(late.ws.signal.aborted).toBe(true)
  })

  test('S8 what comes behind a failure of ours is dropped, and the peer’s Close ends it', async () => {
    const { clock, ws, peer } = bench({ highWaterMark: 1, sendPolicy: 'close' }, NARROW)
    peer.answering = false
    peer.transport.hold()
    for (let count = 0; count < 4; count++) {
      void ws.send('x'.repeat(1000))
      await clock.settle()
    }
    expect(ws.code).toBe(1013)
    for (let count = 0; count < 100; count++) peer.text('z'.repeat(1000))
    await clock.settle()
    await expect(ws.receive()).rejects.toMatchObject({ code: 1013 })
    expect(peer.transport.bufferedAmount).toBe(0)
  })

  test('S8 a full inbox does not keep a connection that failed from seeing the end of its peer', async () => {
    const { clock, ws, peer } = bench({ inboxBytes: 1000, highWaterMark: 1, sendPolicy: 'close' }, NARROW)
    peer.answering = false
    peer.transport.hold()
    for (let count = 0; count < 5; count++) {
      peer.text('y'.repeat(900))
      void ws.send('x'.repeat(1000))
      await clock.settle()
    }
    expect(ws.code).toBe(1013)
    for (let count = 0; count < 20; count++) peer.text('z'.repeat(900))
    peer.transport.release()
    peer.transport.end()
    await clock.settle()
    expect(peer.ends).toEqual(['end', 'close end'])
    expect(clock.pending).toEqual([])
  })

  test('S6 await using closes', async () => {
    const { clock, server, client } = joined()
    const scope = (async () => {
      await using ws = client
      await ws.send('inside')
    })()
    await clock.settle()
    await scope
    expect(client).toMatchObject({ code: 1000, wasClean: true, initiator: 'local' })
    expect(server).toMatchObject({ code: 1000, wasClean: true, initiator: 'remote' })
  })

  test('S20 R30 readyState is live', async () => {
    const { clock, ws, peer } = bench()
    peer.answering = false
    const states: number[] = [ws.readyState]
    void ws.close()
    states.push(ws.readyState)
    await clock.settle()
    states.push(ws.readyState)
    peer.close(1000)
    await clock.settle()
    states.push(ws.readyState)
    expect(states).toEqual([1, 2, 2, 3])
    expect(ws.connected).toBe(false)
  })

  test('S20 attributes', () => {
    const { ws } = bench()
    const other = bench().ws
    expect(ws).toMatchObject({ protocol: '', extensions: '', url: 'ws://memory/', mode: 'memory', data: undefined })
    expect(ws.id).not.toBe(other.id)
    ws.data = { user: 1 }
    expect(ws.data).toEqual({ user: 1 })
  })
})

describe('keepalive', () => {
  test('S9 a Ping every 20 s, its Pong gives latency', async () => {
    const { clock, ws, peer } = bench()
    expect(ws.latency).toBeUndefined()
    await clock.run(19_999)
    expect(peer.of('Ping')).toEqual([])
    await clock.run(1)
    expect(peer.of('Ping')).toHaveLength(1)
    expect(ws.latency).toBe(0)
    await clock.run(200_000)
    expect(peer.of('Ping')).toHaveLength(11)
    const payloads = new Set(peer.of('Ping').map(({ payload }) => payload.join()))
    expect(payloads.size).toBe(11)
    expect(ws.connected).toBe(true)
  })

  test('S9 no byte within 20 s of a Ping: 1006, and everything is released', async () => {
    const { clock, ws, peer } = bench()
    peer.answering = false
    const waiting = watch(ws.receive())
    await clock.run(40_000)
    expect(ws.connected).toBe(true)
    await clock.run(1)
    expect(ws).toMatchObject({ code: 1006, reason: 'Ping timeout', wasClean: false, initiator: 'local' })
    expect(waiting.value).toMatchObject({ code: 1006 })
    expect(clock.pending).toEqual([])
  })

  test('S9 a pongTimeout longer than pingInterval: pings go on, the verdict comes when it is over', async () => {
    const { clock, ws, peer } = bench({ pingInterval: 1000, pongTimeout: 2500 })
    peer.answering = false
    await clock.run(3500)
    expect(peer.of('Ping')).toHaveLength(3)
    expect(ws.connected).toBe(true)
    await clock.run(1)
    expect(ws).toMatchObject({ code: 1006, reason: 'Ping timeout' })
    expect(clock.pending).toEqual([])
  })

  test('S9 any byte is life, even half a frame', async () => {
    const { clock, ws, peer } = bench({ pingInterval: 1000, pongTimeout: 500 })
    peer.answering = false
    await clock.run(1200)
    peer.raw(0x81)
    await clock.run(300)
    expect(ws.connected).toBe(true)
    await clock.run(499)
    expect(peer.of('Ping')).toHaveLength(1)
    await clock.run(1)
    expect(peer.of('Ping')).toHaveLength(2)
    await clock.run(501)
    expect(ws.code).toBe(1006)
  })

  test('S9 a Pong with another payload is life, and no latency', async () => {
    const { clock, ws, peer } = bench({ pingInterval: 1000, pongTimeout: 500 })
    peer.answering = false
    await clock.run(1000)
    peer.send({ type: 'Pong', payload: Uint8Array.of(1, 2, 3) })
    await clock.run(510)
    expect(ws.connected).toBe(true)
    expect(ws.latency).toBeUndefined()
  })

  test('S9 paused reading never fails a healthy peer', async () => {
    const { clock, ws, peer } = bench({ inboxMessages: 2 })
    for (let count = 0; count < 60; count++) peer.text(`${count}`)
    await clock.run(600_000)
    expect(ws.connected).toBe(true)
    let received = 0
    while ((await ws.receive({ timeout: 0 })) !== null) {
      received++
      await clock.settle()
    }
    expect(received).toBe(60)
    expect(peer.of('Ping').length).toBeGreaterThan(10)
  })

  test('S9 a loop that was blocked looks once more before the verdict', async () => {
    const { clock, ws, peer } = bench({ pingInterval: 1000, pongTimeout: 500 })
    await clock.run(1000)
    // The Pong is on its way when the loop stands still: timers come first when it moves on.
    expect(ws.latency).toBe(0)
    peer.transport.hold()
    await clock.run(1000)
    clock.advance(500)
    peer.transport.release()
    await clock.run(1)
    expect(ws.connected).toBe(true)
  })

  test('S9 ping resolves to the round trip of its own Pong', async () => {
    const { clock, ws, peer } = bench()
    peer.answering = false
    const one = watch(ws.ping('one'))
    const payload = Buffer.of(2)
    const two = watch(ws.ping(payload))
    payload[0] = 9
    const three = watch(ws.ping())
    await clock.run(30)
    expect(peer.of('Ping').map(({ payload }) => payload.length)).toEqual([3, 1, 4])
    // The answer to the second is the answer to the first as well (§5.5.3).
    peer.send({ type: 'Pong', payload: Uint8Array.of(2) })
    await clock.settle()
    expect([one.value, two.value, three.state]).toEqual([30, 30, 'pending'])
    expect(ws.latency).toBe(30)
    ws.terminate()
    await clock.settle()
    expect(three.value).toMatchObject({ code: 1006 })
    expect(() => bench().ws.ping(new Uint8Array(126))).toThrow(RangeError)
    // A number would be taken for a length.
    expect(() => bench().ws.ping(5 as unknown as string)).toThrow(
      new TypeError('Cannot ping with number: expected a string or a Uint8Array'),
    )
  })

  test('S10 Pings are answered with their payload, by both roles, and told to onPing; Pongs to onPong', async () => {
    for (const role of ['server', 'client'] as const) {
      const told: string[] = []
      const options = {
        onPing: (payload: Uint8Array) => void told.push(`ping ${payload}`),
        onPong: (payload: Uint8Array) => void told.push(`pong ${payload}`),
      }
      const { clock, peer } = bench(options, { role })
      peer.send({ type: 'Ping', payload: Uint8Array.of(4, 2) }).send({ type: 'Pong', payload: Uint8Array.of(9) })
      await clock.settle()
      expect(peer.of('Pong').map(({ payload }) => [...payload])).toEqual([[4, 2]])
      expect(told).toEqual(['ping 4,2', 'pong 9'])
    }
  })

  test('S10 a hook that throws ends its connection with 1011 and nothing else', async () => {
    const { clock, ws, peer } = bench({
      onPing: () => {
        throw new Error('hook')
      },
    })
    peer.send({ type: 'Ping', payload: new Uint8Array(0) })
    await clock.settle()
    expect(ws.code).toBe(1011)
    expect(peer.of('CloseConnection')).toMatchObject([{ code: 1011 }])
  })

  test('S9 idle: no message either way closes with 1001; Pings do not count', async () => {
    const { clock, ws, peer } = bench({ idleTimeout: 8000, pingInterval: 100, pongTimeout: 50 })
    await clock.run(3500)
    await ws.send('sign of life')
    await clock.run(7999)
    expect(ws.connected).toBe(true)
    await clock.run(1001)
    expect(ws).toMatchObject({ code: 1001, reason: 'Idle timeout', initiator: 'local', wasClean: true })
    expect(peer.of('CloseConnection')).toMatchObject([{ code: 1001, reason: 'Idle timeout' }])
  })

  test('S9 idle: messages received keep it open', async () => {
    const { clock, ws, peer } = bench({ idleTimeout: 1000, ...NEVER })
    for (let count = 0; count < 10; count++) {
      await clock.run(900)
      peer.text('x')
      await ws.receive()
    }
    expect(ws.connected).toBe(true)
    await clock.run(1125)
    expect(ws.code).toBe(1001)
  })

  test('S9 lifetime closes with 1001, whatever happens', async () => {
    const { clock, ws, peer } = bench({ maxLifetime: 5000, ...NEVER })
    for (let count = 0; count < 49; count++) {
      peer.text('busy')
      await ws.receive()
      await clock.run(100)
    }
    expect(ws.connected).toBe(true)
    await clock.run(100)
    expect(ws).toMatchObject({ code: 1001, reason: 'Maximum lifetime reached', wasClean: true })
    peer.transport.end()
    await clock.settle()
    expect(clock.pending).toEqual([])
  })
})

describe('web streams', () => {
  test('S22 readable pulls with receive, ends on 1000 and errors on other codes', async () => {
    const { clock, ws, peer } = bench({ inboxMessages: 2, ...NEVER })
    peer.text('one').text('two').close(1000)
    await clock.settle()
    expect(await Array.fromAsync(ws.readable)).toEqual(['one', 'two'])
    expect(ws.readable).toBe(ws.readable)
    const failed = bench()
    failed.peer.close(4000)
    await failed.clock.settle()
    await expect(Array.fromAsync(failed.ws.readable)).rejects.toMatchObject({ code: 4000 })
  })

  test('S22 cancelling readable closes', async () => {
    const { clock, ws, peer } = bench()
    await Promise.all([ws.readable.cancel(), clock.settle()])
    expect(ws).toMatchObject({ code: 1000, initiator: 'local' })
    expect(peer.of('CloseConnection')).toHaveLength(1)
  })

  test('S22 the other end of a pipe has failed: 1011', async () => {
    const { clock, ws, peer } = bench()
    peer.text('one')
    await clock.settle()
    const failing = new WritableStream({
      write() {
        throw new Error('full')
      },
    })
    const piped = watch(ws.readable.pipeTo(failing))
    await clock.settle()
    expect(piped).toMatchObject({ state: 'rejected', value: new Error('full') })
    expect(ws).toMatchObject({ code: 1011, initiator: 'local' })
  })

  test('S22 writable sends, waits with send, closes with 1000, aborts with 1011', async () => {
    const { clock, ws, peer } = bench({ highWaterMark: 1000 }, NARROW)
    const writer = ws.writable.getWriter()
    peer.transport.hold()
    const writes = ['a', 'b', 'c', 'd'].map((letter) => watch(writer.write(letter.repeat(70_000))))
    await clock.settle()
    expect(writes.at(-1)?.state).toBe('pending')
    peer.transport.release()
    await clock.settle()
    expect(writes.map(({ state }) => state)).toEqual(Array(4).fill('resolved'))
    await Promise.all([writer.close(), clock.settle()])
    expect(ws.code).toBe(1000)
    const aborted = bench()
    await Promise.all([aborted.ws.writable.abort(), aborted.clock.settle()])
    expect(aborted.ws.code).toBe(1011)
  })

  test('S22 writable errors when the peer goes', async () => {
    const { clock, ws, peer } = bench()
    const { writable } = ws
    const writer = writable.getWriter()
    const closed = watch(writer.closed)
    peer.close(4000)
    await clock.settle()
    expect(closed.value).toMatchObject({ code: 4000 })
    await expect(writer.write('x')).rejects.toMatchObject({ code: 4000 })
  })

  test('S22 a write that fails closes with 1011: the stream is of no more use', async () => {
    const { clock, ws, peer } = bench()
    const writing = watch((ws.writable as WritableStream<unknown>).getWriter().write({ no: 'message' }))
    await clock.settle()
    expect(writing).toMatchObject({ state: 'rejected', value: expect.any(TypeError) })
    expect(ws).toMatchObject({ code: 1011, initiator: 'local' })
    expect(peer.of('CloseConnection')).toMatchObject([{ code: 1011 }])
  })

  test('S22 a pipe echoes', async () => {
    const { clock, ws, peer } = bench()
    const piped = watch(ws.readable.pipeTo(ws.writable))
    for (let count = 0; count < 50; count++) peer.text(`${count}`)
    await clock.settle()
    expect(peer.messages).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`))
    peer.close(1000)
    await clock.settle()
    expect(piped.state).not.toBe('pending')
  })
})

describe('nothing escapes', () => {
  test('S19 promises that nobody awaits do not become unhandled rejections', async () => {
    const seen: unknown[] = []
    const note = (error: unknown): void => void seen.push(error)
    process.on('unhandledRejection', note)
    try {
      const { clock, ws, peer } = bench({ highWaterMark: 1000 }, NARROW)
      peer.transport.hold()
      void ws.receive()
      void ws.receive({ timeout: 1_000_000 })
      void ws[Symbol.asyncIterator]().next()
      void ws.ping()
      void ws.ping('x')
      void ws.readable
      void ws.writable
      void ws.signal
      void ws.closed
      for (let count = 0; count < 5; count++) void ws.send('x'.repeat(1000))
      void ws.sendStream(parts('a', 'b'))
      void ws.send('behind')
      peer.transport.reset()
      await clock.settle()
      expect(ws.code).toBe(1006)
      void ws.send('late')
      void ws.sendJson(1)
      void ws.ping()
      void ws.receive()
      void ws.sendStream(parts('late'))
      void ws.close()
      await clock.settle()
      await Bun.sleep(5)
      expect(seen).toEqual([])
      expect(clock.pending).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
    }
  })

  test('S19 errors are of one family', async () => {
    const { ws } = bench()
    ws.terminate()
    const error = await ws.receive().catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ConnectionClosed)
    expect(error).toBeInstanceOf(Error)
    expect((error as ConnectionClosed).connection).toBe(ws)
  })

  test('R11 a Map keyed by the connection', async () => {
    const { clock, ws, peer } = bench()
    const members = new Map([[ws, 'me']])
    void ws.closed.then(() => members.delete(ws))
    peer.transport.reset()
    await clock.settle()
    expect(members.size).toBe(0)
  })
})

async function* parts(...values: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  yield* values
}

async function* failing(...values: string[]): AsyncGenerator<string> {
  yield* values
  throw new Error('no source')
}
