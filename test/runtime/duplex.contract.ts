/** The transport contract on sockets. Runs under `bun test`, `deno test` and `node --test`. */
import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { DuplexTransport } from '../../src/runtime/duplex-transport.ts'
import { RAW_MODE } from '../../src/runtime/raw-mode.ts'
import { type TransportSkips, transportContract } from '../contract/transport.contract.ts'
import { MIB } from '../contract/transport-case.ts'
import { record, turns } from '../contract/transport-recorder.ts'
import { tcpPair, tlsPair, unixPair, upgradedPair } from './duplex-pairs.ts'

const bun: TransportSkips = RAW_MODE === 'bun' ? { reset: 'Bun shows an RST as an end' } : {}
const withoutReset: TransportSkips = {
  reset: 'only plain TCP has an RST that a test can send',
  'reset-paused': 'only plain TCP has an RST that a test can send',
}
const pauseDoesNothing = 'TLS sockets on Deno read on when paused; R33 bounds what is held'
const tls: TransportSkips = {
  ...withoutReset,
  ...(RAW_MODE === 'deno'
    ? { drain: pauseDoesNothing, backpressure: pauseDoesNothing, 'buffered-amount': pauseDoesNothing }
    : {}),
}

transportContract(`${RAW_MODE} upgraded`, () => upgradedPair(), bun)
transportContract(`${RAW_MODE} tcp`, tcpPair, bun)
transportContract(`${RAW_MODE} unix`, unixPair, withoutReset)
transportContract(`${RAW_MODE} upgraded tls`, () => upgradedPair(true), tls)
transportContract(`${RAW_MODE} tls`, tlsPair, tls)

test(`R36 S22 ${RAW_MODE} a refused write gets its onDrain, also when a later one came with little unsent`, async () => {
  const taken: (() => void)[] = []
  const socket = new Duplex({
    writableHighWaterMark: 10,
    read() {},
    write: (_chunk, _coding, done) => taken.push(done),
  })
  const subject = new DuplexTransport(socket)
  const near = record(subject)
  const take = async (): Promise<void> => {
    taken.shift()?.()
    await turns()
  }
  subject.write(new Uint8Array(6))
  assert.equal(subject.write(new Uint8Array(6)), false)
  await take()
  assert.equal(near.count('drain'), 0)
  // With these 4 it is full again, and not above its mark.
  assert.equal(subject.write(new Uint8Array(4)), false)
  await take()
  await take()
  assert.equal(subject.bufferedAmount, 0)
  assert.equal(near.count('drain'), 1)
  subject.destroy()
})

test(`R36 ${RAW_MODE} onDrain after 20 MiB comes once, with little unsent`, async () => {
  const { subject, peer, dispose } = await upgradedPair()
  const near = record(subject)
  const far = record(peer)
  peer.pause()
  const unsent: number[] = []
  near.react = (heard) => {
    if (heard === 'drain') unsent.push(subject.bufferedAmount)
  }
  for (let block = 0; block < 20; block++) subject.write(new Uint8Array(MIB))
  await turns(20)
  assert.ok(subject.bufferedAmount > MIB)
  peer.resume()
  await far.until('all bytes', () => far.received === 20 * MIB)
  await near.until('onDrain', () => unsent.length > 0)
  await turns()
  assert.deepEqual(
    unsent.filter((bytes) => bytes > 65_536),
    [],
  )
  assert.equal(unsent.length, 1)
  subject.destroy()
  peer.destroy()
  await dispose()
})
