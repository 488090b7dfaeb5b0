/**
 * Changes `src/codec` in small ways, one at a time, and runs the codec's tests against each: `bun run mutation`.
 *
 *     bun run mutation [file ...] [--jobs=n] [--part=i/n]
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
const FRAMES = ['outgoing', 'protocol']
const VECTORS = ['vectors']
const HANDSHAKE = [
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

/** Sources that make or read frames; the others belong to the handshake or to permessage-deflate. */
const FRAMING = /^(?:protocol|frame-|utf8|mask|message-|connection-state|close-code|opcode|errors|event|extension\.ts)/

/** The tests that run a source, those first that notice most in the least time. */
function stagesFor(file: string): readonly (readonly string[])[] {
  if (file === 'frame-encoder.ts') return [STATES, FRAMES, VECTORS, [...DEFLATE, 'ws-connection'], RANDOM]
  if (FRAMING.test(file)) return [STATES, VECTORS, FRAMES, [...DEFLATE, 'close-codes', 'ws-connection'], RANDOM]
  if (/deflate|zlib/.test(file)) return [DEFLATE, ['extension-negotiation', ...VECTORS], RANDOM]
  return [HANDSHAKE, [...DEFLATE, 'deflate-interop', 'http2']]
}

/** Tests that look at source text or at time would tell nothing about a mutant. */
const SKIP = '^(?!.*(linear|time is)).*$'

/** A mutant that runs for longer, or takes more memory, has been noticed. */
const STAGE_LIMIT = 40_000
const MEMORY_LIMIT = 1.5 * 2 ** 30

/** Less than in the tests themselves: no row is cut, and random input, which is cut anywhere, is tried less often. */
const QUICK = { CUT_UP_TO: '0', FUZZ_SCALE: '0.3' }

async function workspace(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fetch-sock-mutation-'))
  for (const part of ['src', 'test', 'docs']) await cp(join(ROOT, part), join(folder, part), { recursive: true })
  for (const file of ['package.json', 'tsconfig.json']) await cp(join(ROOT, file), join(folder, file))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

async function memoryOf(pid: number): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`)
    .text()
    .catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024
}

/** Whether the tests of a stage pass. */
async function passes(folder: string, stage: readonly string[]): Promise<boolean> {
  const files = stage.map((name) => `test/codec/${name}.test.ts`)
  const child = Bun.spawn([process.execPath, 'test', '--bail=1', '--timeout=20000', '-t', SKIP, ...files], {
    cwd: folder,
    env: { ...process.env, ...QUICK },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  })
  const deadline = Date.now() + STAGE_LIMIT
  const watch = setInterval(async () => {
    if (Date.now() > deadline || (await memoryOf(child.pid)) > MEMORY_LIMIT) child.kill('SIGKILL')
  }, 250)
  const code = await child.exited
  clearInterval(watch)
  return code === 0
}

async function survives(folder: string, file: string): Promise<boolean> {
  for (const stage of stagesFor(file)) if (!(await passes(folder, stage))) return false
  return true
}

interface Survivor extends Mutant {
  readonly file: string
}

const keyOf = (file: string, before: string, after: string): string => `${file}\n- ${before}\n+ ${after}`

/** Survivors that docs/mutation.md explains. */
async function explained(): Promise<Set<string>> {
  const page = await Bun.file(join(ROOT, 'docs', 'mutation.md')).text()
  const keys = new Set<string>()
  let file = ''
  for (const line of page.matchAll(/^#+ `([\w-]+\.ts)`$|^- (.+)\n\+ (.*)$/gm)) {
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

const queue: Survivor[] = []
for (const file of files) {
  const source = await Bun.file(join(ROOT, 'src', 'codec', file)).text()
  for (const mutant of mutantsOf(source)) queue.push({ file, ...mutant })
}
const chosen = queue.filter((_, i) => i % parts === part)
const known = await explained()
const survivors: Survivor[] = []
let done = 0

async function work(): Promise<void> {
  const folder = await workspace()
  await mkdir(join(folder, '.tmp'), { recursive: true })
  for (const file of ['protocol.ts', 'permessage-deflate.ts', 'header.ts']) {
    if (!(await survives(folder, file))) throw new Error(`The tests of ${file} fail without any change`)
  }
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

await Promise.all(Array.from({ length: jobs }, work))
const unexplained = survivors.filter(({ file, before, after }) => !known.has(keyOf(file, before, after)))
console.log(
  `${done} mutants, ${done - survivors.length} noticed, ${survivors.length} survived, ${unexplained.length} of them unexplained`,
)
process.exit(unexplained.length === 0 ? 0 : 1)
