/** The table of endings in memory, with time in the hands of the test. */
import { describe, expect, test } from 'bun:test'
import type { Context } from 'hono'
import { ConnectionClosed } from '../../src/codec/errors.ts'
import type { Role } from '../../src/codec/event.ts'
import { LiveConnections, Stay } from '../../src/connection/live-connections.ts'
import { Places } from '../../src/sock/admission.ts'
import { runHandler } from '../../src/sock/lifetime.ts'
import { type Armed, arm, firstFragment } from './arm.ts'
import {
  ABORT_REASON,
  CELLS,
  type Cell,
  CLOSE_TIMEOUT,
  ENDINGS,
  optionsOf,
  PENDING,
  peerFrame,
  TIMER,
} from './endings.ts'
import { type Bench, bench, watch } from './pair.ts'

const NARROW = { capacity: 1000, highWaterMark: 1000 }

/** What our side does to end it, beside its timers. */
async function act({ ws, clock }: Bench, { ending }: Cell, abort: AbortController): Promise<void> {
  switch (ending.name) {
    case 'we close with 1000':
    case 'R29 the peer never answers our Close':
      void ws.close()
      break
    case 'we close with 4000':
      void ws.close(4000, 'ours')
      break
    case 'we terminate':
      ws.terminate()
      break
    case 'the signal of receive aborts':
      abort.abort(new Error(ABORT_REASON))
      break
    case 'the server drains': {
      const live = new LiveConnections(clock)
      const stay = new Stay()
      live.enter(ws, stay)
      void ws.closed.then(() => stay.leave())
      void live.drain({ deadline: 2 * CLOSE_TIMEOUT })
      break
    }
    case 'R10 the handler throws': {
      const told: unknown[] = []
      const options = { onError: (error: unknown) => void told.push(error) }
      const presence = { places: new Places(), live: new LiveConnections(clock) }
      const handler = (): unknown => Promise.reject(new Error('thrown'))
      const response = new Response(null, { status: 101 })
      runHandler({ response, opened: Promise.resolve(ws) }, {} as Context, options, handler, presence)
      await clock.settle()
      expect(told).toHaveLength(1)
      break
    }
    default:
      throw new Error(`Nobody does: ${ending.name}`)
  }
}

async function play(
  cell: Cell,
  role: Role,
): Promise<{ b: Bench; armed: Armed; outcome: ReturnType<typeof watch> | undefined }> {
  const { ending, pending } = cell
  const isBlocked = pending === 'send'
  const masked = role === 'server'
  const b = bench({ highWaterMark: 1000, ...optionsOf(ending) }, isBlocked ? { role, transport: NARROW } : { role })
  const { ws, peer, clock } = b
  peer.answering = ending.answered ?? true
  peer.ponging = false
  if (isBlocked) peer.transport.hold()
  if (pending === 'stream') peer.transport.write(Buffer.from(firstFragment(masked), 'latin1'))
  const abort = new AbortController()
  const arming = arm(ws, pending, abort.signal, () => clock.settle(), 1000)
  await clock.settle()
  const armed = await arming
  const outcome = armed.promise === undefined ? undefined : watch(armed.promise)
  await clock.settle()
  if (outcome !== undefined) expect(outcome.state).toBe('pending')
  expect(ws.connected).toBe(true)
  const frame = peerFrame(ending, pending, masked)
  if (ending.by === 'timer') await clock.run(TIMER + TIMER / 8 + 1)
  else if (frame !== undefined) peer.transport.write(Buffer.from(frame, 'latin1'))
  else if (ending.name === 'R19 the peer ends TCP') peer.transport.end()
  else if (ending.name === 'R36 the peer resets TCP') peer.transport.reset()
  else await act(b, cell, abort)
  await clock.settle()
  return { b, armed, outcome }
}

describe.each(['server', 'client'] as const)('endings in memory of a %s', (role) => {
  test('S8 the table has a cell for every ending and everything that can be pending', () => {
    expect(CELLS).toHaveLength(ENDINGS.length * PENDING.length)
    expect(new Set(CELLS.map(({ title }) => title)).size).toBe(CELLS.length)
  })

  test.each(CELLS.map((cell) => [cell.title, cell] as const))('%s', async (_, cell) => {
    const { b, outcome } = await play(cell, role)
    const { ws, peer, clock } = b
    if (cell.info === null) {
      expect(ws.connected).toBe(true)
      expect(outcome?.state ?? 'none').toBe(cell.outcome === 'aborted' ? 'rejected' : cell.outcome)
      if (cell.outcome === 'aborted') expect(outcome?.value).toMatchObject({ message: ABORT_REASON })
      ws.terminate()
      await clock.settle()
      expect(clock.pending).toEqual([])
      return
    }
    // A Close that nobody reads, or answers, ends with its timeout.
    if (ws.code === undefined) await clock.run(CLOSE_TIMEOUT)
    const closed = await ws.closed
    expect(closed).toEqual({ ...cell.info, reason: expect.stringMatching(patternOf(cell.info.reason)) })
    expect(ws).toMatchObject({ readyState: 3, connected: false, code: closed.code, reason: closed.reason })
    expect(ws).toMatchObject({ wasClean: closed.wasClean, initiator: closed.initiator })
    expect(ws.signal.reason).toBeInstanceOf(ConnectionClosed)
    switch (cell.outcome) {
      case 'none':
        expect(outcome).toBeUndefined()
        break
      case 'done':
        expect(outcome).toEqual({ state: 'resolved', value: { value: undefined, done: true } })
        break
      default:
        expect(outcome?.state).toBe('rejected')
        expect(outcome?.value).toBeInstanceOf(ConnectionClosed)
        expect(outcome?.value).toMatchObject(closed)
    }
    await expect(ws.receive()).rejects.toMatchObject(closed)
    await expect(ws.send('late')).rejects.toMatchObject(closed)
    // The peer reads on and goes; a peer that does not is dropped.
    peer.transport.release()
    await clock.settle()
    peer.transport.end()
    await clock.run(CLOSE_TIMEOUT)
    expect(clock.pending).toEqual([])
    expect(clock.waiting).toBe(0)
    expect(peer.ends).toContain(cell.ending.name.startsWith('R36') ? 'close error' : 'end')
    expect(ws.bufferedAmount).toBe(0)
  })
})

function patternOf(reason: string | RegExp): RegExp {
  return typeof reason === 'string' ? new RegExp(`^${reason}$`) : reason
}
