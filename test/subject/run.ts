/** `bun run subject <node|node-current|bun|deno> <port>`: the subject in the foreground. */
import { join } from 'node:path'
import process from 'node:process'
import { command, isRuntime, RUNTIMES } from './runtime.ts'

const [runtime, port, ...rest] = process.argv.slice(2)
if (!isRuntime(runtime) || !/^\d+$/.test(port ?? '') || Number(port) > 65_535 || rest.length > 0) {
  console.error(`Usage: bun run subject <${RUNTIMES.join('|')}> <port>`)
  process.exit(2)
}

const argv = await command(runtime, join(import.meta.dir, 'server.ts'), [`${port}`])
const subject = Bun.spawn(argv, { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' })
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => subject.kill(signal))
process.exit(await subject.exited)
