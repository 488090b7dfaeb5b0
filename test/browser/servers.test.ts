/** Chromium's own WebSocket on every server: what is agreed on in the handshake, and ends that the server begins. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import type { ServeOptions } from '../../src/runtime/server-options.ts'
import { type ContractServer, type Running, SERVERS } from '../contract/servers.ts'
import { logged, newRun } from '../sock/peer.ts'
import { RUNTIMES, startServer } from '../subject/start.ts'
import { executablePath, launch } from './chromium.ts'
import { PageSocket } from './page-socket.ts'

const RAW_APP = join(import.meta.dir, '..', 'runtime', 'raw-app.ts')

describe.skipIf(executablePath === null)('Chromium', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(async () => {
    await browser.close()
  })

  describe.each(SERVERS)('and $name', (server) => {
    let running: Running
    const dial = (path: string, subprotocols?: string[]): Promise<PageSocket> =>
      PageSocket.dial(browser, running.url, path, subprotocols)

    beforeAll(async () => {
      running = await server.start()
    }, 30_000)
    afterAll(async () => {
      await running.stop()
    })

    test(`S12 the page speaks the subprotocol that the route chose, on ${server.name}`, async () => {
      const choices: [path: string, offered: string[], chosen: string][] = [
        ['/sub/list', ['chat.v2', 'a', 'b'], 'a'],
        ['/sub/list', ['b', 'a'], 'b'],
        ['/sub/function?suffix=.v1', ['chat.v2', 'chat.v1'], 'chat.v1'],
      ]
      for (const [path, offered, chosen] of choices) {
        await using page = await dial(path, offered)
        expect(await page.until('close')).toEqual([`open ${chosen}`, `message protocol ${chosen}`, 'close 1000 true'])
      }
    })

    test(`S12 a page that offers no subprotocol connects without one, on ${server.name}`, async () => {
      await using page = await dial('/sub/list')
      expect(await page.until('close')).toEqual(['open', 'message protocol', 'close 1000 true'])
    })

    test(`S12 a page that offers unknown subprotocols alone gives up, whether it is accepted without or refused, on ${server.name}`, async () => {
      await using accepted = await dial('/sub/list', ['chat.v2', 'chat.v1'])
      expect(await accepted.until('close')).toEqual(['error', 'close 1006 false'])
      // Its 101 named none. A server may answer so (RFC 6455 §4.2.2), and the standard of browsers has them fail then.
      expect(accepted.failures).toEqual([expect.stringContaining('but no response was received')])
      await using refused = await dial('/sub/required', ['chat.v2', 'chat.v1'])
      expect(await refused.until('close')).toEqual(['error', 'close 1006 false'])
      expect(refused.failures).toEqual([expect.stringContaining('Unexpected response code: 400')])
    })

    test(`S6 S8 the page sees the code and the reason of the server's close, and both a clean end, on ${server.name}`, async () => {
      const run = newRun()
      await using page = await dial(`/cleanup?run=${run}`)
      await page.until('open')
      await page.send('close')
      expect(await page.until('close')).toEqual(['open', 'close 4002 true done'])
      const ends = ['closed 4002', 'onClose 4002 true local']
      expect(await logged(running.url, run, ends)).toEqual(expect.arrayContaining(ends))
    })

    test(`S6 every close code that may be sent is the one that the page sees, on ${server.name}`, async () => {
      for (const code of [1000, 1001, 1003, 1008, 1011, 1013, 3000, 4001]) {
        await using page = await dial(`/contract/close/${code}`)
        expect(await page.until('close')).toEqual(['open', `close ${code} true because`])
      }
    })

    const drains = 'R29 sock.drain closes the page with 1001'
    const reason = reasonOf(server, drains)
    test.skipIf(reason !== undefined)(
      `${drains}, on ${server.name}${reason === undefined ? '' : `: ${reason}`}`,
      async () => {
        const path = '/contract/drain/orderly'
        await using page = await dial(path)
        await page.until('message')
        const report = await fetch(running.url + path, { method: 'POST', body: '{}' })
        expect(await report.json()).toEqual({ clean: 1, terminated: 0, lost: 0, unfinished: 0 })
        expect(await page.until('close')).toEqual(['open', 'message open', 'close 1001 true'])
      },
    )
  })

  test.each(RUNTIMES)(
    'S7 drainOnSignals: SIGTERM closes the page with 1001, and waits for nothing else of the browser, on %s',
    async (runtime) => {
      const options = { drainOnSignals: { deadline: 20_000 } } satisfies ServeOptions
      await using server = await startServer(runtime, RAW_APP, { args: [JSON.stringify(options)] })
      await using page = await PageSocket.dial(browser, server.url, '/ws')
      await page.until('open')
      await page.send('hello')
      await page.until('message')
      const asked = performance.now()
      server.kill('SIGTERM')
      expect(await page.until('close')).toEqual(['open', 'message hello', 'close 1001 true'])
      expect(await server.exited).toBe('SIGTERM')
      // It keeps the connection that the page came on, and may have one ready that it has not used.
      expect(performance.now() - asked).toBeLessThan(10_000)
    },
  )
})

function reasonOf(server: ContractServer, name: string): string | undefined {
  return Object.entries(server.skips).find(([start]) => name.startsWith(start))?.[1]
}
