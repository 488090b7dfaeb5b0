/**
 * `bun run bench echo [--short] [--only name,name] [--shapes 50x16x64,…]`: echo, ours beside the peers, in one run.
 *
 * Each subject is a process pinned to one core, the load another on the other core. Rounds go through the subjects in
 * alternating order; a figure is the median of its rounds, with the least and the greatest beside it.
 */
import type { Runtime } from '../test/subject/runtime.ts'
import { type LoadOptions, type LoadResult, runLoad, type Shape } from './load/load.ts'
import { startServer } from './server-process.ts'

export interface Subject {
  readonly name: string
  readonly file: string
  readonly runtime: Runtime
  /** Bytes echoed with no codec. */
  readonly control?: true
}

export const SUBJECTS: readonly Subject[] = [
  { name: 'node control', file: 'control', runtime: 'node', control: true },
  { name: 'node ours', file: 'ours', runtime: 'node' },
  { name: 'node ws', file: 'ws', runtime: 'node' },
  { name: 'node @hono/node-server + ws', file: 'hono-node', runtime: 'node' },
  { name: 'node crossws', file: 'crossws', runtime: 'node' },
  { name: 'bun control', file: 'control', runtime: 'bun', control: true },
  { name: 'bun ours', file: 'ours', runtime: 'bun' },
  { name: 'bun ours hosted', file: 'ours-hosted', runtime: 'bun' },
  { name: 'bun native', file: 'bun-native', runtime: 'bun' },
  { name: 'bun ws', file: 'ws', runtime: 'bun' },
  { name: 'bun hono/bun', file: 'hono-bun', runtime: 'bun' },
  { name: 'bun crossws', file: 'crossws', runtime: 'bun' },
  { name: 'deno control', file: 'control', runtime: 'deno', control: true },
  { name: 'deno ours', file: 'ours', runtime: 'deno' },
  { name: 'deno ours hosted', file: 'ours-hosted', runtime: 'deno' },
  { name: 'deno native', file: 'deno-native', runtime: 'deno' },
  { name: 'deno hono/deno', file: 'hono-deno', runtime: 'deno' },
  { name: 'deno crossws', file: 'crossws', runtime: 'deno' },
]

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

export function shape(text: string): Shape {
  const [connections = 1, inFlight = 1, size = 64] = text.split('x').map(Number)
  return { connections, inFlight, size }
}

export function shapeName({ connections, inFlight, size }: Shape): string {
  return `${connections}×${inFlight}×${size >= 1 << 20 ? `${size >> 20} MiB` : size >= 1024 ? `${size >> 10} KiB` : `${size} B`}`
}

export interface Figure extends LoadResult {
  readonly subject: Subject
  readonly shape: Shape
  readonly rates: readonly number[]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] as number
}

export interface EchoPlan {
  readonly subjects: readonly Subject[]
  readonly shapes: readonly Shape[]
  readonly mode: 'text' | 'binary'
  readonly rounds: number
  readonly seconds: number
  readonly warmup: number
  readonly path?: string
}

export async function measureEcho(plan: EchoPlan): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const shapeOf of plan.shapes) {
    const results = new Map<Subject, LoadResult[]>(plan.subjects.map((subject) => [subject, []]))
    for (let round = 0; round < plan.rounds; round++) {
      const order = round % 2 === 0 ? plan.subjects : [...plan.subjects].reverse()
      for (const subject of order) {
        const server = await startServer(subject.file, subject.runtime)
        try {
          const mode: LoadOptions['mode'] = subject.control ? 'raw' : plan.mode
          const { seconds, warmup, path = '/' } = plan
          results.get(subject)?.push(await runLoad(server, { ...shapeOf, path, mode, seconds, warmup }))
        } finally {
          await server.stop()
        }
      }
    }
    for (const [subject, rounds] of results) {
      const of = (key: keyof LoadResult): number => median(rounds.map((result) => result[key]))
      figures.push({
        subject,
        shape: shapeOf,
        rate: of('rate'),
        cpu: of('cpu'),
        p50: of('p50'),
        p99: of('p99'),
        p999: of('p999'),
        rates: rounds.map((result) => result.rate),
      })
      console.error(row(figures.at(-1) as Figure))
    }
  }
  return figures
}

export function row({ subject, shape: of, rate, cpu, p50, p99, p999, rates }: Figure): string {
  const spread = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`
  return `| ${shapeName(of)} | ${subject.name} | ${Math.round(rate)} | ${spread} | ${cpu.toFixed(2)} | ${p50} | ${p99} | ${p999} |`
}
