/** The starter of each runtime, in its runtime. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startWorkerd } from '../contract/servers.ts'
import { Peer } from '../sock/peer.ts'
import { ROOT } from '../subject/runtime.ts'
import { startServer } from '../subject/start.ts'

const FOLDER = join(ROOT, 'examples')
const FROM_SOURCE = join(import.meta.dir, 'from-source.ts')
const env = { PORT: '0' }

interface Example {
  readonly url: string
  readonly stderr: string
  stop(): Promise<unknown>
}

const STARTERS: Readonly<Record<string, () => Promise<Example>>> = {
  'bun/server.ts': () => startServer('bun', join(FOLDER, 'bun/server.ts'), { env }),
  'deno/server.ts': () => startServer('deno', join(FOLDER, 'deno/server.ts'), { env }),
  'node/server.ts': () => startServer('node-current', FROM_SOURCE, { env, args: [join(FOLDER, 'node/server.ts')] }),
  'workers/worker.ts': () => startWorkerd('2026-11-01', join(FOLDER, 'workers/worker.ts')),
}

const files = [...new Bun.Glob('{bun,deno,node,workers}/*.ts').scanSync({ cwd: FOLDER })].sort()

test('H20 every starter is used here, and none has 80 lines', async () => {
  expect(Object.keys(STARTERS).sort()).toEqual(files)
  for (const file of files) {
    expect((await Bun.file(join(FOLDER, file)).text()).split('\n').length).toBeLessThan(80)
  }
})

describe.each(files)('example %s', (file) => {
  test(`H20 ${file} starts, echoes, carries a room and stops`, async () => {
    const server = await (STARTERS[file] as () => Promise<Example>)()
    const url = server.url.replace('localhost', '127.0.0.1')
    try {
      expect(await (await fetch(url)).text()).toContain('/echo')
      const echo = await Peer.dial(`${url}/echo`)
      expect(await echo.send('héllo').next()).toBe('héllo')
      expect(await echo.send(new Uint8Array([0, 255])).next()).toBe('bytes 00ff')
      expect(await echo.close()).toBe('1000')

      const [ada, grace] = [await Peer.dial(`${url}/room/lobby`), await Peer.dial(`${url}/room/lobby`)]
      const other = await Peer.dial(`${url}/room/other`)
      for (const peer of [ada, grace, other]) expect(await peer.next()).toBe('welcome')
      ada.send('hello')
      expect(await grace.next()).toBe('hello')
      other.send('elsewhere')
      grace.send('back')
      expect(await ada.next()).toBe('back')
      await Promise.all([ada.close(), grace.close(), other.close()])
      expect(server.stderr).toBe('')

      const last = await Peer.dial(`${url}/echo`)
      await server.stop()
      // workerd takes its Workers away without a word.
      expect(await last.closed).toBe(file === 'workers/worker.ts' ? '1006' : '1001')
    } finally {
      await server.stop()
    }
  })
})
