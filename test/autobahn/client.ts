/**
 * Drives our client through an Autobahn fuzzing server, the usual way.
 *
 *     bun run test/autobahn/client.ts <fuzzing server url> <agent> [node|node-current|bun|deno]
 */
import { join } from 'node:path'
import process from 'node:process'
import { command, isRuntime, RUNTIMES } from '../subject/runtime.ts'

const [url, agent, runtime = 'bun', ...rest] = process.argv.slice(2)
if (url === undefined || agent === undefined || !isRuntime(runtime) || rest.length > 0) {
  console.error(`Usage: bun run test/autobahn/client.ts <fuzzing server url> <agent> [${RUNTIMES.join('|')}]`)
  process.exit(2)
}
const argv = await command(runtime, join(import.meta.dir, 'cases.ts'), [url, agent])
const driver = Bun.spawn(argv, { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' })
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => driver.kill(signal))
process.exit(await driver.exited)
