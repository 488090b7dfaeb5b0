/** The core of the contract over TLS and over a unix socket, raw, on every runtime. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DialOptions, Peer, Refused } from '../sock/peer.ts'
import { RUNTIMES, type Started, startServer } from '../subject/start.ts'

const ONE_MIB = 1_048_576

for (const runtime of RUNTIMES) {
  describe.each(['https', 'unix'])(`serve(app) on ${runtime} by %s`, (kind) => {
    let server: Started
    let folder = ''

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'fetch-sock-'))
      const where = kind === 'https' ? kind : join(folder, 'socket')
      server = await startServer(runtime, join(import.meta.dir, 'serve-raw.ts'), { args: [where] })
    }, 30_000)

    afterAll(async () => {
      expect(await server.stop()).toBe(0)
      await rm(folder, { recursive: true })
    })

    const dial = (target: string, options?: DialOptions): Promise<Peer> =>
      Peer.dial(kind === 'https' ? server.url + target : `ws+unix:${join(folder, 'socket')}:${target}`, {
        ...options,
        insecure: true,
      })

    test(`S15 an echo of text, binary and one MiB, on ${runtime}`, async () => {
      const peer = await dial('/echo')
      expect(await peer.send('héllo').next()).toBe('héllo')
      expect(await peer.send(new Uint8Array([0, 255])).next()).toBe('bytes 00ff')
      expect((await peer.send('x'.repeat(ONE_MIB)).next()).length).toBe(ONE_MIB)
      expect(await peer.close(4321)).toBe('4321')
    })

    test(`H13 headers, cookies and a subprotocol on the 101, on ${runtime}`, async () => {
      const { headers } = await dial('/plain-header')
      expect([headers.get('x-only'), headers.getSetCookie()]).toEqual(['before', ['only=1; Path=/', 'and=2; Path=/']])
      expect((await dial('/sub/list', { subprotocols: ['x', 'a'] })).socket.protocol).toBe('a')
    })

    test(`H12 a refusal with its status, headers and body, on ${runtime}`, async () => {
      const refused = await dial('/guarded/ws').catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(Refused)
      const { status, headers, body } = (refused as Refused).answer
      expect([status, headers.get('x-why'), body]).toEqual([401, 'guard', '{"error":"who are you?"}'])
    })

    test(`H17 plain HTTP beside it, on ${runtime}`, async () => {
      const options = kind === 'https' ? { tls: { rejectUnauthorized: false } } : { unix: join(folder, 'socket') }
      const page = await fetch(`${server.url}/shared`, options)
      expect([page.status, await page.text()]).toEqual([200, 'page'])
    })

    test(`C11 H9 close codes of the handler, on ${runtime}`, async () => {
      expect(await (await dial('/contract/close/4999')).closed).toBe('4999 because')
      expect(await (await dial('/throws/at%20once')).closed).toBe('1011')
    })

    test(`R19 a peer that vanishes, and the next one, on ${runtime}`, async () => {
      ;(await dial('/echo')).terminate()
      expect(await (await dial('/echo')).send('alive').next()).toBe('alive')
    })
  })
}
