/** A benchmark's server as a process of its own, pinned to one core, with what it costs. */
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { command, type Runtime } from '../test/subject/runtime.ts'

/** The core of the server; the load has the other one. */
export const SERVER_CORE = '0'
export const LOAD_CORE = '1'

/** Ticks a second of /proc/<pid>/stat on Linux. */
const TICKS = 100
const START_TIMEOUT = 15_000

export interface BenchServer {
  readonly pid: number
  readonly port: number
  /** Processor time of all its threads so far, in seconds. */
  cpu(): number
  /** Resident memory, in bytes. */
  rss(): number
  stop(): Promise<void>
}

/** Starts a file of `bench/subjects/` on a runtime and waits until it listens. */
export async function startServer(
  subject: string,
  runtime: Runtime,
  args: readonly string[] = [],
): Promise<BenchServer> {
  const port = await freePort()
  const argv = await command(runtime, join(import.meta.dir, 'subjects', `${subject}.ts`), [`${port}`, ...args])
  const child = Bun.spawn(['taskset', '-c', SERVER_CORE, ...argv], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
  })
  const deadline = Date.now() + START_TIMEOUT
  while (!(await listens(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`${subject} on ${runtime} did not start`)
    }
    await Bun.sleep(20)
  }
  return {
    pid: child.pid,
    port,
    cpu: () => cpuSeconds(child.pid),
    rss: () => rssBytes(child.pid),
    stop: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function cpuSeconds(pid: number): number {
  let ticks = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    // The second field is a name in parentheses, which may hold spaces.
    const fields = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / TICKS
}

function rssBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
}
