/** The load generator: built with the C compiler of the machine on first use, then run on its own core. */
import { existsSync, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../../test/subject/runtime.ts'
import { type BenchServer, LOAD_CORE } from '../server-process.ts'

const SOURCE = join(import.meta.dir, 'load.c')
const BINARY = join(ROOT, '.tmp', 'load')

export interface Shape {
  readonly connections: number
  /** Messages in flight on each connection. */
  readonly inFlight: number
  /** Payload in bytes. */
  readonly size: number
}

export interface LoadOptions extends Shape {
  readonly path: string
  /** `raw`: the same bytes without a handshake, for a server that echoes bytes. */
  readonly mode: 'text' | 'binary' | 'raw'
  readonly seconds: number
  readonly warmup: number
}

export interface LoadResult {
  /** Messages a second. */
  readonly rate: number
  /** Processor time of the server, in microseconds per message. */
  readonly cpu: number
  /** Microseconds from the write of a message to its reply. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

async function build(): Promise<void> {
  if (existsSync(BINARY) && statSync(BINARY).mtimeMs > statSync(SOURCE).mtimeMs) return
  await mkdir(join(ROOT, '.tmp'), { recursive: true })
  const compiler = Bun.which('cc') ?? Bun.which('gcc') ?? Bun.which('clang')
  if (compiler === null) throw new Error('The load generator wants a C compiler: apt-get install gcc libc6-dev')
  const built = Bun.spawnSync([compiler, '-O2', '-o', BINARY, SOURCE])
  if (!built.success) throw new Error(`Cannot build the load generator:\n${built.stderr}`)
}

/** Runs the load against a server. Throws when a reply was wrong or missing. */
export async function runLoad(server: BenchServer, options: LoadOptions): Promise<LoadResult> {
  await build()
  const { path, connections, inFlight, size, mode, seconds, warmup } = options
  const args = [server.port, path, connections, inFlight, size, mode, seconds, warmup].map(String)
  const load = Bun.spawn(['taskset', '-c', LOAD_CORE, BINARY, ...args], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let begun = 0
  let ended = 0
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of load.stdout) {
    text += decoder.decode(chunk, { stream: true })
    if (begun === 0 && text.includes('\n')) begun = server.cpu()
    else ended = server.cpu()
  }
  const last = text.trim().split('\n').at(-1) ?? ''
  if ((await load.exited) !== 0 || begun === 0) {
    throw new Error(`Load failed (${JSON.stringify(options)}): ${await new Response(load.stderr).text()} ${last}`)
  }
  const { messages, rate, p50, p99, p999 } = JSON.parse(last) as Record<string, number> as {
    messages: number
    rate: number
    p50: number
    p99: number
    p999: number
  }
  return { rate, cpu: ((ended - begun) * 1e6) / Math.max(1, messages), p50, p99, p999 }
}
