/**
 * What a message costs in JavaScript between the socket's callback and its write, on the runtime that runs this file; as
 * JSON. The chunk comes from memory and the answer goes nowhere, so that nothing but our code is counted.
 */
import { Buffer } from 'node:buffer'
import { Protocol } from '../src/codec/protocol.ts'
import type { Connection } from '../src/connection/connection.ts'
import { FramedConnection } from '../src/connection/framed.ts'
import { resolveConnectionOptions } from '../src/connection/options.ts'
import type { ByteTransport, TransportListener } from '../src/connection/transport.ts'
import { nodeClock } from '../src/runtime/node-clock.ts'

const CONNECTIONS = 50
const TURNS = 1_000
const BATCHES = 200
const WARM_UP = 40
/** Messages that come in one chunk. */
const PER_TURN = [1, 16]
const MESSAGE = 'abcdefghijklmnop'.repeat(4)

/** What takes the chunks of one connection. */
type Subject = (chunk: Buffer) => void

let messages = 0
let written = 0

/** As an application would write it. */
const HANDLERS: Readonly<Record<string, (ws: Connection) => Promise<void>>> = {
  'for await … await send': async (ws) => {
    for await (const message of ws) {
      messages++
      await ws.send(message)
    }
  },
  'await receive … await send': async (ws) => {
    for (;;) {
      const message = await ws.receive()
      messages++
      await ws.send(message)
    }
  },
  'for await, no answer': async (ws) => {
    for await (const _ of ws) messages++
  },
}

/** The codec with a callback per message, and one write per chunk: no promise, no queue, no limit, no closing. */
function callbacks(): Subject {
  const protocol = new Protocol({ role: 'server' })
  return (chunk) => {
    protocol.receiveData(chunk)
    for (let event = protocol.nextEvent(); event !== null; event = protocol.nextEvent()) {
      if (event.type !== 'TextMessage') continue
      messages++
      protocol.sendText(event.data)
    }
    written += protocol.output.takeRange()?.length ?? 0
  }
}

class Sink implements ByteTransport {
  readonly remoteAddress = undefined
  readonly bufferedAmount = 0
  listener!: TransportListener

  attach(listener: TransportListener): void {
    this.listener = listener
  }

  write(bytes: Uint8Array): boolean {
    written += bytes.length
    return true
  }

  writeAll(pieces: readonly Uint8Array[]): boolean {
    return pieces.every((piece) => this.write(piece))
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

function handled(handler: (ws: Connection) => Promise<void>): Subject {
  const transport = new Sink()
  const ws = new FramedConnection({
    transport,
    protocol: new Protocol({ role: 'server' }),
    clock: nodeClock,
    options: resolveConnectionOptions({ pingInterval: Number.POSITIVE_INFINITY }),
    subprotocol: '',
    extensions: '',
    url: 'ws://localhost/',
    request: undefined,
    mode: 'bench',
  })
  void handler(ws)
  return (chunk) => transport.listener.onData(chunk)
}

function chunkOf(count: number): Buffer {
  const client = new Protocol({ role: 'client' })
  return Buffer.concat(
    Array.from({ length: count }, () => Buffer.from(client.send({ type: 'TextMessage', data: MESSAGE }))),
  )
}

/** Nanoseconds per turn; each turn begins as a socket's callback does, with every microtask and tick behind the last one. */
function turns(subjects: readonly Subject[], chunk: Buffer): Promise<number> {
  return new Promise((done) => {
    let turn = 0
    const begun = performance.now()
    const microtask = Promise.resolve()
    const next = (): void => {
      if (turn === TURNS) {
        done(((performance.now() - begun) * 1e6) / TURNS)
        return
      }
      subjects[turn++ % subjects.length]?.(Buffer.from(chunk))
      void microtask.then(() => microtask.then(() => microtask.then(() => process.nextTick(next))))
    }
    process.nextTick(next)
  })
}

/** The least of many batches, less what the turns themselves take. */
async function measure(make: () => Subject, perTurn: number): Promise<number> {
  const chunk = chunkOf(perTurn)
  const subjects = Array.from({ length: CONNECTIONS }, make)
  await new Promise((resolve) => setImmediate(resolve))
  let least = Number.POSITIVE_INFINITY
  let empty = Number.POSITIVE_INFINITY
  for (let batch = 0; batch < BATCHES; batch++) {
    messages = 0
    const took = await turns(subjects, chunk)
    // A turn whose messages are handled in the next one would be counted wrongly.
    if (messages < (TURNS - 1) * perTurn) throw new Error(`${messages} messages in ${TURNS} turns of ${perTurn}`)
    const nothing = await turns([() => {}], chunk)
    if (batch >= WARM_UP) {
      least = Math.min(least, took)
      empty = Math.min(empty, nothing)
    }
  }
  return (least - empty) / perTurn
}

const ways: Record<string, () => Subject> = { 'a callback on the codec': callbacks }
for (const [name, handler] of Object.entries(HANDLERS)) ways[name] = () => handled(handler)
const figures: { way: string; perTurn: number; nanoseconds: number }[] = []
for (const [way, make] of Object.entries(ways)) {
  for (const perTurn of PER_TURN) figures.push({ way, perTurn, nanoseconds: await measure(make, perTurn) })
}
if (written === 0) throw new Error('Nothing was written')
console.log(JSON.stringify(figures))
