/** The contract for runtimes, on every server, as a real process. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { casesFor, idleSkips } from './runtime.contract.ts'
import { type Running, SERVERS } from './servers.ts'

/** Options of `app.ts` that some server has no use for, in the order of their names. */
const SET_OPTIONS = ['maxFragments', 'pingInterval', 'pongTimeout']
const WARNING = /^fetch-sock: the option (\w+) has no effect on (\S+); see docs\/runtimes\.md$/gm

for (const server of SERVERS) {
  describe(`${server.name} by ${server.by}`, () => {
    let running: Running

    beforeAll(async () => {
      running = await server.start()
    }, 30_000)

    afterAll(async () => {
      await running.stop()
    })

    for (const { name, skip, run } of casesFor(server)) {
      if (skip === undefined) test(`${name}, on ${server.name}`, () => run(running.url))
      else test.skip(`${name}, on ${server.name}: ${skip}`, () => {})
    }

    test(`H14 ${server.name} says which options of the application have no effect, once each, by name`, async () => {
      for (let i = 0; i < 2; i++) await (await fetch(`${running.url}/contract/open`)).text()
      const expected = SET_OPTIONS.filter((name) => server.unsupported.includes(name))
      const said = (): string[] => [...running.stderr.matchAll(WARNING)].map(([, name, mode]) => `${name} on ${mode}`)
      const deadline = Date.now() + 5000
      while (said().length < expected.length && Date.now() < deadline) await Bun.sleep(10)
      expect(said().sort()).toEqual(expected.map((name) => `${name} on ${server.mode}`))
    })

    test(`H17 every case that ${server.name} leaves out exists`, () => {
      expect(idleSkips(server)).toEqual([])
    })
  })
}
