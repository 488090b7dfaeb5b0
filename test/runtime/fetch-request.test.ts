/** In processes of their own, Bun included: the file replaces the global `Request`. */
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { inOtherRuntimes } from './other-runtimes.ts'

const CONTRACT = join(import.meta.dir, 'fetch-request.contract.ts')

inOtherRuntimes('H12 S15 the request of an upgrade', CONTRACT, 'after @hono/node-server: it passes for a Request')

test('H12 S15 the request of an upgrade on bun', async () => {
  const child = Bun.spawn([process.execPath, 'test', CONTRACT], { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const output = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text())
  expect(await child.exited, output).toBe(0)
  expect(output).toMatch(/\b11 pass/)
})
