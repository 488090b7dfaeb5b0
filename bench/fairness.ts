/** Does a full pipe starve others? Latency of one quiet connection beside 50 that always have 64 messages in flight. */
import { shape } from './echo.ts'
import { runEcho } from './load/load.ts'
import type { Plan } from './plan.ts'
import { inTurns, type Row } from './rounds.ts'
import { subjectsNamed } from './subjects.ts'

const SUBJECTS = subjectsNamed('node ours', 'node ws', 'bun ours', 'bun native', 'deno ours', 'deno native')

export function fairness({ timing, rounds, only }: Plan): Promise<Row[]> {
  const jobs = SUBJECTS.filter(only).map((subject) => ({
    subject,
    measure: (server: Parameters<typeof runEcho>[0]) =>
      runEcho(server, { ...shape('50x64x1024'), path: '/', mode: 'text', quiet: 1, ...timing }),
  }))
  return inTurns('fairness', jobs, rounds)
}
