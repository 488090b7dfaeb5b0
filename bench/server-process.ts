/** A benchmark's server as a process of its own, pinned to one core, with what it costs. */
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { command, type Runtime } from '../test/subject/runtime.ts'

/** The core of the server; the load has the other one. */
export const SERVER_CORE = '0'
export const LOAD_CORE = '1'

const START_TIMEOUT = 20_000
const SAID_LIMIT = 2_000

export interface BenchServer {
  readonly pid: number
  readonly port: number
  /** Processor time of all its threads so far, in seconds. */
  cpu(): number
  /** Of its first thread, the one that runs JavaScript. */
  mainCpu(): number
  /** Resident memory, in bytes. */
  rss(): number
  /** Open files, sockets included. */
  handles(): number
  /** What it has said on its error stream, cut. */
  said(): string
  /** Asks it to exit and waits until it has; only for one that answers SIGTERM so. */
  end(): Promise<void>
  stop(): Promise<void>
}

const running = new Set<number>()
process.on('exit', () => {
  for (const pid of running) process.kill(pid, 'SIGKILL')
})

/** Starts a file of `bench/subjects/` on a runtime and waits until it listens. */
export async function startServer(
  subject: string,
  runtime: Runtime,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): Promise<BenchServer> {
  const port = await freePort()
  const file = join(import.meta.dir, 'subjects', `${subject}.ts`)
  const argv = await command(runtime, file, [`${port}`, ...args], flags)
  const child = Bun.spawn(['taskset', '-c', SERVER_CORE, ...argv], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  running.add(child.pid)
  let said = ''
  const listening = (async (): Promise<void> => {
    for await (const chunk of child.stderr) if (said.length < SAID_LIMIT) said += new TextDecoder().decode(chunk)
  })()
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await child.exited
    running.delete(child.pid)
    await listening
  }
  const deadline = Date.now() + START_TIMEOUT
  while (!(await listens(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop()
      throw new Error(`${subject} on ${runtime} did not start: ${said.trim()}`)
    }
    await Bun.sleep(20)
  }
  return {
    pid: child.pid,
    port,
    cpu: () => cpuSeconds(child.pid),
    mainCpu: () => threadSeconds(child.pid, child.pid),
    rss: () => rssBytes(child.pid),
    handles: () => readdirSync(`/proc/${child.pid}/fd`).length,
    said: () => said.slice(0, SAID_LIMIT),
    end: async () => {
      child.kill('SIGTERM')
      await child.exited
    },
    stop,
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

/** The scheduler counts in nanoseconds; /proc/<pid>/stat only in hundredths of a second. */
function cpuSeconds(pid: number): number {
  let seconds = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      seconds += threadSeconds(pid, task)
    } catch (error) {
      // A thread may end between the two lines.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ESRCH')
        throw error
    }
  }
  return seconds
}

function threadSeconds(pid: number, thread: number | string): number {
  return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9
}

function rssBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
}
