/** How often pings go out, and when silence is the end, by the relation of the two options. */
import { expect, test } from 'bun:test'
import { Keepalive } from '../../src/connection/keepalive.ts'
import { type ConnectionOptions, resolveConnectionOptions } from '../../src/connection/options.ts'
import { FakeClock } from './fake-clock.ts'

/** A keepalive whose peer sends something whenever a test says so. */
function bench(options: ConnectionOptions) {
  const clock = new FakeClock()
  const pings: number[] = []
  let diedAt: number | undefined
  const keepalive = new Keepalive(
    clock,
    {
      readingPaused: false,
      sendPing: () => void pings.push(clock.now()),
      readAhead() {},
      onDead() {
        diedAt = clock.now()
        keepalive.stop()
      },
      onExpired() {},
    },
    resolveConnectionOptions(options),
  )
  const hear = (delay: number): void => {
    clock.setTimeout(() => {
      keepalive.alive = true
    }, delay)
  }
  return { clock, pings, keepalive, hear, diedAt: () => diedAt }
}

test.each([
  [1000, 500],
  [1000, 1000],
  [1000, 2500],
  [1000, 20_000],
  [1000, Number.POSITIVE_INFINITY],
])('S9 a Ping goes out every %d ms to a peer that answers, whatever pongTimeout (%d ms) is', (interval, timeout) => {
  const { clock, pings, keepalive, hear, diedAt } = bench({ pingInterval: interval, pongTimeout: timeout })
  for (let second = 1; second < 60; second++) hear(second * 1000 + 10)
  clock.advance(59_999)
  expect(pings).toEqual(Array.from({ length: 59 }, (_, i) => (i + 1) * 1000))
  expect(diedAt()).toBeUndefined()
  keepalive.stop()
  expect(clock.pending).toEqual([])
})

test.each([
  // It spoke for the last time after the ping at 3000; the one at 4000 is the first that it leaves unanswered.
  [1000, 500, 4501],
  [1000, 1000, 5001],
  [1000, 2500, 6501],
  [1000, 20_000, 24_001],
])('S9 pings every %d ms, of which one had %d ms for its answer: dead at %d ms', (interval, timeout, dead) => {
  const { clock, hear, diedAt } = bench({ pingInterval: interval, pongTimeout: timeout })
  for (const at of [1010, 2010, 3010]) hear(at)
  clock.advance(dead - 1)
  expect(diedAt()).toBeUndefined()
  clock.advance(1)
  expect(diedAt()).toBe(dead)
  expect(clock.pending).toEqual([])
})
