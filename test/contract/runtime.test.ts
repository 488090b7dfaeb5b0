/** The contract for runtimes, on every server, as a real process. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { casesFor, idleSkips } from './runtime.contract.ts'
import { type Running, SERVERS } from './servers.ts'

for (const server of SERVERS) {
  describe(`${server.name} by ${server.by}`, () => {
    let running: Running

    beforeAll(async () => {
      running = await server.start()
    }, 30_000)

    afterAll(async () => {
      await running.stop()
      expect(running.stderr).not.toContain('UNHANDLED')
    })

    for (const { name, skip, run } of casesFor(server)) {
      if (skip === undefined) test(`${name}, on ${server.name}`, () => run(running.url))
      else test.skip(`${name}, on ${server.name}: ${skip}`, () => {})
    }

    test(`H17 every case that ${server.name} leaves out exists`, () => {
      expect(idleSkips(server)).toEqual([])
    })
  })
}
