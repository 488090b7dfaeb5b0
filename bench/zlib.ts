/**
 * The ways to zlib: time per message and memory per context of each, on the runtime that runs this file.
 *
 *     bun bench/zlib.ts
 *     deno run -A bench/zlib.ts
 *     node bench/zlib.ts          Node 22.18 or later; before, bundle it
 *
 * Text is JSON-like and does not repeat. Time is that of the processor, threads included, so that what `stream` does on
 * another thread counts, and what other processes do does not. A figure is the least of several batches; `--short` takes
 * fewer of them.
 */
import { Buffer } from 'node:buffer'
import process from 'node:process'
import type { Transform } from 'node:stream'
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync, type Zlib } from 'node:zlib'
import { DeflateContext, InflateContext } from '../src/codec/zlib-context.ts'

const SIZES = [64, 128, 1_024, 16_384]
const LEVEL = 6
/** Bytes of different messages: a window must not see the same one again. */
const CORPUS = 1 << 18
const BATCHES: number = process.argv.includes('--short') ? 4 : 12
/** Microseconds. */
const BATCH = 40_000
const CONTEXTS = 300
const PIECE = 1_024
const TAIL_LENGTH = 4
const TAIL: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff)

interface Way {
  readonly name: string
  /** Handles one message of a batch. */
  readonly run: (message: Uint8Array) => unknown
}

let seed = 1
function random(below: number): number {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
  return seed % below
}

const WORDS = ['user', 'value', 'true', 'price', 'order', 'message', 'topic', 'Berlin', 'Lagos', 'Quito', 'null']

function text(length: number): Buffer {
  let out = ''
  while (out.length < length) {
    out += `{"id":${random(1_000_000)},"${WORDS[random(WORDS.length)]}":"${WORDS[random(WORDS.length)]}","n":${random(1_000) / 8}},`
  }
  return Buffer.from(out.slice(0, length))
}

/** Microseconds per message. */
async function measure(way: Way, messages: readonly Uint8Array[]): Promise<number> {
  const batch = async (count: number): Promise<number> => {
    const started = process.cpuUsage()
    for (let i = 0; i < count; i++) {
      const result = way.run(messages[i % messages.length] as Uint8Array)
      if (result instanceof Promise) await result
    }
    const { user, system } = process.cpuUsage(started)
    return user + system
  }
  let count = 64
  while ((await batch(count)) < BATCH) count *= 2
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < BATCHES; i++) best = Math.min(best, (await batch(count)) / count)
  return best
}

/** One message through a stream: written, flushed, read. */
function streamed(stream: Zlib & Transform): (message: Uint8Array) => Promise<void> {
  stream.on('data', () => {})
  return (message) =>
    new Promise((resolve) => {
      stream.write(message)
      stream.flush(constants.Z_SYNC_FLUSH, resolve)
    })
}

function compressing(): Way[] {
  const kept = new DeflateContext(15, LEVEL, 8)
  const shared = new DeflateContext(15, LEVEL, 8)
  return [
    { name: 'context kept (takeover)', run: (message) => kept.deflate(message, TAIL_LENGTH) },
    {
      name: 'context shared, reset (no takeover)',
      run: (message) => {
        shared.deflate(message, TAIL_LENGTH)
        shared.reset()
      },
    },
    {
      name: '`deflateRawSync`',
      run: (message) => deflateRawSync(message, { level: LEVEL, finishFlush: constants.Z_SYNC_FLUSH }),
    },
    { name: 'stream (takeover)', run: streamed(createDeflateRaw({ level: LEVEL })) },
  ]
}

