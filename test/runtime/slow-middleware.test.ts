/** A handshake takes no longer than it may on a host, whatever stands in front of its route. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startWorkerd } from '../contract/servers.ts'
import { Peer, refusal } from '../sock/peer.ts'
import { startServer } from '../subject/start.ts'

const APP = join(import.meta.dir, 'slow-app.ts')
const CONTRACT = join(import.meta.dir, '..', 'contract')

interface Running {
  readonly url: string
  readonly stderr: string
  stop(): Promise<unknown>
}

const HOSTS: readonly [name: string, start: () => Promise<Running>][] = [
  ['Bun.serve', () => startServer('bun', join(CONTRACT, 'serve-bun.ts'), { args: [APP] })],
  ['Deno.serve', () => startServer('deno', join(CONTRACT, 'serve-deno.ts'), { args: [APP] })],
  ['workerd', () => startWorkerd('2026-11-01', APP)],
]

interface State {
  readonly started: number
  readonly aborted: number
  readonly passed: number
}

describe.each(HOSTS)('slow middleware on %s', (name, start) => {
  let server: Running

  beforeAll(async () => {
    server = await start()
  }, 30_000)
  afterAll(async () => {
    await server.stop()
    expect(server.stderr).toBe('')
  })

  async function stateWhen(condition: (state: State) => boolean): Promise<State> {
    const deadline = Date.now() + 10_000
    for (;;) {
      const state = (await (await fetch(`${server.url}/state`)).json()) as State
      if (condition(state) || Date.now() > deadline) return state
      await Bun.sleep(20)
    }
  }

  test(`H12 that never ends: 503 after handshakeTimeout, on ${name}`, async () => {
    const asked = performance.now()
    // The second one waits when the time of the first is over.
    const first = refusal(`${server.url}/never`)
    await Bun.sleep(100)
    for (const { status, headers, body } of await Promise.all([first, refusal(`${server.url}/never`)])) {
      expect([status, body]).toEqual([503, 'The handshake took longer than handshakeTimeout, 800 ms\n'])
      expect(headers.get('retry-after')).toBe('5')
    }
    expect(performance.now() - asked).toBeGreaterThan(890)
    // There the request is a copy of ours, whose signal is ours as well.
    if (name === 'Deno.serve') expect((await stateWhen(({ aborted }) => aborted === 2)).aborted).toBe(2)
  })

  test(`H12 that passes the request on too late: 503, no handler starts, the place is free, on ${name}`, async () => {
    expect((await refusal(`${server.url}/slow`)).status).toBe(503)
    if (name !== 'workerd') expect((await stateWhen(({ passed }) => passed === 1)).passed).toBe(1)
    const peer = await Peer.dial(`${server.url}/late`)
    expect(await peer.next()).toBe('in')
    expect(await peer.closed).toBe('1000')
    expect((await stateWhen(() => true)).started).toBe(1)
  })
})
