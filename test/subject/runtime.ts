/** The runtimes that tests run servers on, and the command that runs a TypeScript file on each. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { delimiter, join, sep } from 'node:path'
import process from 'node:process'

export const ROOT: string = join(import.meta.dir, '..', '..')
const BIN = join(ROOT, 'node_modules', '.bin')
const BUNDLES = join(ROOT, '.tmp')
let drafts = 0

/** `node` is the machine's own (the oldest that is supported), `node-current` the newest. */
export const RUNTIMES = ['node', 'node-current', 'bun', 'deno'] as const
export type Runtime = (typeof RUNTIMES)[number]

export function isRuntime(name: string | undefined): name is Runtime {
  return RUNTIMES.includes(name as Runtime)
}

/**
 * The Node of this machine, not the newer one among the packages: package scripts put that one first on PATH.
 * `SUBJECT_NODE` names another.
 */
export function machineNode(): string {
  const named = process.env.SUBJECT_NODE ?? ''
  if (named !== '') return named
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => !isInPackages(folder))
  const found = folders.map((folder) => join(folder, 'node')).find((file) => existsSync(file))
  if (found !== undefined) return found
  const npmsOwn = process.env.npm_node_execpath ?? ''
  if (npmsOwn !== '' && !isInPackages(npmsOwn)) return npmsOwn
  throw new Error('No node on PATH outside node_modules; name one in SUBJECT_NODE')
}

/** Of test/node-current. Not every npm links the executable of a package that is optional. */
function currentNode(): string {
  const [found] = new Bun.Glob('node-*/bin/node').scanSync({ cwd: join(ROOT, 'node_modules'), absolute: true })
  if (found === undefined) throw new Error('test/node-current has no Node for this machine')
  return found
}

function isInPackages(path: string): boolean {
  return path.split(sep).includes('node_modules')
}

/** The executable of a runtime. */
export function executable(runtime: Runtime): string {
  switch (runtime) {
    case 'node':
      return machineNode()
    case 'node-current':
      return currentNode()
    case 'bun':
      return process.execPath
    case 'deno':
      return join(BIN, 'deno')
  }
}

/** With this Node names our lines in the stack of an error. A server that is measured runs without: maps take memory. */
const SOURCE_MAPS = '--enable-source-maps'

/**
 * The command that runs a TypeScript file of this repository.
 *
 * @param flags of the runtime itself
 */
export async function command(
  runtime: Runtime,
  file: string,
  args: readonly string[] = [],
  flags: readonly string[] = runtime.startsWith('node') ? [SOURCE_MAPS] : [],
): Promise<string[]> {
  switch (runtime) {
    case 'node':
    case 'node-current':
      return [executable(runtime), ...flags, await bundle(file, flags.includes(SOURCE_MAPS)), ...args]
    case 'bun':
      return [executable(runtime), ...flags, file, ...args]
    case 'deno':
      return [executable(runtime), 'run', '-A', '--quiet', ...flags, file, ...args]
  }
}

/** Node 20 runs no TypeScript and knows no `paths`: one bundle serves every Node. Packages stay outside it. */
async function bundle(file: string, hasMap: boolean): Promise<string> {
  const sourcemap = hasMap ? 'inline' : 'none'
  const built = await Bun.build({ entrypoints: [file], target: 'node', packages: 'external', sourcemap })
  const code = await built.outputs[0]?.text()
  if (code === undefined) throw new Error(`Nothing was built from ${file}`)
  const hash = createHash('sha256').update(code).digest('hex').slice(0, 16)
  const out = join(BUNDLES, `bundle-${hash}.mjs`)
  if (existsSync(out)) return out
  await mkdir(BUNDLES, { recursive: true })
  // Several may be built at the same time, here and in other processes.
  const draft = `${out}.${process.pid}.${++drafts}`
  await Bun.write(draft, code)
  await rename(draft, out)
  return out
}