function decompressing(): Way[] {
  const kept = new InflateContext(15)
  const shared = new InflateContext(15)
  const stream = streamed(createInflateRaw())
  return [
    {
      name: 'context kept (takeover)',
      run: (message) => {
        kept.inflate(message, Number.POSITIVE_INFINITY)
        kept.finish(true)
      },
    },
    {
      name: 'context shared, reset (no takeover)',
      run: (message) => {
        shared.inflate(message, Number.POSITIVE_INFINITY)
        shared.finish(false)
        shared.reset()
      },
    },
    {
      name: '`inflateRawSync`',
      run: (message) => inflateRawSync(Buffer.concat([message, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH }),
    },
    { name: 'stream (takeover)', run: (message) => stream(Buffer.concat([message, TAIL])) },
  ]
}

/** Every context that was measured: what one frees, the next must not find. */
const alive: Way['run'][] = []

/** Resident memory of one context, in KiB, after a message that fills its window. */
async function memory(make: () => Way['run'], message: Uint8Array): Promise<number> {
  await make()(message.subarray(0, PIECE))
  const before = process.memoryUsage.rss()
  for (let i = 0; i < CONTEXTS; i++) {
    const run = make()
    // In pieces: output of more than a block would be counted too, until it is collected.
    for (let at = 0; at < message.length; at += PIECE) await run(message.subarray(at, at + PIECE))
    alive.push(run)
  }
  return (process.memoryUsage.rss() - before) / CONTEXTS / 1_024
}

function row(cells: readonly (string | number)[]): void {
  process.stdout.write(`| ${cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(1) : cell)).join(' | ')} |\n`)
}

function runtime(): string {
  const { bun, deno, node } = process.versions as Record<string, string | undefined>
  return bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`
}

function title(name: string, columns: readonly string[]): void {
  process.stdout.write(`\n${name}\n\n`)
  row(columns)
  row(columns.map((_, i) => (i === 0 ? '---' : '---:')))
}

process.stdout.write(`zlib on ${runtime()}, level ${LEVEL}, windows of 15 bits\n`)
const sizes = SIZES.map((size) => (size < 1_024 ? `${size} B` : `${size / 1_024} KiB`))
const plain = new Map(SIZES.map((size) => [size, Array.from({ length: CORPUS / size }, () => text(size))]))

const message = text(65_536)
const small = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH })
title('Resident memory per context, KiB; a connection without takeover has none', ['context', 'compress', 'decompress'])
row([
  'kept',
  await memory(() => {
    const context = new DeflateContext(15, LEVEL, 8)
    return (bytes) => context.deflate(bytes, TAIL_LENGTH)
  }, message),
  await memory(() => {
    const context = new InflateContext(15)
    return (bytes) => context.inflate(bytes, Number.POSITIVE_INFINITY)
  }, small),
])
row([
  'kept, 10 bits and memLevel 4',
  await memory(() => {
    const context = new DeflateContext(10, LEVEL, 4)
    return (bytes) => context.deflate(bytes, TAIL_LENGTH)
  }, message),
  await memory(
    () => {
      const context = new InflateContext(10)
      return (bytes) => context.inflate(bytes, Number.POSITIVE_INFINITY)
    },
    deflateRawSync(message, { windowBits: 10, finishFlush: constants.Z_SYNC_FLUSH }),
  ),
])
row([
  'stream',
  await memory(() => streamed(createDeflateRaw({ level: LEVEL })), message),
  await memory(() => streamed(createInflateRaw()), small),
])

title('Compress, microseconds per message', ['way', ...sizes])
for (const way of compressing()) {
  const cells: (string | number)[] = [way.name]
  for (const size of SIZES) cells.push(await measure(way, plain.get(size) as Buffer[]))
  row(cells)
}

title('Decompress, microseconds per message', ['way', ...sizes])
for (const way of decompressing()) {
  const cells: (string | number)[] = [way.name]
  for (const size of SIZES) {
    const compressed = (plain.get(size) as Buffer[]).map((message) => {
      const whole = deflateRawSync(message, { level: LEVEL, finishFlush: constants.Z_SYNC_FLUSH })
      return whole.subarray(0, whole.length - TAIL_LENGTH)
    })
    cells.push(await measure(way, compressed))
  }
  row(cells)
}
