/** A standard `WebSocket` in the hands of the test: what an adapter must make of its events. */
import { expect, test } from 'bun:test'
import { WebSocketError } from '../../src/codec/errors.ts'
import type { HostedSocketEvents } from '../../src/connection/hosted-socket.ts'
import { EventSocket } from '../../src/runtime/event-socket.ts'

class FakeWebSocket extends EventTarget {
  readyState = 1
  bufferedAmount: number | null = null
  binaryType = 'blob'
  readonly did: string[] = []
  fails: Error | undefined
  send(data: string | Uint8Array): void {
    if (this.fails !== undefined) throw this.fails
    this.did.push(`send ${data}`)
  }
  close(code?: number, reason?: string): void {
    if (this.fails !== undefined) throw this.fails
    this.did.push(`close ${code} ${reason}`)
  }
  tell(type: string, fields: object): void {
    this.dispatchEvent(Object.assign(new Event(type), fields))
  }
}

function recorder(): HostedSocketEvents & { readonly seen: unknown[] } {
  const seen: unknown[] = []
  return {
    seen,
    onMessage: (data) => seen.push(data),
    onPing: (payload) => seen.push(payload),
    onPong: (payload) => seen.push(payload),
    onClose: (...end) => seen.push(end),
  }
}

function pair(): { fake: FakeWebSocket; socket: EventSocket } {
  const fake = new FakeWebSocket()
  return { fake, socket: new EventSocket(fake as never, '192.0.2.1') }
}

test('S16 what comes before anybody attaches is kept, in order', () => {
  const { fake, socket } = pair()
  fake.tell('message', { data: 'first' })
  fake.tell('message', { data: new Uint8Array([1, 2]).buffer })
  fake.tell('close', { code: 4000, reason: 'over', wasClean: true })
  const events = recorder()
  socket.attach(events)
  expect(events.seen).toEqual(['first', new Uint8Array([1, 2]), [4000, 'over', true]])
  expect(fake.binaryType).toBe('arraybuffer')
})

test('H17 a host that leaves the answer to a Close to us gets it, once', () => {
  const { fake, socket } = pair()
  const events = recorder()
  socket.attach(events)
  fake.readyState = 2
  fake.tell('close', { code: 1000, reason: 'bye', wasClean: true })
  expect(fake.did).toEqual(['close 1000 bye'])
  expect(events.seen).toEqual([[1000, 'bye', true]])
  const closed = pair()
  closed.socket.attach(recorder())
  closed.fake.readyState = 3
  closed.fake.tell('close', { code: 1000, reason: '', wasClean: true })
  expect(closed.fake.did).toEqual([])
})

test('H17 the answer to a Close without a code has none either', () => {
  const { fake, socket } = pair()
  const events = recorder()
  socket.attach(events)
  fake.readyState = 2
  fake.tell('close', { code: 1005, reason: '', wasClean: true })
  expect(fake.did).toEqual(['close undefined undefined'])
  expect(events.seen).toEqual([[1005, '', true]])
})

test('S22 who waits for room looks at once, and then less and less often', async () => {
  const { socket } = pair()
  const looks: string[] = []
  const begun = performance.now()
  await new Promise<void>((resolve) => {
    socket.onceDrained(() => {
      looks.push('fiftieth')
      resolve()
    }, 50)
    socket.onceDrained(() => looks.push('first'), 0)
  })
  expect(looks).toEqual(['first', 'fiftieth'])
  expect(performance.now() - begun).toBeGreaterThan(4)
  expect(performance.now() - begun).toBeLessThan(100)
})

test('H17 an error without a close is the end, after a close that may be on its way', async () => {
  const { fake, socket } = pair()
  const events = recorder()
  socket.attach(events)
  fake.readyState = 3
  fake.tell('error', {})
  expect(events.seen).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(events.seen).toEqual([[1006, '', false]])
})

test('S14 a send that an open host refuses throws, one that comes too late does not', () => {
  const { fake, socket } = pair()
  socket.attach(recorder())
  fake.fails = new Error('Cannot perform I/O on behalf of a different request')
  expect(() => socket.send('x')).toThrow(WebSocketError)
  expect(() => socket.send('x')).toThrow('on behalf of a different request')
  fake.readyState = 2
  socket.send('x')
  expect(fake.did).toEqual([])
  expect([socket.bufferedAmount, socket.remoteAddress, socket.readyState]).toEqual([0, '192.0.2.1', 2])
})

test('C11 a close that the host refuses ends what is over already', async () => {
  const { fake, socket } = pair()
  const events = recorder()
  socket.attach(events)
  fake.fails = new Error('InvalidStateError')
  fake.readyState = 3
  socket.close(1000, '')
  socket.terminate()
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(events.seen[0]).toEqual([1006, '', false])
})

test('R3 once the end was told, a socket that its host keeps holds nothing of the connection', async () => {
  const { fake, socket } = pair()
  const gone = ((): WeakRef<object> => {
    const events = recorder()
    socket.attach(events)
    fake.readyState = 3
    fake.tell('close', { code: 1000, reason: '', wasClean: true })
    expect(events.seen).toEqual([[1000, '', true]])
    return new WeakRef(events)
  })()
  // What a WeakRef has given, or was made for, lives until the end of its turn.
  await new Promise((resolve) => setTimeout(resolve))
  Bun.gc(true)
  expect(gone.deref()).toBeUndefined()
  fake.tell('message', { data: 'late' })
  expect(fake.did).toEqual([])
})
