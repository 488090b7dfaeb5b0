/** The transport contract on sockets of every runtime: here on Bun, in processes of their own on the others. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { command, executable, type Runtime } from '../subject/runtime.ts'
import './duplex.contract.ts'

const CONTRACT = join(import.meta.dir, 'duplex.contract.ts')
const MINUTE = 60_000

async function run(runtime: Runtime): Promise<{ exitCode: number; output: string }> {
  const argv =
    runtime === 'deno' ? [executable(runtime), 'test', '-A', '--no-check', CONTRACT] : await command(runtime, CONTRACT)
  const child = Bun.spawn(argv, {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, NO_COLOR: '1' },
  })
  const output = await Promise.all([child.stdout, child.stderr].map((stream) => new Response(stream).text()))
  return { exitCode: await child.exited, output: output.join('') }
}

describe('the contract in other runtimes', () => {
  for (const runtime of ['node', 'node-current', 'deno'] as const) {
    test(
      `S17 R36 sockets of ${runtime} keep the transport contract`,
      async () => {
        const { exitCode, output } = await run(runtime)
        expect(exitCode, output.slice(-4000)).toBe(0)
        expect(output).toMatch(/upgraded tls/)
      },
      2 * MINUTE,
    )
  }
})
