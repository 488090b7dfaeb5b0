/** In processes of their own, Bun included: the file replaces the global `Response`. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { inOtherRuntimes } from './other-runtimes.ts'

const CONTRACT = join(import.meta.dir, 'response-101.contract.ts')

inOtherRuntimes('R6 H13 a 101 travels through middleware', CONTRACT, 'after @hono/node-server: can be rebuilt')

test('R6 H13 a 101 travels through middleware on bun', async () => {
  const child = Bun.spawn([process.execPath, 'test', CONTRACT], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const output = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text())
  expect(await child.exited, output).toBe(0)
  expect(output).toMatch(/\b9 pass/)
})
