/** The message loop in memory, on each runtime: what `await ws.receive()` costs over a callback. */
import { join } from 'node:path'
import { command } from '../test/subject/runtime.ts'
import type { Plan } from './plan.ts'
import { SERVER_CORE } from './server-process.ts'
import type { Failure } from './subjects.ts'

const TIMEOUT = 60_000

/** As `bench/turn.ts` prints it. */
export interface TurnFigure {
  readonly way: string
  /** Messages of 64 bytes in one chunk. */
  readonly perTurn: number
  /** Per message. */
  readonly nanoseconds: number
}

export interface TurnRow {
  readonly subject: string
  readonly figure: readonly TurnFigure[] | Failure
}

export async function turn({ short }: Plan): Promise<TurnRow[]> {
  const rows: TurnRow[] = []
  for (const runtime of short ? (['node'] as const) : (['node', 'bun', 'deno'] as const)) {
    const argv = await command(runtime, join(import.meta.dir, 'turn.ts'), [], [])
    const child = Bun.spawnSync(['taskset', '-c', SERVER_CORE, ...argv], { timeout: TIMEOUT })
    const figure = child.success
      ? (JSON.parse(child.stdout.toString()) as TurnFigure[])
      : { failed: child.stderr.toString().trim().slice(0, 400) || 'took too long' }
    rows.push({ subject: runtime, figure })
    console.error(`turn | ${runtime} | ${child.success ? 'done' : 'failed'}`)
  }
  return rows
}
