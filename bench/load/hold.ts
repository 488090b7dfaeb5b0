/** Connections that are opened, used and closed together, by a process of their own. */
import { type BenchServer, LOAD_CORE } from '../server-process.ts'
import { loadBinary } from './load.ts'

const COMMAND_TIMEOUT = 50_000

export interface HoldOptions {
  readonly connections: number
  readonly path: string
  readonly extensions: string
  /** A file with the masked frame that `use` sends; a short text without one. */
  readonly frame: string | undefined
}

export interface HeldConnections {
  /** Opens them all. */
  open(): Promise<void>
  /** Sends a message on each, and waits for its reply. */
  use(): Promise<void>
  /** Closes each with 1000, and waits for its end. */
  close(): Promise<void>
  end(): Promise<void>
}

export async function hold(server: BenchServer, options: HoldOptions): Promise<HeldConnections> {
  const { path, connections, frame = '-', extensions } = options
  const args = [server.port, path, connections, frame, extensions].map(String)
  const child = Bun.spawn(['taskset', '-c', LOAD_CORE, await loadBinary('hold'), ...args], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const reader = child.stdout.getReader()
  const decoder = new TextDecoder()
  let text = ''
  const command = async (name: string): Promise<void> => {
    child.stdin.write(`${name}\n`)
    await child.stdin.flush()
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_TIMEOUT)
    try {
      while (!text.includes('\n')) {
        const { value, done } = await reader.read()
        if (done)
          throw new Error(`Held connections failed at ${name}: ${(await new Response(child.stderr).text()).trim()}`)
        text += decoder.decode(value, { stream: true })
      }
    } finally {
      clearTimeout(timer)
    }
    const [line = '', ...rest] = text.split('\n')
    text = rest.join('\n')
    const { errors } = JSON.parse(line) as { errors: number }
    if (errors > 0) {
      child.kill('SIGKILL')
      throw new Error(`Held connections failed at ${name}: ${(await new Response(child.stderr).text()).trim()}`)
    }
  }
  return {
    open: () => command('open'),
    use: () => command('use'),
    close: () => command('close'),
    end: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
