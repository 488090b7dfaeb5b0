/** Connections that always have more to read, beside one that says little. */
import { expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { frame, request, serverFrame, UPGRADE, WireClient } from '../runtime/wire-client.ts'
import { RUNTIMES, startSubject } from '../subject/start.ts'

const MIB = 1024 * 1024
const BUSY = 24
/** Messages that each of them has in flight: more bytes than one read of any runtime takes. */
const IN_FLIGHT = 48
const ROUND_TRIPS = 8
/** For each busy connection: enough for some tens of rests on Deno. */
const ENOUGH = 12 * MIB

const payload = Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 7 + (at >> 8)) & 0xff))
/** Masked with zeros. */
const message = Buffer.concat([Buffer.of(0x82, 0xfe, 0x10, 0, 0, 0, 0, 0), payload])
const messages = Buffer.concat(Array.from({ length: IN_FLIGHT }, () => message))
const reply = Buffer.concat([Buffer.of(0x82, 0x7e, 0x10, 0), payload])
/** Replies without end: any chunk of what is received is somewhere in the first one and what follows. */
const replies = Buffer.concat(Array.from({ length: 300 }, () => reply))

/** Sends a message for each that comes back. */
class BusyClient implements Disposable {
  received = 0
  wrong = 0
  readonly #socket: Socket

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1' })
    this.#socket.on('error', () => {})
    this.#socket.write(request('/echo', UPGRADE))
    this.#socket.once('data', () => {
      this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk))
      this.#socket.write(messages)
    })
  }

  #onData(chunk: Buffer): void {
    const at = this.received % reply.length
    if (!chunk.equals(replies.subarray(at, at + chunk.length))) this.wrong++
    const before = Math.floor(this.received / reply.length)
    this.received += chunk.length
    const count = Math.floor(this.received / reply.length) - before
    this.#socket.write(messages.subarray(0, count * message.length))
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

test.each(RUNTIMES)(
  'R16 S15 connections with full pipes get every byte in order, and a quiet one its answers: %s',
  async (runtime) => {
    await using server = await startSubject(runtime)
    using quiet = await WireClient.open({ port: server.port })
    quiet.send(request('/echo', UPGRADE))
    await quiet.until('\r\n\r\n')
    using stack = new DisposableStack()
    const busy = Array.from({ length: BUSY }, () => stack.use(new BusyClient(server.port)))
    for (let trip = 0; trip < ROUND_TRIPS; trip++) {
      quiet.send(frame(`trip ${trip}`))
      await quiet.until(serverFrame(`trip ${trip}`))
    }
    while (busy.some(({ received }) => received < ENOUGH)) await Bun.sleep(10)
    expect(busy.map(({ wrong }) => wrong)).toEqual(busy.map(() => 0))
  },
  30_000,
)
