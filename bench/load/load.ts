/** The load generators: built with the C compiler of the machine on first use, then run on their own core. */
import { existsSync, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../../test/subject/runtime.ts'
import { type BenchServer, LOAD_CORE } from '../server-process.ts'

/** Milliseconds that a load may take beyond what it was told to. */
const PATIENCE = 60_000

export interface Shape {
  readonly connections: number
  /** Messages in flight on each connection. */
  readonly inFlight: number
  /** Payload in bytes. */
  readonly size: number
}

export interface Timing {
  readonly seconds: number
  readonly warmup: number
}

export interface EchoLoad extends Shape, Timing {
  readonly path: string
  /** `raw`: the same bytes without a handshake, for a server that echoes bytes. Else a file of frames to send. */
  readonly mode: 'text' | 'binary' | 'raw' | (string & {})
  /** Further connections with one message in flight. */
  readonly quiet?: number
  /** Sec-WebSocket-Extensions of the request. */
  readonly extensions?: string
}

export interface LoadResult {
  /** Messages a second. */
  readonly rate: number
  /** Processor time of the server, in microseconds per message. */
  readonly cpu: number
  /** Processor time of the load, as a share of its core: near 1, the load was the limit. */
  readonly loadCpu: number
  /** Microseconds from the write of a message to its reply. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** Of the quiet connections; 0 without any. */
  readonly quietP50: number
  readonly quietP99: number
  /** Bytes of a reply on the wire; 0 where they were not counted. */
  readonly replyBytes: number
}

/** Builds a load generator of this folder if it is older than its source, and says where it is. */
export async function loadBinary(name: string): Promise<string> {
  const source = join(import.meta.dir, `${name}.c`)
  const shared = join(import.meta.dir, 'net.h')
  const binary = join(ROOT, '.tmp', `bench-${name}`)
  const newest = Math.max(statSync(source).mtimeMs, statSync(shared).mtimeMs)
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return binary
  await mkdir(join(ROOT, '.tmp'), { recursive: true })
  const compiler = Bun.which('cc') ?? Bun.which('gcc') ?? Bun.which('clang')
  if (compiler === null) throw new Error('The load generator wants a C compiler: apt-get install gcc libc6-dev')
  const built = Bun.spawnSync([compiler, '-O2', '-o', binary, source])
  if (!built.success) throw new Error(`Cannot build the load generator:\n${built.stderr}`)
  return binary
}

/** Echo. Throws when a reply was wrong or missing. */
export function runEcho(server: BenchServer, options: EchoLoad): Promise<LoadResult> {
  const { path, connections, inFlight, size, mode, seconds, warmup, quiet = 0, extensions = '' } = options
  return run('load', server, [path, connections, inFlight, size, mode, seconds, warmup, quiet, extensions], options)
}

/** Fan-out to `connections` members of a topic; a rate of deliveries. */
export function runBroadcast(server: BenchServer, path: string, shape: Shape, timing: Timing): Promise<LoadResult> {
  const { connections, inFlight, size } = shape
  return run('broadcast', server, [path, connections, inFlight, size, timing.seconds, timing.warmup], timing)
}

/** Plain requests, or upgrades that are closed at once. */
export function runRequests(
  server: BenchServer,
  path: string,
  connections: number,
  kind: 'http' | 'upgrade',
  timing: Timing,
): Promise<LoadResult> {
  return run('requests', server, [path, connections, kind, timing.seconds, timing.warmup], timing)
}

async function run(
  name: string,
  server: BenchServer,
  args: readonly (string | number)[],
  { seconds, warmup }: Timing,
): Promise<LoadResult> {
  const binary = await loadBinary(name)
  const load = Bun.spawn(['taskset', '-c', LOAD_CORE, binary, `${server.port}`, ...args.map(String)], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: (seconds + warmup) * 1_000 + PATIENCE,
    killSignal: 'SIGKILL',
  })
  let begun: number | undefined
  let ended = 0
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of load.stdout) {
    text += decoder.decode(chunk, { stream: true })
    if (begun === undefined) begun = server.cpu()
    else ended = server.cpu()
  }
  const last = text.trim().split('\n').at(-1) ?? ''
  if ((await load.exited) !== 0 || begun === undefined) {
    throw new Error(
      `Load failed (${name} ${args.join(' ')}): ${(await new Response(load.stderr).text()).trim()} ${last}`,
    )
  }
  const said = JSON.parse(last) as Record<string, number>
  const messages = Math.max(1, said.messages ?? 0)
  return {
    rate: said.rate ?? 0,
    cpu: ((ended - begun) * 1e6) / messages,
    loadCpu: said.loadCpu ?? 0,
    p50: said.p50 ?? 0,
    p99: said.p99 ?? 0,
    p999: said.p999 ?? 0,
    quietP50: said.quietP50 ?? 0,
    quietP99: said.quietP99 ?? 0,
    replyBytes: (said.bytes ?? 0) / messages,
  }
}
