/** The scenario application as a process on every runtime, and the real `ws` as its client. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { RUNTIMES, type Started, startServer } from '../subject/start.ts'
import { SCENARIOS } from './scenarios.ts'

for (const runtime of RUNTIMES) {
  describe(`raw on ${runtime}`, () => {
    let server: Started

    beforeAll(async () => {
      server = await startServer(runtime, join(import.meta.dir, 'scenario-server.ts'))
    }, 30_000)

    afterAll(async () => {
      const exit = await server.stop()
      expect(server.stderr).not.toContain('UNHANDLED')
      expect(exit).toBe(0)
    })

    for (const { name, run } of SCENARIOS) test(`${name}, on ${runtime}`, () => run(server.url))
  })
}
