/**
 * The one chat application on every server, as a process. Not on the oldest Node, which runs no TypeScript: Chromium meets
 * it in echo.test.ts.
 */
import { join } from 'node:path'
import { startWorkerd } from '../contract/servers.ts'
import { ROOT } from '../subject/runtime.ts'
import { type Runtime, startServer } from '../subject/start.ts'

/** A chat that listens. */
export interface RunningChat {
  readonly url: string
  stop(): Promise<unknown>
}

/** One way to run the chat. */
export interface ChatServer {
  readonly name: string
  /** @param port 0 for any */
  start(port: number): Promise<RunningChat>
}

const EXAMPLES = join(ROOT, 'examples')
const FROM_SOURCE = join(import.meta.dir, '..', 'examples', 'from-source.ts')

/** A file of the examples, which takes its port from the environment. */
function example(name: string, runtime: Runtime, file: string): ChatServer {
  const path = join(EXAMPLES, file)
  const [main, args] = runtime === 'node-current' ? [FROM_SOURCE, [path]] : [path, []]
  return { name, start: (port) => startServer(runtime, main, { args, env: { PORT: `${port}` } }) }
}

export const BUN: ChatServer = example('Bun', 'bun', 'chat.ts')

export const CHAT_SERVERS: readonly ChatServer[] = [
  BUN,
  example('Node', 'node-current', 'chat.ts'),
  example('Deno', 'deno', 'chat.ts'),
  example('Bun.serve', 'bun', 'chat/bun.ts'),
  example('Deno.serve', 'deno', 'chat/deno.ts'),
  { name: 'workerd', start: (port) => startWorkerd('2026-11-01', join(EXAMPLES, 'chat', 'worker.ts'), port) },
]
