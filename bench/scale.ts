/**
 * Does cost grow linearly? Echo with ever more connections, by the processor time of a message; and the codec on ever
 * longer and ever more fragmented messages, by the time to parse one.
 */
import { join } from 'node:path'
import { command } from '../test/subject/runtime.ts'
import { runEcho } from './load/load.ts'
import type { Plan } from './plan.ts'
import { inTurns, type Row } from './rounds.ts'
import { SERVER_CORE } from './server-process.ts'
import { type Failure, subjectsNamed } from './subjects.ts'

const SUBJECTS = subjectsNamed('node ours', 'node ws', 'bun ours', 'bun native', 'deno ours', 'deno native')
const CONNECTIONS = [10, 100, 1_000, 10_000]
const PARSE_TIMEOUT = 120_000

export interface ConnectionsRow extends Row {
  readonly kind: 'connections'
  readonly connections: number
}

/** Time to parse one message. */
export interface ParsePoint {
  /** Bytes of a message of one frame, or fragments of 16 bytes. */
  readonly x: number
  readonly microseconds: number
}

export interface ParseRow {
  readonly kind: 'parse'
  readonly runtime: string
  readonly figure: { readonly size: readonly ParsePoint[]; readonly fragments: readonly ParsePoint[] } | Failure
}

export async function scale({ short, timing, only }: Plan): Promise<(ConnectionsRow | ParseRow)[]> {
  const rows: (ConnectionsRow | ParseRow)[] = []
  for (const connections of short ? CONNECTIONS.slice(0, 3) : CONNECTIONS) {
    const subjects = short ? SUBJECTS.filter(({ file }) => file === 'ours') : SUBJECTS
    const jobs = subjects.filter(only).map((subject) => ({
      subject,
      measure: (server: Parameters<typeof runEcho>[0]) =>
        runEcho(server, { connections, inFlight: 1, size: 64, path: '/', mode: 'text', ...timing }),
    }))
    const measured = await inTurns(`${connections} connections`, jobs, 1)
    rows.push(...measured.map((row) => ({ ...row, kind: 'connections' as const, connections })))
  }
  for (const runtime of ['node', 'bun', 'deno'] as const) {
    const argv = await command(runtime, join(import.meta.dir, 'parse.ts'), short ? ['--short'] : [], [])
    const child = Bun.spawnSync(['taskset', '-c', SERVER_CORE, ...argv], { timeout: PARSE_TIMEOUT })
    const figure: ParseRow['figure'] = child.success
      ? (JSON.parse(child.stdout.toString()) as Exclude<ParseRow['figure'], Failure>)
      : { failed: child.stderr.toString().trim().slice(0, 400) || 'took too long' }
    rows.push({ kind: 'parse', runtime, figure })
    console.error(`parse | ${runtime} | ${child.success ? 'done' : 'failed'}`)
  }
  return rows
}

/** Exponent of the growth between the ends of a range, by least squares on the logarithms: 1 is linear. */
export function slope(points: readonly ParsePoint[]): number {
  const logs = points.map(({ x, microseconds }) => [Math.log(x), Math.log(microseconds)] as const)
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length
  const above = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const below = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return above / below
}
