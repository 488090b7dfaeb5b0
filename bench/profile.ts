/**
 * Where the time goes: the server under the load of echo, under the CPU profiler of its own runtime.
 *
 * A profiler says what share of JavaScript's time each function had; how much processor time there was, the scheduler
 * says. What is left of the main thread's is spent outside JavaScript, where profilers see nothing.
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from '../test/subject/runtime.ts'
import { shape, shapeName } from './echo.ts'
import { type EchoLoad, runEcho, type Shape } from './load/load.ts'
import type { Plan } from './plan.ts'
import { type CpuProfile, readSamples, type Sampled, sourcesOf } from './profile/cpu-profile.ts'
import { OTHER_THREADS, OUTSIDE, partOf, UNPLACED } from './profile/parts.ts'
import type { BenchServer } from './server-process.ts'
import { type Failure, hasFailed, type Subject, subjectsNamed, withServer } from './subjects.ts'

const SUBJECTS = subjectsNamed('node ours', 'node control', 'bun ours', 'bun control', 'deno ours', 'deno control')
const SHAPES = ['50x1x64', '50x16x64', '50x16x1024', '10x4x16384', '4x1x1048576']
/** Seconds: samples are taken a thousand times a second, and each cell wants some. */
const SECONDS = 2
const EXIT_ON_SIGNAL = join(import.meta.dir, 'profile', 'exit-on-signal.mjs')
const MOST_UNPLACED = 5
/** Share of its core that a server under this load takes. With less, something else ran, and samples tell about that. */
const BUSY = 0.9
const TRIES = 3

/** Processor time in microseconds per message. */
export interface ProfileFigure {
  /** Of all threads. */
  readonly cpu: number
  /** Messages a second, under the profiler. */
  readonly rate: number
  /** Processor time of the server, as a share of its core. */
  readonly busy: number
  readonly parts: Readonly<Record<string, number>>
}

export interface ProfileRow {
  readonly subject: string
  readonly shape: string
  readonly figure: ProfileFigure | Failure
}

export async function profile({ short, timing, only, shapes }: Plan): Promise<ProfileRow[]> {
  const rows: ProfileRow[] = []
  const seconds = short ? timing.seconds : SECONDS
  for (const of of (shapes ?? SHAPES).map(shape)) {
    for (const subject of SUBJECTS.filter(only)) {
      const figure = await undisturbed(() => profileOf(subject, of, { seconds, warmup: timing.warmup }))
      rows.push({ subject: subject.name, shape: shapeName(of), figure })
      console.error(`profile | ${shapeName(of)} | ${subject.name} | ${hasFailed(figure) ? 'failed' : said(figure)}`)
    }
  }
  return rows
}

/** The first run in which nothing else took the server's core, or of several that one in which least did. */
async function undisturbed(run: () => Promise<ProfileFigure | Failure>): Promise<ProfileFigure | Failure> {
  let best: ProfileFigure | undefined
  for (let tries = 1; tries <= TRIES; tries++) {
    const figure = await run()
    if (hasFailed(figure)) return best ?? figure
    if (best === undefined || figure.busy > best.busy) best = figure
    if (figure.busy >= BUSY) break
    console.error(`  disturbed: the server had ${Math.round(figure.busy * 100)} % of its core`)
  }
  return best as ProfileFigure
}

async function profileOf(subject: Subject, of: Shape, timing: Plan['timing']): Promise<ProfileFigure | Failure> {
  await mkdir(join(ROOT, '.tmp'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, '.tmp', 'profile-'))
  const mode = subject.control ? 'raw' : 'text'
  const preload = subject.runtime === 'node' ? '--import' : '--preload'
  const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, preload, EXIT_ON_SIGNAL]
  try {
    return await withServer(
      subject,
      (server) => measure(server, { ...of, path: '/', mode, ...timing }, folder),
      [],
      flags,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function measure(server: BenchServer, load: EchoLoad, folder: string): Promise<ProfileFigure> {
  const readings: { at: number; cpu: number; main: number }[] = []
  const watched: BenchServer = {
    ...server,
    cpu: () => {
      const cpu = server.cpu()
      readings.push({ at: performance.now(), cpu, main: server.mainCpu() })
      return cpu
    },
  }
  const { rate, cpu } = await runEcho(watched, load)
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined) throw new Error('The load did not say when it began')
  // A profile ends when its process does: that ties its clock to ours.
  const ended = performance.now()
  await server.end()
  const [file] = await readdir(folder)
  if (file === undefined) throw new Error('The profiler has written nothing')
  const text = await readFile(join(folder, file), 'utf8')
  const window = { from: (ended - first.at) / 1_000, to: (ended - last.at) / 1_000 }
  const sampled = readSamples(JSON.parse(text) as CpuProfile, window, sourcesOf(await bundlesIn(text)))
  const whole = last.cpu - first.cpu
  const main = last.main - first.main
  const microseconds = cpu / whole
  // All threads share one core, and samples are taken by the clock: also while another thread runs, or another process.
  const total = sampled.reduce((sum, { seconds }) => sum + seconds, 0)
  const running = Math.min(main / whole, main / total)
  const parts: Record<string, number> = {}
  const add = (part: string, seconds: number): void => {
    parts[part] = (parts[part] ?? 0) + seconds * microseconds
  }
  for (const { stack, seconds } of sampled) add(partOf(stack), seconds * running)
  add(OUTSIDE, main - total * running)
  add(OTHER_THREADS, whole - main)
  sayUnplaced(sampled, main)
  return { cpu, rate, busy: whole / (window.from - window.to), parts }
}

/** The bundle that Node runs, by its URL: profiles name lines of it. */
async function bundlesIn(profileText: string): Promise<Map<string, string>> {
  const found = /"(file:[^"]*\/(bundle-[0-9a-f]+\.mjs))"/.exec(profileText)
  if (found === null) return new Map()
  const file = join(ROOT, '.tmp', found[2] as string)
  return new Map([[pathToFileURL(file).href, await readFile(file, 'utf8')]])
}

/** What the table of parts does not know, so that it is seen. */
function sayUnplaced(sampled: readonly Sampled[], main: number): void {
  const unplaced = sampled.filter(({ stack }) => partOf(stack) === UNPLACED)
  for (const { stack, seconds } of unplaced.sort((a, b) => b.seconds - a.seconds).slice(0, MOST_UNPLACED)) {
    const frames = stack.slice(0, 3).map(({ name, source }) => `${name || '(no name)'} ${source || 'native'}`)
    console.error(`  unplaced ${((seconds / main) * 100).toFixed(1)} %: ${frames.join(' < ')}`)
  }
}

function said({ cpu, rate, parts }: ProfileFigure): string {
  const largest = Object.entries(parts).sort(([, a], [, b]) => b - a)
  const shares = largest.slice(0, 4).map(([part, value]) => `${part} ${Math.round((value / cpu) * 100)} %`)
  return `${Math.round(rate)}/s | ${cpu.toFixed(2)} µs | ${shares.join(', ')}`
}
