/** The benchmarks of the codec in memory, each run by the runtime that it is about. */
import { join } from 'node:path'
import process from 'node:process'
import { command, executable } from '../test/subject/runtime.ts'
import type { Plan } from './plan.ts'
import { SERVER_CORE } from './server-process.ts'

const TIMEOUT = 180_000
/** A young generation that a whole measurement fits in, so that allocations can be counted. */
const NODE_FLAGS = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']

/** As `bench/codec.ts` prints it. */
export interface CodecFigure {
  readonly name: string
  readonly size: number
  /** Microseconds per message. */
  readonly ours: number
  readonly ws: number
  /** Bytes allocated per message, or -1. */
  readonly oursBytes: number
  readonly wsBytes: number
}

export interface CodecRow {
  readonly kind: 'codec'
  readonly runtime: string
  readonly figures: readonly CodecFigure[]
  readonly failed?: string
}

/** Tables of `bench/zlib.ts`, as Markdown. */
export interface ZlibRow {
  readonly kind: 'zlib'
  readonly runtime: string
  readonly text: string
  readonly failed?: string
}

export async function codec({ short }: Plan): Promise<(CodecRow | ZlibRow)[]> {
  const rows: (CodecRow | ZlibRow)[] = []
  const shortly = short ? ['--short'] : []
  const codecFile = join(import.meta.dir, 'codec.ts')
  const commands = {
    Node: [executable('node-current'), ...NODE_FLAGS, codecFile, '--here', ...shortly],
    Bun: [process.execPath, codecFile, '--here', ...shortly],
  }
  for (const [name, argv] of Object.entries(commands)) {
    const { stdout, failed } = output(argv)
    if (failed !== undefined) rows.push({ kind: 'codec', runtime: name, figures: [], failed })
    else {
      const { version, rows: figures } = JSON.parse(stdout) as { version: string; rows: CodecFigure[] }
      rows.push({ kind: 'codec', runtime: `${name} ${version}`, figures })
    }
    console.error(`codec | ${name} | ${failed ?? 'done'}`)
  }
  for (const runtime of short ? [] : (['node', 'bun', 'deno'] as const)) {
    const { stdout, failed } = output(await command(runtime, join(import.meta.dir, 'zlib.ts'), ['--short'], []))
    rows.push({ kind: 'zlib', runtime, text: stdout, ...(failed === undefined ? {} : { failed }) })
    console.error(`zlib | ${runtime} | ${failed ?? 'done'}`)
  }
  return rows
}

function output(argv: readonly string[]): { readonly stdout: string; readonly failed?: string } {
  const child = Bun.spawnSync(['taskset', '-c', SERVER_CORE, ...argv], { timeout: TIMEOUT })
  const stdout = child.stdout.toString()
  if (child.success) return { stdout }
  return { stdout, failed: child.stderr.toString().trim().slice(0, 400) || 'took too long' }
}
