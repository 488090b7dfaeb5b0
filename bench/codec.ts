/**
 * The codec in memory beside the Receiver and the Sender of `ws`, in one process and by turns, on Node and on Bun.
 *
 *     bun run bench codec            both runtimes, as Markdown
 *     node bench/codec.ts --here     this runtime alone, as JSON
 *
 * Every message is consumed: text as a string, bytes as bytes, on both sides. Chunks have up to 64 KiB, as sockets give
 * them. `build` is what the connection does, up to the write; ws passes header and payload of its unmasked frames on as
 * two buffers, so its copy is the socket's. Time is that of the processor, threads included, so other processes and hidden threads do not change it; a
 * figure is the best of several batches. Memory is what was allocated while no garbage was collected (Node only).
 */
import { Buffer } from 'node:buffer'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import process from 'node:process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { OutgoingProtocolEvent, Role } from '../src/codec/event.ts'
import { giveBack } from '../src/codec/frame-encoder.ts'
import { PerMessageDeflate } from '../src/codec/permessage-deflate.ts'
import { Protocol } from '../src/codec/protocol.ts'

const SIZES = [16, 64, 125, 1_024, 16_384, 1_048_576]
const COMPRESSED_SIZES = [64, 128, 1_024, 16_384]
const CHUNK = 65_536
const BATCHES = process.argv.includes('--short') ? 2 : 7
/** Microseconds of processor time in a batch. */
const BATCH = 25_000

/** One way to handle `messages` messages. */
interface Work {
  readonly messages: number
  readonly run: () => void | Promise<void>
}

interface Row {
  readonly name: string
  readonly size: number
  /** Microseconds per message. */
  readonly ours: number
  readonly ws: number
  /** Bytes per message, or -1. */
  readonly oursBytes: number
  readonly wsBytes: number
}

interface WsOptions {
  readonly binary: boolean
  readonly fin: true
  readonly mask: boolean
  readonly compress: boolean
}

interface WsSender {
  send(data: string | Buffer, options: WsOptions, done?: () => void): void
}

interface WsDeflate {
  offer(): object
  accept(offers: readonly object[]): object
  cleanup(): void
}

// By path: on Bun a bare `ws` is Bun's own.
const load = createRequire(import.meta.url)
const WsReceiver = load('../node_modules/ws/lib/receiver.js') as new (options: object) => Writable
const WsSender = load('../node_modules/ws/lib/sender.js') as new (socket: object, extensions: object) => WsSender
const WsDeflate = load('../node_modules/ws/lib/permessage-deflate.js') as new (
  options: object,
  isServer: boolean,
  maxPayload: number,
) => WsDeflate

/** What was consumed, so that nothing can be optimised away. */
let consumed = 0

function payloadOf(kind: 'text' | 'binary', size: number): string | Uint8Array {
  const text = '{"id":1234567,"user":"Ana","text":"how are you","price":12.5,"ok":true},'
    .repeat(size / 70 + 1)
    .slice(0, size)
  return kind === 'text' ? text : Uint8Array.from(Buffer.from(text), (byte, i) => byte ^ (i * 31))
}

function eventOf(payload: string | Uint8Array): OutgoingProtocolEvent {
  return typeof payload === 'string' ? { type: 'TextMessage', data: payload } : { type: 'BytesMessage', data: payload }
}

/** A megabyte of frames at least, in chunks; the copies that are fed, and the masters that they are restored from. */
function chunksOf(payload: string | Uint8Array, from: Role): { messages: number; chunks: Buffer[]; masters: Buffer[] } {
  const sender = new Protocol({ role: from })
  const messages = Math.max(1, Math.min(2_000, Math.floor((1 << 20) / payload.length)))
  const frames = Array.from({ length: messages }, () => Buffer.from(sender.send(eventOf(payload))))
  const wire = Buffer.concat(frames)
  const masters: Buffer[] = []
  for (let at = 0; at < wire.length; at += CHUNK) masters.push(wire.subarray(at, at + CHUNK))
  return { messages, chunks: masters.map((master) => Buffer.from(new Uint8Array(master))), masters }
}

/** Reading unmasks in place, so the chunks are restored first: the same copy for both sides. */
function restore(chunks: readonly Buffer[], masters: readonly Buffer[]): void {
  for (const [i, master] of masters.entries()) chunks[i]?.set(master)
}

function parseOurs(payload: string | Uint8Array, role: Role): Work {
  const { messages, chunks, masters } = chunksOf(payload, role === 'server' ? 'client' : 'server')
  const protocol = new Protocol({ role })
  const run = (): void => {
    restore(chunks, masters)
    for (const chunk of chunks) {
      protocol.receiveData(chunk)
      for (let event = protocol.nextEvent(false, true); event !== null; event = protocol.nextEvent(false, true)) {
        if (event.type === 'TextMessage' || event.type === 'BytesMessage') consumed += event.data.length
      }
    }
  }
  return { messages, run }
}

