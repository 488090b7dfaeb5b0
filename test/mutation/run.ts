/**
 * Changes `src/codec` in small ways, one at a time, and runs the codec's tests against each: `bun run mutation`.
 *
 *     bun run mutation [file ...] [--jobs=n] [--part=i/n] [--again=output]
 *
 * `--again` tries only those that survived in the output of another run.
 *
 * Works on copies; the tree stays as it is. A mutant that no test notices must be explained in docs/mutation.md, or the
 * run fails. Minutes for one file, more than an hour for all of them.
 */
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { type Mutant, mutantsOf } from './mutants.ts'

const ROOT = join(import.meta.dir, '..', '..')

/** The codec's tests; the first that fails ends a run. */
const STATES = ['state-table', 'mask']
const FRAMES = ['argument', 'outgoing', 'protocol']
const VECTORS = ['vectors']
const HANDSHAKE = [
  'argument',
  'extension-negotiation',
  'header',
  'http-head',
  'extended-connect',
  'server-handshake',
  'client-handshake',
  'ws-connection',
]
const DEFLATE = ['permessage-deflate']
const RANDOM = ['properties', 'differential', 'deflate-interop']

const TESTS: readonly string[] = [...new Bun.Glob('*.test.ts').scanSync(join(ROOT, 'test', 'codec'))]
  .map((file) => file.replace('.test.ts', ''))
  .sort()

/** Sources that make or read frames; the others belong to the handshake or to permessage-deflate. */
const FRAMING =
  /^(?:protocol|frame-|encoded-|block-|utf8|mask|message-|part-|connection-state|close-|opcode|extension\.ts)/
/** Those that frames and the handshake need both. */
const SHARED = /^(?:argument|errors|event)\.ts/

/** The tests that run a source, those first that notice most in the least time. */
function stagesFor(file: string): readonly (readonly string[])[] {
  const own = TESTS.filter((name) => name.startsWith(file.replace('.ts', ''))).map((name) => [name])
  if (SHARED.test(file)) return [...own, HANDSHAKE, VECTORS, FRAMES, [...DEFLATE, 'http2']]
  if (file === 'frame-encoder.ts') return [STATES, FRAMES, VECTORS, [...DEFLATE, 'ws-connection'], RANDOM]
  if (FRAMING.test(file)) return [...own, STATES, VECTORS, FRAMES, [...DEFLATE, 'close-codes', 'ws-connection'], RANDOM]
  if (/deflate|zlib/.test(file)) return [...own, DEFLATE, ['extension-negotiation', ...VECTORS], RANDOM]
  return [...own, HANDSHAKE, [...DEFLATE, 'deflate-interop', 'http2']]
}

/** Tests that look at source text or at time would tell nothing about a mutant. */
const SKIP = '^(?!.*(linear|time is)).*$'

/**
 * A mutant that computes for five times as long as the original and some seconds, takes more memory, or waits for what
 * never comes, has been noticed.
 */
const MORE_SECONDS = 4
const MEMORY_LIMIT = 1.5 * 2 ** 30
/** In looks at a process that waits, and not in seconds: a busy machine may let it stand still. */
const IDLE_LOOKS = 150
const LOOK_INTERVAL = 250

/** Seconds that a stage may stand still because the machine is busy: its failure may then be a time limit's. */
const STALL_LIMIT = 4

/** Less than in the tests themselves: no row is cut, and random input, which is cut anywhere, is tried less often. */
const QUICK = { CUT_UP_TO: '0', FUZZ_SCALE: '0.3' }

/** A copy of the tree. */
async function workspace(from: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fetch-sock-mutation-'))
  for (const part of ['src', 'test', 'docs', 'package.json', 'tsconfig.json']) {
    await cp(join(from, part), join(folder, part), { recursive: true })
  }
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Processor seconds that a process has used, bytes that it holds, and whether it waits. */
async function useOf(pid: number): Promise<{ seconds: number; memory: number; waits: boolean }> {
  const read = (file: string): Promise<string> =>
    Bun.file(`/proc/${pid}/${file}`)
      .text()
      .catch(() => '')
  const ticks = (await read('stat')).replace(/^.*\) /s, '').split(' ')
  const memory = Number(/VmRSS:\s+(\d+)/.exec(await read('status'))?.[1] ?? 0) * 1_024
  return { seconds: (Number(ticks[11] ?? 0) + Number(ticks[12] ?? 0)) / 100, memory, waits: ticks[0] === 'S' }
}

/** Processor seconds that the tests of a stage may take. */
const limits = new Map<string, number>()

/** Whether the tests of a stage pass. */
async function passes(folder: string, stage: readonly string[]): Promise<boolean> {
  const limit = limits.get(stage.join()) ?? 120
  const files = stage.map((name) => `test/codec/${name}.test.ts`)
  for (let tries = 1; ; tries++) {
    const began = Date.now()
    const child = Bun.spawn([process.execPath, 'test', '--bail=1', '--timeout=600000', '-t', SKIP, ...files], {
      cwd: folder,
      env: { ...process.env, ...QUICK },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
    })
    let killed = false
    let idle = 0
    let before = 0
    const watch = setInterval(async () => {
      const { seconds, memory, waits } = await useOf(child.pid)
      if (seconds > before + 0.05) {
        idle = 0
        before = seconds
      } else if (waits) idle++
      if (idle < IDLE_LOOKS && seconds < limit && memory < MEMORY_LIMIT) return
      killed = true
      child.kill('SIGKILL')
    }, LOOK_INTERVAL)
    const code = await child.exited
    clearInterval(watch)
    const computed = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1_000_000
    if (code === 0) {
      if (!limits.has(stage.join())) limits.set(stage.join(), 5 * computed + MORE_SECONDS)
      return true
    }
    if (killed || tries === 3 || (Date.now() - began) / 1_000 - computed < STALL_LIMIT) return false
  }
}

