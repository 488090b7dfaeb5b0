/**
 * Memory: per idle connection, in the cases where a peer tries to take it, and over many connections opened and closed.
 *
 * Resident memory as the kernel counts it. Per connection: that of the server with the connections open, each having
 * echoed one message, less that before, divided by their number.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../test/subject/runtime.ts'
import { compressedFrame, jsonTexts } from './deflate-frames.ts'
import { type HeldConnections, hold } from './load/hold.ts'
import { attack, type PeerCase } from './load/peer-cases.ts'
import { median } from './median.ts'
import type { Plan } from './plan.ts'
import type { BenchServer } from './server-process.ts'
import { type Failure, type Subject, subjectsNamed, withServer } from './subjects.ts'

const SUBJECTS = subjectsNamed('node ours', 'node ws', 'bun ours', 'bun native', 'deno ours', 'deno native')
/** Only without compression: what an application on Hono has of `ws`, and what a runtime takes by itself. */
const PLAIN = subjectsNamed(
  'node @hono/node-server + ws',
  'node upgrade control',
  'bun upgrade control',
  'deno upgrade control',
)
/**
 * Those that a target compares. Once more without V8's optimizer: it compiles what the first thousand upgrades run
 * through, and the memory that this takes counts for them.
 */
const COMPARED = subjectsNamed('node ours', 'node ws')
const NO_OPTIMIZER = '--no-opt'
const CHURNED = subjectsNamed('node ours', 'bun ours', 'deno ours', 'deno upgrade control')
const COUNTS = [1_000, 10_000]
/** How many servers are looked at, where the median of several is reported. */
const IDLE_SERVERS = 5
const CASES: readonly PeerCase[] = ['R13', 'R16', 'R17']
const CHURN_ROUNDS = 10
/** Milliseconds after which what a burst has left behind is counted. */
const SETTLE = 1_000

export interface IdleRow {
  readonly kind: 'idle'
  readonly subject: string
  readonly connections: number
  readonly deflate: 'none' | 'no takeover' | 'takeover'
  /** Bytes per connection. */
  readonly figure: { readonly bytes: number } | Failure
}

export interface CaseRow {
  readonly kind: 'case'
  readonly subject: string
  readonly id: PeerCase
  /** Bytes of resident memory above those before: the most seen. */
  readonly figure: { readonly peak: number; readonly sent: number } | Failure
}

export interface ChurnRow {
  readonly kind: 'churn'
  readonly subject: string
  readonly connections: number
  /** Whether the server was asked to collect its garbage after each round, before it was looked at. */
  readonly collected: boolean
  readonly figure: Churn | Failure
}

/** After each round. */
interface Churn {
  readonly rss: readonly number[]
  readonly handles: readonly number[]
  /** Bytes of the JavaScript heap that live on; without collections known only after the last round. */
  readonly heap: readonly number[]
}

export type MemoryRow = IdleRow | CaseRow | ChurnRow

export async function memory({ short, only }: Plan): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = []
  const add = (row: MemoryRow): void => {
    rows.push(row)
    console.error(`memory | ${JSON.stringify(row)}`)
  }
  const subjects = SUBJECTS.filter(only)
  const idleSubjects = [...SUBJECTS, ...PLAIN].filter(only)
  for (const connections of short ? [1_000] : COUNTS) {
    for (const subject of idleSubjects) {
      for (const deflate of ['none', 'no takeover', 'takeover'] as const) {
        if (deflate !== 'none' && (subject.name === 'deno native' || PLAIN.includes(subject) || short)) continue
        // Windows for all of them would be gigabytes at some of the peers.
        if (deflate === 'takeover' && connections > 1_000) continue
        add({
          kind: 'idle',
          subject: subject.name,
          connections,
          deflate,
          figure: await idleOf(subject, connections, deflate),
        })
      }
    }
  }
  for (const subject of COMPARED.filter(only)) {
    const connections = 1_000
    const figure = await idleOf(subject, connections, 'none', [NO_OPTIMIZER])
    add({ kind: 'idle', subject: `${subject.name}, ${NO_OPTIMIZER}`, connections, deflate: 'none', figure })
  }
  for (const id of CASES) {
    for (const subject of short ? subjects.filter(({ name }) => name === 'node ours') : subjects) {
      add({
        kind: 'case',
        subject: subject.name,
        id,
        figure: await withServer(subject, (server) => attack(server, id)),
      })
    }
  }
  for (const subject of CHURNED.filter(only)) {
    const connections = short ? 1_000 : 10_000
    const rounds = short ? 2 : CHURN_ROUNDS
    for (const collected of [false, true]) {
      const figure = await withServer(subject, (server) => churn(server, connections, rounds, collected))
      add({ kind: 'churn', subject: subject.name, connections, collected, figure })
    }
  }
  return rows
}