function parseWs(payload: string | Uint8Array, role: Role): Work {
  const { messages, chunks, masters } = chunksOf(payload, role === 'server' ? 'client' : 'server')
  const receiver = new WsReceiver({ isServer: role === 'server', maxPayload: 1 << 20 })
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    consumed += isBinary ? data.length : data.toString().length
  })
  const run = (): void => {
    restore(chunks, masters)
    for (const chunk of chunks) receiver.write(chunk)
  }
  return { messages, run }
}

/** Encodes and takes as the connection does: a batch is up to 64 KiB, and its memory is given back when it has left. */
function buildOurs(payload: string | Uint8Array, role: Role): Work {
  const protocol = new Protocol({ role })
  const messages = payload.length > CHUNK ? 1 : 100
  const flush = (): void => {
    const range = protocol.output.takeRange()
    if (range === undefined) for (const piece of protocol.output.take()) consumed += piece.length
    else {
      consumed += range.length
      giveBack(range)
    }
  }
  const run = (): void => {
    for (let i = 0; i < messages; i++) {
      if (typeof payload === 'string') protocol.sendText(payload)
      else protocol.sendBytes(payload)
      if (protocol.output.pending >= CHUNK) flush()
    }
    flush()
  }
  return { messages, run }
}

/** ws leaves the encoding of a server's text, and the joining of header and payload, to the socket: this one encodes. */
function sink(): object {
  const write = (chunk: string | Uint8Array): void => {
    consumed += typeof chunk === 'string' ? Buffer.from(chunk).length : chunk.length
  }
  return { cork: () => {}, uncork: () => {}, write }
}

function buildWs(payload: string | Uint8Array, role: Role): Work {
  const sender = new WsSender(sink(), {})
  const options: WsOptions = {
    binary: typeof payload !== 'string',
    fin: true,
    mask: role === 'client',
    compress: false,
  }
  const data = typeof payload === 'string' ? payload : Buffer.from(payload)
  const messages = payload.length > CHUNK ? 1 : 100
  const run = (): void => {
    for (let i = 0; i < messages; i++) sender.send(data, options)
  }
  return { messages, run }
}

const DISTINCT = 64

/** Text that differs from message to message, as compression should see it. */
function texts(size: number): string[] {
  return Array.from({ length: DISTINCT }, (_, i) =>
    Array.from(
      { length: size / 40 + 1 },
      (_, j) => `{"id":${(i * 7919 + j * 104_729) % 1_000_003},"user":"u${(i * 31 + j) % 97}","n":${j}},`,
    )
      .join('')
      .slice(0, size),
  )
}

/** A message compressed by a server and inflated by a client, without takeover, at level 6. */
function compressedOurs(size: number): Work {
  const [server, client] = [new PerMessageDeflate({ threshold: 0 }), new PerMessageDeflate({ threshold: 0 })]
  const answer = server.accept(client.offer()[0] ?? [])
  if (answer === null || !client.finalize(answer)) throw new Error('permessage-deflate was not agreed on')
  const sender = new Protocol({ role: 'server', extensions: [server] })
  const receiver = new Protocol({ role: 'client', extensions: [client] })
  const messages = texts(size)
  const run = (): void => {
    for (const data of messages) {
      receiver.receiveData(Buffer.from(sender.send({ type: 'TextMessage', data })))
      for (const event of receiver) if (event.type === 'TextMessage') consumed += event.data.length
    }
  }
  return { messages: messages.length, run }
}

function compressedWs(size: number): Work {
  const options = {
    threshold: 0,
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
    zlibDeflateOptions: { level: 6 },
  }
  const [server, client] = [new WsDeflate(options, true, 1 << 20), new WsDeflate(options, false, 1 << 20)]
  server.accept([{ server_no_context_takeover: [true], client_no_context_takeover: [true] }])
  client.accept([{ server_no_context_takeover: [true], client_no_context_takeover: [true] }])
  const receiver = new WsReceiver({
    isServer: false,
    maxPayload: 1 << 20,
    extensions: { 'permessage-deflate': client },
  })
  const socket = {
    cork: () => {},
    uncork: () => {},
    write: (chunk: Uint8Array) => void receiver.write(Buffer.from(chunk)),
  }
  const sender = new WsSender(socket, { 'permessage-deflate': server })
  const messages = texts(size)
  let left = 0
  let done = (): void => {}
  receiver.on('message', (data: Buffer) => {
    consumed += data.toString().length
    if (--left === 0) done()
  })
  const run = (): Promise<void> =>
    new Promise((resolve) => {
      left = messages.length
      done = resolve
      for (const text of messages) sender.send(text, { binary: false, fin: true, mask: false, compress: true })
    })
  return { messages: messages.length, run }
}

