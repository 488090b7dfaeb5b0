/**
 * Upgrades and plain requests through a Hono application with three middleware: `cors`, one that only calls `next`, and
 * `secureHeaders`.
 */
import { runRequests } from './load/load.ts'
import type { Plan } from './plan.ts'
import { inTurns, type Row } from './rounds.ts'
import { subjectsNamed } from './subjects.ts'

const SUBJECTS = subjectsNamed(
  'node ours',
  'node @hono/node-server + ws',
  'bun ours',
  'bun ours hosted',
  'bun hono/bun',
  'deno ours',
  'deno ours hosted',
  'deno hono/deno',
)
const CONNECTIONS = 50
/** Seconds: an upgrade runs through ten times the code of a message, and is done that much less often. */
const UPGRADE_WARMUP = 4

/** Upgrades a second, each on a connection of its own that is closed at once. */
export function handshake({ short, timing, rounds, only }: Plan): Promise<Row[]> {
  const jobs = SUBJECTS.filter(only).map((subject) => ({
    subject,
    measure: (server: Parameters<typeof runRequests>[0]) =>
      runRequests(
        server,
        '/three/echo',
        CONNECTIONS,
        'upgrade',
        short ? timing : { ...timing, warmup: UPGRADE_WARMUP },
      ),
  }))
  return inTurns('handshake', jobs, rounds)
}

/** Plain GETs a second over kept connections. */
export function http({ timing, rounds, only }: Plan): Promise<Row[]> {
  const jobs = SUBJECTS.filter(only).map((subject) => ({
    subject,
    measure: (server: Parameters<typeof runRequests>[0]) =>
      runRequests(server, '/three/hello', CONNECTIONS, 'http', timing),
  }))
  return inTurns('http', jobs, rounds)
}
