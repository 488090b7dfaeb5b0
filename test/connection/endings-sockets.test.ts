/** The table of endings over real sockets: a server process on each runtime, and a peer that writes its own bytes. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { request, UPGRADE, WireClient } from '../runtime/wire-client.ts'
import { type Runtime, type Started, startServer } from '../subject/start.ts'
import { firstFragment } from './arm.ts'
import { ABORT_REASON, CELLS, type Cell, peerFrame } from './endings.ts'

interface State {
  readonly reports: Readonly<Record<number, Report>>
  readonly problems: readonly string[]
  readonly timers: number
  readonly sockets: number
  readonly connections: number
  readonly drainUrl: string
}

interface Report {
  readonly armed: boolean
  readonly info: { readonly code: number; readonly reason: string } | null
  readonly outcome: string
  readonly late: readonly string[]
  readonly signal: boolean
  readonly errors: number
}

const PATIENCE = 60_000

/** One process for all cells; they run side by side. */
class Play implements AsyncDisposable {
  readonly server: Started
  readonly clients: WireClient[] = []
  #drainPort = 0

  private constructor(server: Started) {
    this.server = server
  }

  static async begin(runtime: Runtime): Promise<Play> {
    const play = new Play(await startServer(runtime, join(import.meta.dir, 'endings-app.ts')))
    play.#drainPort = Number(new URL((await play.state()).drainUrl).port)
    for (const [number, cell] of CELLS.entries()) play.clients.push(await play.#open(cell, number))
    return play
  }

  async state(): Promise<State> {
    const response = await fetch(`${this.server.url}/state`, { headers: { Connection: 'close' } })
    return (await response.json()) as State
  }

  /** Asks until the condition holds. */
  async until(what: string, condition: (state: State) => boolean): Promise<State> {
    const deadline = performance.now() + PATIENCE
    for (;;) {
      const state = await this.state()
      if (condition(state)) return state
      if (performance.now() > deadline) throw new Error(`${what}: ${JSON.stringify({ ...state, reports: undefined })}`)
      await Bun.sleep(50)
    }
  }

  async #open({ ending, pending }: Cell, number: number): Promise<WireClient> {
    const client = await WireClient.open({ port: ending.by === 'server' ? this.#drainPort : this.server.port })
    client.send(request(`/cell/${number}`, UPGRADE))
    await client.until('101 Switching Protocols')
    if (pending === 'send') client.socket.pause()
    if (pending === 'stream') client.send(firstFragment(true))
    if (ending.by !== 'peer' && ending.answered !== false) void answerClose(client)
    return client
  }

  /** What the peers do once their cells are armed. */
  async act(): Promise<void> {
    const armed = await this.until('arming', ({ reports }) => Object.values(reports).every((report) => report.armed))
    expect(armed.problems).toEqual([])
    for (const [number, { ending, pending }] of CELLS.entries()) {
      const client = this.clients[number] as WireClient
      const frame = peerFrame(ending, pending)
      if (frame !== undefined) client.send(frame)
      else if (ending.name === 'R19 the peer ends TCP') client.socket.end()
      else if (ending.name === 'R36 the peer resets TCP') client.reset()
    }
    await fetch(`${this.server.url}/drain`, { method: 'POST' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) client[Symbol.dispose]()
    await this.server.stop()
  }
}

/** Answers the server's Close, whichever it is, with one that has no code; then ends TCP when the server has. */
async function answerClose(client: WireClient): Promise<void> {
  await client.until('\x88').catch(() => {})
  if (!client.closed) client.send('\x88\x80\0\0\0\0')
}

describe.each(['node', 'bun', 'deno'] as const)('endings over sockets on %s', (runtime) => {
  let play: Play
  let ended: State

  beforeAll(async () => {
    play = await Play.begin(runtime)
    await play.act()
    ended = await play.until('ends', ({ reports }) =>
      CELLS.every(({ info }, number) => info === null || reports[number]?.info != null),
    )
  }, 2 * PATIENCE)
  afterAll(async () => {
    await play[Symbol.asyncDispose]()
  })

  test.each(CELLS.map((cell, number) => [cell.title, cell, number] as const))('%s', (_, cell, number) => {
    const { info, outcome, late, signal, errors } = ended.reports[number] as Report
    expect(errors).toBe(cell.ending.name === 'R10 the handler throws' ? 1 : 0)
    if (cell.info === null) {
      expect(info).toBeNull()
      expect(outcome).toBe(cell.outcome === 'aborted' ? `Error: ${ABORT_REASON}` : 'pending')
      return
    }
    const { reason } = cell.info
    const pattern = typeof reason === 'string' ? new RegExp(`^${reason}$`) : reason
    expect(info as unknown).toEqual({ ...cell.info, reason: expect.stringMatching(pattern) })
    const asText = JSON.stringify(inOrder(info))
    expect(late).toEqual([asText, asText, asText])
    expect(signal).toBe(true)
    if (cell.outcome === 'done') expect(outcome).toBe('resolved {"done":true}')
    else if (cell.outcome === 'rejects') expect(outcome).toBe(`closed ${asText}`)
    else expect(outcome).toBe('pending')
  })

  test(
    'S23 nothing is left: no connection, no timer, no socket, no stray error',
    async () => {
      for (const [number, { info }] of CELLS.entries()) if (info === null) play.clients[number]?.reset()
      // The request that asks is one socket.
      const state = await play.until('release', (now) => now.connections === 0 && now.timers === 0 && now.sockets <= 1)
      expect(state.problems).toEqual([])
      expect(play.server.stderr).toBe('')
    },
    PATIENCE,
  )
})

function inOrder(info: object | null): object {
  const { code, reason, wasClean, initiator } = info as Record<string, unknown>
  return { code, reason, wasClean, initiator }
}
