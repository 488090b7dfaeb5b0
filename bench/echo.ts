/**
 * Echo, ours beside the peers, in one run.
 *
 * Each subject is a process pinned to one core, the load another on the other core. Rounds go through the subjects in
 * alternating order; a figure is the median of its rounds, with the least and the greatest beside it.
 */
import { runEcho, type Shape, type Timing } from './load/load.ts'
import type { Plan } from './plan.ts'
import { inTurns, type Row } from './rounds.ts'
import { SUBJECTS, type Subject, subjectsNamed } from './subjects.ts'

/** connections × in flight × bytes */
export const SHAPES: readonly Shape[] = [
  shape('1x1x64'),
  shape('50x1x64'),
  shape('50x16x64'),
  shape('50x16x1024'),
  shape('10x4x16384'),
  shape('4x1x1048576'),
  shape('1000x1x64'),
]
const SHORT_SHAPES = SHAPES.slice(0, 5)

const MAIN = subjectsNamed(
  'node control',
  'node ours',
  'node ws',
  'bun control',
  'bun ours',
  'bun native',
  'deno control',
  'deno ours',
  'deno native',
)
/** The Node of today beside the oldest that is supported, which has fewer fast calls into its C++. */
const CURRENT = subjectsNamed('node-current control', 'node-current ours', 'node-current ws')
/** Of those that no target is about. */
const OTHER_ROUNDS = 2
const BINARY = MAIN.filter((subject) => subject.control === undefined)
const BINARY_SHAPES = [shape('50x16x64'), shape('10x4x16384'), shape('4x1x1048576')]

/** Bytes of small messages, which have more rounds. */
const SMALL = 64

export function shape(text: string): Shape {
  const [connections = 1, inFlight = 1, size = 64] = text.split('x').map(Number)
  return { connections, inFlight, size }
}

export function sizeName(size: number): string {
  if (size < 1_024) return `${size} B`
  return size < 1 << 20 ? `${size / 1_024} KiB` : `${size / (1 << 20)} MiB`
}

export function shapeName({ connections, inFlight, size }: Shape): string {
  return `${connections}×${inFlight}×${sizeName(size)}`
}

export interface EchoRow extends Row {
  readonly shape: string
  readonly mode: 'text' | 'binary'
}

export interface EchoPlan extends Timing {
  readonly subjects: readonly Subject[]
  readonly shapes: readonly Shape[]
  readonly mode: 'text' | 'binary'
  readonly rounds: number
  /** Of messages of 64 B. */
  readonly smallRounds: number
  readonly path?: string
}

export async function measureEcho(plan: EchoPlan): Promise<EchoRow[]> {
  const { seconds, warmup, mode, path = '/' } = plan
  const rows: EchoRow[] = []
  for (const of of plan.shapes) {
    const rounds = of.size === SMALL ? plan.smallRounds : plan.rounds
    const job = (subject: Subject) => ({
      subject,
      rounds: [...MAIN, ...CURRENT].includes(subject) ? rounds : Math.min(rounds, OTHER_ROUNDS),
      measure: (server: Parameters<typeof runEcho>[0]) =>
        runEcho(server, { ...of, path, mode: subject.control ? 'raw' : mode, seconds, warmup }),
    })
    const subjects = plan.subjects.filter(({ small }) => small !== true || of.size === SMALL)
    const measured = await inTurns(`${shapeName(of)} ${mode}`, subjects.map(job), rounds)
    rows.push(...measured.map((row) => ({ ...row, shape: shapeName(of), mode })))
  }
  return rows
}

export async function echo({ short, timing, rounds, smallRounds, only, shapes }: Plan): Promise<EchoRow[]> {
  const subjects = (short ? MAIN : SUBJECTS).filter(only)
  const text = await measureEcho({
    subjects,
    shapes: shapes?.map(shape) ?? (short ? SHORT_SHAPES : SHAPES),
    mode: 'text',
    rounds,
    smallRounds,
    ...timing,
  })
  if (short || shapes !== undefined) return text
  const binary = await measureEcho({
    subjects: BINARY.filter(only),
    shapes: BINARY_SHAPES,
    mode: 'binary',
    rounds: Math.min(rounds, OTHER_ROUNDS),
    smallRounds: Math.min(smallRounds, OTHER_ROUNDS),
    ...timing,
  })
  return [...text, ...binary]
}