/** Microseconds of processor time per message, in one batch. */
async function batch(work: Work): Promise<number> {
  const begun = process.cpuUsage()
  for (let rounds = 1; ; rounds++) {
    const running = work.run()
    if (running !== undefined) await running
    const { user, system } = process.cpuUsage(begun)
    if (user + system >= BATCH) return (user + system) / (rounds * work.messages)
  }
}

const gc = (globalThis as { gc?: () => void }).gc

/** Bytes that one message allocates; -1 when the runtime does not say, or collected garbage meanwhile. */
function allocated(work: Work): number {
  if (gc === undefined) return -1
  const rounds = Math.max(1, Math.ceil(400 / work.messages))
  gc()
  const before = process.memoryUsage()
  for (let i = 0; i < rounds; i++) void work.run()
  const after = process.memoryUsage()
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  return Math.max(-1, Math.round(bytes / (rounds * work.messages)))
}

async function measure(name: string, size: number, ours: Work, ws: Work, memory = true): Promise<Row> {
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as [number, number]
  for (let i = 0; i < BATCHES; i++) {
    best[0] = Math.min(best[0], await batch(ours))
    best[1] = Math.min(best[1], await batch(ws))
  }
  const [oursBytes, wsBytes] = memory ? [allocated(ours), allocated(ws)] : [-1, -1]
  return { name, size, ours: best[0], ws: best[1], oursBytes, wsBytes }
}

async function measureAll(): Promise<Row[]> {
  const rows: Row[] = []
  for (const kind of ['text', 'binary'] as const) {
    for (const size of SIZES) {
      const payload = payloadOf(kind, size)
      rows.push(await measure(`parse ${kind}, masked`, size, parseOurs(payload, 'server'), parseWs(payload, 'server')))
      rows.push(await measure(`parse ${kind}`, size, parseOurs(payload, 'client'), parseWs(payload, 'client')))
      rows.push(await measure(`build ${kind}, masked`, size, buildOurs(payload, 'client'), buildWs(payload, 'client')))
      rows.push(await measure(`build ${kind}`, size, buildOurs(payload, 'server'), buildWs(payload, 'server')))
    }
  }
  for (const size of COMPRESSED_SIZES) {
    rows.push(await measure('deflate and inflate text', size, compressedOurs(size), compressedWs(size), false))
  }
  return rows.sort((a, b) => a.name.localeCompare(b.name) || a.size - b.size)
}

function sizeName(size: number): string {
  if (size < 1_024) return `${size} B`
  return size < 1_048_576 ? `${size / 1_024} KiB` : `${size / 1_048_576} MiB`
}

function speed(microseconds: number, size: number): string {
  const perSecond = 1_000_000 / microseconds
  const messages = perSecond >= 10_000 ? `${Math.round(perSecond / 1_000)} k` : `${Math.round(perSecond)}`
  return `${messages} | ${Math.round((perSecond * size) / 1_000_000)}`
}

function table(runtime: string, rows: readonly Row[]): string {
  const bytes = (value: number): string => (value < 0 ? '' : String(value))
  const lines = rows.map(
    (row) =>
      `| ${row.name} | ${sizeName(row.size)} | ${speed(row.ours, row.size)} | ${bytes(row.oursBytes)} | ` +
      `${speed(row.ws, row.size)} | ${bytes(row.wsBytes)} | ${(row.ws / row.ours).toFixed(1)} |`,
  )
  return [
    `### ${runtime}`,
    '',
    '| | size | messages/s | MB/s | bytes allocated | ws: messages/s | MB/s | bytes allocated | ours to ws |',
    '|---|---|---|---|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n')
}

/** Runs this file on the runtime and prints its table. */
function report(name: string, argv: readonly string[]): void {
  const [command = '', ...args] = argv
  const file = fileURLToPath(import.meta.url)
  const { stdout, status } = spawnSync(command, [...args, file, '--here'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 24,
  })
  if (status !== 0) throw new Error(`The benchmark failed on ${name}`)
  const { version, rows } = JSON.parse(stdout) as { version: string; rows: Row[] }
  console.log(table(`${name} ${version}`, rows))
}

if (process.argv.includes('--here')) {
  const version = process.versions.bun ?? process.versions.node
  const rows = await measureAll()
  if (consumed === 0) throw new Error('Nothing was consumed')
  console.log(JSON.stringify({ version, rows }))
} else {
  const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
  report('Node', [node, '--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'])
  report('Bun', [process.execPath])
}