function argsFor(deflate: IdleRow['deflate']): string[] {
  return deflate === 'takeover' ? ['takeover'] : []
}

/** The median of several servers, without compression: what V8's heap happens to grow by differs by a few percent. */
async function idleOf(
  subject: Subject,
  connections: number,
  deflate: IdleRow['deflate'],
  flags: readonly string[] = [],
): Promise<IdleRow['figure']> {
  const figures: number[] = []
  const isSpread = deflate === 'none' && (connections === COUNTS[0] || COMPARED.includes(subject))
  for (let left = isSpread ? IDLE_SERVERS : 1; left > 0; left--) {
    const figure = await withServer(subject, (server) => idle(server, connections, deflate), argsFor(deflate), flags)
    if (!('bytes' in figure)) return figure
    figures.push(figure.bytes)
  }
  return { bytes: median(figures) }
}

async function idle(
  server: BenchServer,
  connections: number,
  deflate: IdleRow['deflate'],
): Promise<{ readonly bytes: number }> {
  const [path, extensions] =
    deflate === 'none'
      ? ['/', '']
      : deflate === 'takeover'
        ? ['/deflate-takeover', 'permessage-deflate']
        : ['/deflate', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover']
  const frame = deflate === 'none' ? undefined : join(ROOT, '.tmp', 'bench-held-frame')
  if (frame !== undefined) await writeFile(frame, compressedFrame(jsonTexts(128)[0] as string))
  // What the first connections load and compile is not theirs.
  await withHeld(server, { connections: 20, path, extensions, frame }, async (held) => {
    await held.open()
    await held.use()
    await held.close()
  })
  await Bun.sleep(SETTLE / 2)
  const before = server.rss()
  return await withHeld(server, { connections, path, extensions, frame }, async (held) => {
    await held.open()
    await held.use()
    await Bun.sleep(SETTLE)
    return { bytes: (server.rss() - before) / connections }
  })
}

async function churn(server: BenchServer, connections: number, rounds: number, collected: boolean): Promise<Churn> {
  const rss: number[] = []
  const handles: number[] = []
  const heap: number[] = []
  await withHeld(server, { connections, path: '/', extensions: '', frame: undefined }, async (held) => {
    for (let round = 0; round < rounds; round++) {
      await held.open()
      await held.use()
      await held.close()
      await Bun.sleep(SETTLE / 2)
      if (collected) heap.push(await liveHeap(server))
      rss.push(server.rss())
      handles.push(server.handles())
    }
  })
  if (!collected) heap.push(await liveHeap(server))
  return { rss, handles, heap }
}

/** Has the server collect its garbage. */
async function liveHeap(server: BenchServer): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.port}/live-heap`, { headers: { connection: 'close' } })
  return Number(await response.text())
}

async function withHeld<T>(
  server: BenchServer,
  options: Parameters<typeof hold>[1],
  work: (held: HeldConnections) => Promise<T>,
): Promise<T> {
  const held = await hold(server, options)
  try {
    return await work(held)
  } finally {
    await held.end()
  }
}
