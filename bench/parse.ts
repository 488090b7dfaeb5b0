/** Time to parse one message, by its size and by its fragments, on the runtime that runs this file; as JSON. */
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { Protocol } from '../src/codec/protocol.ts'

const SIZES = [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24]
const FRAGMENTS = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536]
const FRAGMENT = 16
const CHUNK = 65_536
const BATCHES: number = process.argv.includes('--short') ? 3 : 9
/** Microseconds of processor time in a batch, at least. */
const BATCH = 8_000

let consumed = 0

/** Microseconds to parse a message: the best of several batches. Each parse gets fresh bytes, whose copy is not counted. */
function measure(wire: Buffer): number {
  const protocol = new Protocol({ role: 'server', maxMessageSize: Number.POSITIVE_INFINITY })
  const copies = Math.max(1, Math.min(256, Math.floor((1 << 22) / wire.length)))
  const chunks: Buffer[] = []
  const master: Buffer[] = []
  for (let i = 0; i < copies; i++) {
    for (let at = 0; at < wire.length; at += CHUNK) {
      master.push(wire.subarray(at, at + CHUNK))
      chunks.push(Buffer.from(wire.subarray(at, at + CHUNK)))
    }
  }
  const parseAll = (): number => {
    for (const [i, chunk] of chunks.entries()) chunk.set(master[i] as Buffer)
    const begun = process.cpuUsage()
    for (const chunk of chunks) {
      protocol.receiveData(chunk)
      for (let event = protocol.nextEvent(false, true); event !== null; event = protocol.nextEvent(false, true)) {
        if (event.type !== 'BytesMessage') throw new Error(`Parsed a ${event.type}`)
        consumed++
      }
    }
    const { user, system } = process.cpuUsage(begun)
    return user + system
  }
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < BATCHES; i++) {
    let spent = 0
    let rounds = 0
    for (; spent < BATCH; rounds++) spent += parseAll()
    best = Math.min(best, spent / (rounds * copies))
  }
  return best
}

function frame(opcode: number, fin: boolean, payload: Buffer): Buffer {
  const first = (fin ? 0x80 : 0) | opcode
  const key = [0x11, 0x2a, 0x63, 0x07]
  const length = payload.length
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  header[0] = first
  header[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (header.length === 4) header.writeUInt16BE(length, 2)
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, Buffer.from(key), payload.map((byte, i) => byte ^ (key[i & 3] as number))])
}

function fragmented(count: number): Buffer {
  const payload = Buffer.alloc(FRAGMENT, 'x')
  const frames = Array.from({ length: count }, (_, i) => frame(i === 0 ? 2 : 0, i === count - 1, payload))
  return Buffer.concat(frames)
}

const size = SIZES.map((x) => ({ x, microseconds: measure(frame(2, true, Buffer.alloc(x, 'x'))) }))
const fragments = FRAGMENTS.map((x) => ({ x, microseconds: measure(fragmented(x)) }))
if (consumed === 0) throw new Error('Nothing was parsed')
console.log(JSON.stringify({ size, fragments }))