async function survives(folder: string, file: string): Promise<boolean> {
  for (const stage of stagesFor(file)) if (!(await passes(folder, stage))) return false
  return true
}

interface Survivor extends Mutant {
  readonly file: string
}

const keyOf = (file: string, before: string, after: string): string => `${file}\n- ${before}\n+ ${after}`

/** Mutants that a text shows under the name of their file: docs/mutation.md, or the output of a run. */
async function shownIn(path: string): Promise<Set<string>> {
  const text = await Bun.file(path).text()
  const keys = new Set<string>()
  let file = ''
  for (const line of text.matchAll(/^(?:#+ `|SURVIVED |explained )([\w-]+\.ts)\b.*$|^- (.+)\n\+ (.*)$/gm)) {
    if (line[1] !== undefined) file = line[1]
    else keys.add(keyOf(file, line[2] ?? '', line[3] ?? ''))
  }
  return keys
}

const options = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const option = (name: string, otherwise: string): string =>
  options.find((each) => each.startsWith(`--${name}=`))?.split('=')[1] ?? otherwise
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const all = [...new Bun.Glob('*.ts').scanSync(join(ROOT, 'src', 'codec'))].filter((file) => file !== 'index.ts').sort()
const files = named.length > 0 ? named : all
const jobs = Number(option('jobs', '2'))
const [part, parts] = option('part', '0/1').split('/').map(Number) as [number, number]

/** As the tree was when the run began, whoever edits it meanwhile. */
const base = await workspace(ROOT)
const queue: Survivor[] = []
for (const file of files) {
  const source = await Bun.file(join(base, 'src', 'codec', file)).text()
  for (const mutant of mutantsOf(source)) queue.push({ file, ...mutant })
}
const again = option('again', '')
const wanted = again === '' ? undefined : await shownIn(again)
const chosen = queue
  .filter((_, i) => i % parts === part)
  .filter(({ file, before, after }) => wanted?.has(keyOf(file, before, after)) ?? true)
const counts: ReadonlyMap<string, number> = new Map(
  files.map((file) => [file, chosen.filter((mutant) => mutant.file === file).length]),
)
const known = await shownIn(join(ROOT, 'docs', 'mutation.md'))
const made = new Set(queue.map(({ file, before, after }) => keyOf(file, before, after)))
const stale = [...known].filter((key) => files.includes(key.slice(0, key.indexOf('\n'))) && !made.has(key))
const survivors: Survivor[] = []
let done = 0

async function work(): Promise<void> {
  const folder = await workspace(base)
  await mkdir(join(folder, '.tmp'), { recursive: true })
  for (let mutant = chosen.shift(); mutant !== undefined; mutant = chosen.shift()) {
    const target = join(folder, 'src', 'codec', mutant.file)
    const source = await Bun.file(target).text()
    await Bun.write(target, mutant.source)
    if (await survives(folder, mutant.file)) {
      survivors.push(mutant)
      const mark = known.has(keyOf(mutant.file, mutant.before, mutant.after)) ? 'explained' : 'SURVIVED'
      console.log(`${mark} ${mutant.file}:${mutant.line}\n- ${mutant.before}\n+ ${mutant.after}`)
    }
    await Bun.write(target, source)
    if (++done % 50 === 0) console.error(`${done} done, ${chosen.length} left, ${survivors.length} survived`)
  }
  await rm(folder, { recursive: true, force: true })
}

/** A run in which the tests fail without any change would notice everything. */
async function checkUnchanged(): Promise<void> {
  const stages = new Map(chosen.flatMap(({ file }) => stagesFor(file)).map((stage) => [stage.join(), stage]))
  for (const [names, stage] of stages) {
    if (!(await passes(base, stage))) throw new Error(`Tests fail without any change: ${names}`)
  }
}

await checkUnchanged()
await Promise.all(Array.from({ length: jobs }, work))
await rm(base, { recursive: true, force: true })
for (const file of files) {
  const tried = counts.get(file) ?? 0
  const survived = survivors.filter((survivor) => survivor.file === file).length
  if (tried > 0) console.log(`${file}: ${tried} mutants, ${tried - survived} noticed, ${survived} survived`)
}
const unexplained = survivors.filter(({ file, before, after }) => !known.has(keyOf(file, before, after)))
console.log(
  `${done} mutants, ${done - survivors.length} noticed, ${survivors.length} survived, ${unexplained.length} of them unexplained`,
)
for (const key of stale) console.log(`docs/mutation.md explains what is no mutant any more: ${key}`)
process.exit(unexplained.length + stale.length === 0 ? 0 : 1)
