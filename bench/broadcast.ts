/**
 * Fan-out: one member of a topic publishes, every member gets the message. The peers do it as their users would: `ws`
 * by a loop over its clients, crossws by its topics, Bun.serve by its native publish.
 */
import { shape, shapeName } from './echo.ts'
import { runBroadcast } from './load/load.ts'
import type { Plan } from './plan.ts'
import { inTurns, type Row } from './rounds.ts'
import { subjectsNamed } from './subjects.ts'

const SUBJECTS = subjectsNamed(
  'node ours',
  'node ws',
  'node crossws',
  'bun ours',
  'bun native',
  'bun crossws',
  'deno ours',
  'deno crossws',
)
/** members × messages in flight × bytes */
const SHAPES = [
  '10x1x64',
  '100x1x64',
  '1000x1x64',
  '5000x1x64',
  '1000x16x64',
  '100x1x1024',
  '1000x1x1024',
  '5000x1x1024',
]
const SHORT_SHAPES = ['1000x1x64', '1000x16x64']
/** These have targets: more rounds. */
const TARGETS = ['1000x1x64', '1000x16x64']

export interface BroadcastRow extends Row {
  readonly shape: string
}

export async function broadcast({ short, timing, rounds, only }: Plan): Promise<BroadcastRow[]> {
  const rows: BroadcastRow[] = []
  for (const name of short ? SHORT_SHAPES : SHAPES) {
    const of = shape(name)
    const jobs = SUBJECTS.filter(only).map((subject) => ({
      subject,
      measure: (server: Parameters<typeof runBroadcast>[0]) => runBroadcast(server, '/room', of, timing),
    }))
    const measured = await inTurns(`broadcast ${shapeName(of)}`, jobs, TARGETS.includes(name) ? rounds : 1)
    rows.push(...measured.map((row) => ({ ...row, shape: shapeName(of) })))
  }
  return rows
}
