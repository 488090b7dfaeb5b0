/** Starts servers as real processes, one runtime each, for every test that needs one. */
import { join } from 'node:path'
import process from 'node:process'
import { command, ROOT, type Runtime } from './runtime.ts'
import { refuseStrays } from './strays.ts'

export { RUNTIMES, type Runtime } from './runtime.ts'

const START_LIMIT = 20_000
const STOP_LIMIT = 10_000

export interface StartOptions {
  /** @default 0, any */
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
  /** Arguments after the port. */
  readonly args?: readonly string[]
  /** Why it may say what others may not (`strays.ts`): it is not ours. */
  readonly mayStray?: string | undefined
}

/** A server that listens. */
export interface Started extends AsyncDisposable {
  readonly runtime: Runtime
  /** As it printed it, such as `http://127.0.0.1:41234`, without a slash at the end. */
  readonly url: string
  /** The same with `ws:`. */
  readonly wsUrl: string
  readonly port: number
  /** Of the server itself. */
  readonly pid: number
  /** Everything written to stderr so far. */
  readonly stderr: string
  /** Everything written to stdout so far. */
  readonly stdout: string
  /** Resolves to the exit code, or to the name of the signal that ended it. */
  readonly exited: Promise<number | string>
  /** Sends a signal to this process alone. */
  kill(signal: NodeJS.Signals): void
  /**
   * SIGTERM, then SIGKILL if it has not gone in 10 s. Idempotent. Resolves as `exited`; rejects when it has said what no
   * process may, also when it had ended by itself.
   */
  stop(): Promise<number | string>
}

/** Starts `test/subject/server.ts`. Rejects, and leaves no process, when it is not ready in 20 s. */
export function startSubject(runtime: Runtime, options: StartOptions = {}): Promise<Started> {
  return startServer(runtime, join(import.meta.dir, 'server.ts'), options)
}

/**
 * Starts any server that takes the port as its first argument, prints `ready <url>` when it listens, and ends on
 * SIGTERM.
 */
export async function startServer(runtime: Runtime, file: string, options: StartOptions = {}): Promise<Started> {
  const started = new ServerProcess(
    runtime,
    await command(runtime, file, [`${options.port ?? 0}`, ...(options.args ?? [])]),
    options,
  )
  await started.ready
  return started
}

class ServerProcess implements Started {
  readonly runtime: Runtime
  readonly ready: Promise<void>
  readonly exited: Promise<number | string>
  url = ''
  stdout = ''
  stderr = ''
  readonly #name: string
  readonly #mayStray: boolean
  #process: Bun.Subprocess<'ignore', 'pipe', 'pipe'>

  constructor(runtime: Runtime, argv: string[], options: StartOptions) {
    this.runtime = runtime
    this.#name = argv.join(' ')
    this.#mayStray = options.mayStray !== undefined
    this.#process = Bun.spawn(argv, {
      cwd: ROOT,
      env: { ...process.env, ...options.env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    this.ready = this.#waitUntilReady()
    const errors = this.#readErrors()
    this.exited = this.#process.exited.then(async () => {
      await errors
      return this.#process.signalCode ?? this.#process.exitCode ?? -1
    })
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  get wsUrl(): string {
    return this.url.replace('http', 'ws')
  }

  get pid(): number {
    return this.#process.pid
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async stop(): Promise<number | string> {
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_LIMIT)
    const how = await this.exited
    clearTimeout(timer)
    if (!this.#mayStray) refuseStrays(this.#name, this.stderr)
    return how
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #waitUntilReady(): Promise<void> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), START_LIMIT)
    const output = this.#readOutput()
    const url = await output.ready
    clearTimeout(timer)
    if (url === undefined) {
      const how = await this.exited
      throw new Error(`The server on ${this.runtime} ended (${how}) before it was ready:\n${this.stdout}${this.stderr}`)
    }
    // The URL of Bun.serve ends with a slash, ours does not.
    this.url = url.replace(/\/$/, '')
  }

  /** Reads stdout to its end, so that the process never waits for a full pipe. */
  #readOutput(): { ready: Promise<string | undefined> } {
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const read = async (): Promise<void> => {
      for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
        this.stdout += text
        const url = /^ready (\S+)$/m.exec(this.stdout)?.[1]
        if (url !== undefined) resolve(url)
      }
      resolve(undefined)
    }
    void read()
    return { ready: promise }
  }

  async #readErrors(): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) this.stderr += text
  }
}
