/** Who is measured: what a server is called in the tables, which file it is, which runtime runs it. */
import type { Runtime } from '../test/subject/runtime.ts'
import { type BenchServer, startServer } from './server-process.ts'

export interface Subject {
  readonly name: string
  readonly file: string
  readonly runtime: Runtime
  /** Bytes echoed with no codec. */
  readonly control?: true
  /** Measured with small messages alone. */
  readonly small?: true
}

export const SUBJECTS: readonly Subject[] = [
  { name: 'node control', file: 'control', runtime: 'node', control: true },
  { name: 'node codec', file: 'codec', runtime: 'node', small: true },
  { name: 'node ours', file: 'ours', runtime: 'node' },
  { name: 'node ws', file: 'ws', runtime: 'node' },
  { name: 'node @hono/node-server + ws', file: 'hono-node', runtime: 'node' },
  { name: 'node crossws', file: 'crossws', runtime: 'node' },
  { name: 'node-current control', file: 'control', runtime: 'node-current', control: true },
  { name: 'node-current ours', file: 'ours', runtime: 'node-current' },
  { name: 'node-current ws', file: 'ws', runtime: 'node-current' },
  { name: 'bun control', file: 'control', runtime: 'bun', control: true },
  { name: 'bun codec', file: 'codec', runtime: 'bun', small: true },
  { name: 'bun ours', file: 'ours', runtime: 'bun' },
  { name: 'bun ours hosted', file: 'ours-hosted', runtime: 'bun' },
  { name: 'bun native', file: 'bun-native', runtime: 'bun' },
  { name: 'bun ws', file: 'ws', runtime: 'bun' },
  { name: 'bun hono/bun', file: 'hono-bun', runtime: 'bun' },
  { name: 'bun crossws', file: 'crossws', runtime: 'bun' },
  { name: 'deno control', file: 'control', runtime: 'deno', control: true },
  { name: 'deno codec', file: 'codec', runtime: 'deno', small: true },
  { name: 'deno ours', file: 'ours', runtime: 'deno' },
  { name: 'deno ours hosted', file: 'ours-hosted', runtime: 'deno' },
  { name: 'deno native', file: 'deno-native', runtime: 'deno' },
  { name: 'deno hono/deno', file: 'hono-deno', runtime: 'deno' },
  { name: 'deno crossws', file: 'crossws', runtime: 'deno' },
]

/** The 'upgrade' event of `node:http` and an echo of a few lines: what a runtime keeps by itself. For memory alone. */
const UPGRADE_CONTROLS: readonly Subject[] = (['node', 'bun', 'deno'] as const).map((runtime) => ({
  name: `${runtime} upgrade control`,
  file: 'upgrade-control',
  runtime,
}))

/** @throws {RangeError} for a name that no subject has */
export function subjectsNamed(...names: readonly string[]): Subject[] {
  return names.map((name) => {
    const found = [...SUBJECTS, ...UPGRADE_CONTROLS].find((subject) => subject.name === name)
    if (found === undefined) throw new RangeError(`No subject is named ${name}`)
    return found
  })
}

/**
 * Starts a subject, measures, and stops it, whatever happens. A failure is an answer too: it stands in the table, and
 * the run goes on.
 *
 * @param args of the subject
 * @param flags of its runtime
 */
export async function withServer<T>(
  subject: Subject,
  measure: (server: BenchServer) => Promise<T>,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): Promise<T | Failure> {
  let server: BenchServer | undefined
  try {
    server = await startServer(subject.file, subject.runtime, args, flags)
    return await measure(server)
  } catch (error) {
    const said = server?.said().trim().split('\n')[0] ?? ''
    const reason = `${error instanceof Error ? error.message : error}${said === '' ? '' : ` (${said})`}`
    console.error(`FAILED ${subject.name}: ${reason}`)
    return { failed: reason.slice(0, 400) }
  } finally {
    await server?.stop()
  }
}

export interface Failure {
  readonly failed: string
}

export function hasFailed<T>(result: T | Failure): result is Failure {
  return typeof result === 'object' && result !== null && 'failed' in result
}
