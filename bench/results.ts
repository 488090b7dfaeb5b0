/** Results as files: one per section, with the machine, the versions and the load under which it was measured. */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { executable, ROOT } from '../test/subject/runtime.ts'

export interface Environment {
  /** ISO 8601, when the section began. */
  readonly date: string
  readonly machine: string
  /** Load average of the last minute when the section began. */
  readonly load: number
  readonly versions: Readonly<Record<string, string>>
  /** Of this repository. */
  readonly commit: string
}

export interface Result<T> {
  readonly section: string
  /** A short run's figures are a look, not a record. */
  readonly short: boolean
  readonly environment: Environment
  /** Seconds that the section took. */
  readonly took: number
  readonly rows: readonly T[]
}

/** Where results are kept. Those of short runs go elsewhere, so that they never replace the others. */
export function resultsFolder(short: boolean): string {
  return short ? join(ROOT, '.tmp', 'bench-results') : join(ROOT, 'bench', 'results')
}

export async function saveResult<T>(result: Result<T>): Promise<void> {
  const folder = resultsFolder(result.short)
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${result.section}.json`)
  // Messages of failures may name files: where this repository lies is nobody's concern.
  await writeFile(file, `${JSON.stringify(result, rounded, 1).replaceAll(`${ROOT}/`, '').replaceAll(ROOT, '.')}\n`)
  // Kept as every other file is: the check of the repository reads it too.
  Bun.spawnSync([join(ROOT, 'node_modules', '.bin', 'biome'), 'format', '--write', file])
}

/** Four digits are more than a second of measuring can tell. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value
}

export function loadResult<T>(section: string, short: boolean): Result<T> | undefined {
  const file = join(resultsFolder(short), `${section}.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Result<T>) : undefined
}

export function describeEnvironment(): Environment {
  const all = cpus()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  return {
    date: new Date().toISOString(),
    machine: `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}, ${gigabytes} GiB, Linux ${release().split('-')[0]}`,
    load: loadavg()[0] ?? Number.NaN,
    versions: {
      node: said([executable('node'), '--version']).replace('v', ''),
      'node-current': said([executable('node-current'), '--version']).replace('v', ''),
      bun: Bun.version,
      deno: /deno (\S+)/.exec(said([executable('deno'), '--version']))?.[1] ?? '',
      ws: packageVersion('ws'),
      hono: packageVersion('hono'),
      '@hono/node-server': packageVersion('@hono/node-server'),
      crossws: packageVersion('crossws'),
    },
    commit: said(['git', '-C', ROOT, 'rev-parse', '--short', 'HEAD']),
  }
}

function said(argv: readonly string[]): string {
  return Bun.spawnSync([...argv])
    .stdout.toString()
    .trim()
}

function packageVersion(name: string): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}
