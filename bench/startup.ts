/** What it costs to begin: time to import, size of the code; ours beside `hono` alone and `ws`. */

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { executable, ROOT, type Runtime } from '../test/subject/runtime.ts'
import { bundleSize } from './bundle-size.ts'
import { median } from './median.ts'
import type { Plan } from './plan.ts'
import { SERVER_CORE } from './server-process.ts'
import type { Failure } from './subjects.ts'

const FOLDER = join(ROOT, '.tmp', 'bench-startup')
const IMPORT_TIMEOUT = 20_000

/** What is imported, with the file that a package manager would give for it. */
const IMPORTS: Readonly<Record<string, { readonly built: string; readonly source: string }>> = {
  'fetch-sock': { built: join(FOLDER, 'dist', 'index.js'), source: join(ROOT, 'src', 'index.ts') },
  'fetch-sock/server': {
    built: join(FOLDER, 'dist', 'runtime', 'server.js'),
    source: join(ROOT, 'src', 'runtime', 'server.ts'),
  },
  'fetch-sock/client': {
    built: join(FOLDER, 'dist', 'runtime', 'client.js'),
    source: join(ROOT, 'src', 'runtime', 'client.ts'),
  },
  'fetch-sock/codec': {
    built: join(FOLDER, 'dist', 'codec', 'index.js'),
    source: join(ROOT, 'src', 'codec', 'index.ts'),
  },
  hono: packageFile('hono/dist/index.js'),
  '@hono/node-server': packageFile('@hono/node-server/dist/index.mjs'),
  ws: packageFile('ws/wrapper.mjs'),
}

export interface ImportRow {
  readonly kind: 'import'
  readonly name: string
  readonly runtime: Runtime
  readonly figure: { readonly milliseconds: number; readonly spread: readonly [number, number] } | Failure
}

export interface SizeRow {
  readonly kind: 'size'
  readonly name: string
  /** Bytes, minified and gzipped: own code, and with every package it needs. */
  readonly own: number
  readonly whole: number
}

export async function startup({ short }: Plan): Promise<(ImportRow | SizeRow)[]> {
  const rows: (ImportRow | SizeRow)[] = []
  await buildPackage()
  const clock = join(FOLDER, 'clock.mjs')
  await writeFile(
    clock,
    "import process from 'node:process'\nconst begun = performance.now()\nawait import(process.argv[2])\nconsole.log(performance.now() - begun)\nprocess.exit(0)\n",
  )
  const times = short ? 3 : 11
  for (const runtime of ['node', 'bun', 'deno'] as const) {
    for (const [name, { built }] of Object.entries(IMPORTS)) {
      const figure = importTime(runtime, clock, built, times)
      rows.push({ kind: 'import', name, runtime, figure })
      console.error(`import | ${runtime} ${name} | ${JSON.stringify(figure)}`)
    }
  }
  for (const [name, { source }] of Object.entries(IMPORTS)) {
    rows.push({
      kind: 'size',
      name,
      own: await bundleSize(source, 'external'),
      whole: await bundleSize(source, 'bundle'),
    })
  }
  return rows
}

/** What npm gets, beside the packages it needs. */
async function buildPackage(): Promise<void> {
  await rm(FOLDER, { recursive: true, force: true })
  await mkdir(FOLDER, { recursive: true })
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
  const built = Bun.spawnSync([tsc, '-p', 'tsconfig.build.json', '--outDir', join(FOLDER, 'dist')], { cwd: ROOT })
  if (!built.success) throw new Error(`The package does not build: ${built.stdout}${built.stderr}`)
}

function importTime(runtime: Runtime, clock: string, file: string, times: number): ImportRow['figure'] {
  const run = runtime === 'deno' ? ['run', '-A', '--quiet'] : []
  const values: number[] = []
  // The first one fills the caches of files and code.
  for (let i = 0; i <= times; i++) {
    const argv = ['taskset', '-c', SERVER_CORE, executable(runtime), ...run, clock, file]
    const child = Bun.spawnSync(argv, { timeout: IMPORT_TIMEOUT })
    if (!child.success) return { failed: child.stderr.toString().trim().slice(0, 400) || 'took too long' }
    if (i > 0) values.push(Number(child.stdout.toString()))
  }
  return { milliseconds: median(values), spread: [Math.min(...values), Math.max(...values)] }
}

function packageFile(path: string): { readonly built: string; readonly source: string } {
  const file = join(ROOT, 'node_modules', path)
  return { built: file, source: file }
}
