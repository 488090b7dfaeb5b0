/** Runs a file of `node:test` tests in the runtimes that are not Bun, where the file runs by being imported. */
import { describe, expect, test } from 'bun:test'
import { command, executable, type Runtime } from '../subject/runtime.ts'
import { refuseStrays } from '../subject/strays.ts'

const LIMIT = 120_000

async function run(runtime: Runtime, file: string): Promise<{ exitCode: number; output: string }> {
  const argv =
    runtime === 'deno' ? [executable(runtime), 'test', '-A', '--no-check', file] : await command(runtime, file)
  const env = { ...process.env, NO_COLOR: '1' }
  const child = Bun.spawn(argv, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', env })
  const output = await Promise.all([child.stdout, child.stderr].map((stream) => new Response(stream).text()))
  return { exitCode: await child.exited, output: output.join('') }
}

/** One test for each other runtime. `some` is part of a title in the file: proof that its tests ran. */
export function inOtherRuntimes(title: string, file: string, some: string): void {
  describe('in other runtimes', () => {
    for (const runtime of ['node', 'node-current', 'deno'] as const) {
      const run1 = async (): Promise<void> => {
        const { exitCode, output } = await run(runtime, file)
        expect(exitCode, output.slice(-4000)).toBe(0)
        refuseStrays(`${file} on ${runtime}`, output)
        expect(output).toContain(some)
      }
      test(`${title} on ${runtime}`, run1, LIMIT)
    }
  })
}
