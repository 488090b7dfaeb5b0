/** How much work reading is when everything waits in chunks; run by itself it prints the times for a test to judge. */
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { Protocol } from '../../src/codec/protocol.ts'
import { bytesOf, mask } from './wire-notation.ts'

/** Milliseconds of processor time to read `frames` messages that came in chunks of `size` bytes before any was read; best of three. */
export function readingTime(frames: number, size: number): number {
  const bytes = mask(bytesOf('81 05 "Hello"'))
  const all = Buffer.alloc(bytes.length * frames, bytes)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 3; round++) {
    const protocol = new Protocol({ role: 'server' })
    const owned = Uint8Array.from(all)
    const chunks: Uint8Array[] = []
    for (let at = 0; at < owned.length; at += size) chunks.push(owned.subarray(at, at + size))
    const begun = process.cpuUsage()
    for (const chunk of chunks) protocol.receiveData(chunk)
    let messages = 0
    for (const event of protocol.events()) messages += 'messageFinished' in event && event.messageFinished ? 1 : 0
    best = Math.min(best, process.cpuUsage(begun).user / 1_000)
    if (messages !== frames) throw new Error(`Read ${messages} of ${frames} messages`)
  }
  return best
}

/** Times for `n` and for eight times as many messages. */
export function eightfold(size: number): [number, number] {
  readingTime(500, size)
  return [readingTime(2_500, size), readingTime(20_000, size)]
}

if (process.argv[1]?.endsWith('linear-time.ts') === true) console.log(JSON.stringify([1, 7, 65_536].map(eightfold)))
