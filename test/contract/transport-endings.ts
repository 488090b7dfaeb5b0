/** The transport contract, second part: every way in which a transport ends. */
import assert from 'node:assert/strict'
import type { ByteTransport } from '../../src/connection/transport.ts'
import { KIB, MIB, PIPE_LIMIT, type TransportCase } from './transport-case.ts'
import { assertPattern, pattern, type Recorder, record, turns } from './transport-recorder.ts'

/** Writes the pattern in pieces until the transport asks to wait. Returns how many bytes it took. */
function writeUntilFull(transport: ByteTransport, pieceSize = 64 * KIB): number {
  for (let written = 0; written < PIPE_LIMIT; ) {
    const more = transport.write(pattern(pieceSize, written))
    written += pieceSize
    if (!more) return written
  }
  return assert.fail(`write never returned false for ${PIPE_LIMIT} bytes to a peer that does not read`)
}

function assertEndsWith(recorder: Recorder, close: 'close end' | 'close error'): void {
  assert.equal(recorder.count('close'), 1, 'onClose is called exactly once')
  assert.equal(recorder.heard.at(-1), close, 'onClose is last, and says how')
}

export type EndingCase =
  | 'half-close'
  | 'end-answered'
  | 'end-flushes'
  | 'end-idempotent'
  | 'destroy'
  | 'destroy-unsent'
  | 'destroy-in-data'
  | 'destroy-before-attach'
  | 'after-close'
  | 'peer-gone'
  | 'reset'
  | 'reset-paused'
  | 'early-end'
  | 'remote-address'

export const ENDING_CASES: Record<EndingCase, TransportCase> = {
  'half-close': {
    row: 'S7',
    rule: 'end closes our side only: the peer can still be heard, and both then close in order',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      subject.write(pattern(100))
      subject.end()
      await far.until('the end', () => far.count('end') === 1)
      assertPattern(far.bytes(), 100)
      assert.equal(near.closed, false, 'half closed is not closed')
      peer.write(pattern(100))
      await near.until('bytes after our end', () => near.received >= 100)
      assertPattern(near.bytes(), 100)
      peer.end()
      await near.untilClosed()
      await far.untilClosed()
      assert.deepEqual(near.heard, ['data', 'end', 'close end'])
      assert.deepEqual(far.heard, ['data', 'end', 'close end'])
    },
  },
  'end-answered': {
    row: 'R19',
    rule: "the peer's end is told once and after its bytes; ending our side closes the transport",
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      near.react = (heard) => {
        if (heard === 'end') subject.end()
      }
      far.react = (heard) => {
        if (heard === 'end') peer.end()
      }
      peer.write(pattern(70_000))
      peer.end()
      await near.untilClosed()
      await far.untilClosed()
      assertPattern(near.bytes(), 70_000)
      assertEndsWith(near, 'close end')
      assertEndsWith(far, 'close end')
      assert.deepEqual(near.heard, ['data', 'end', 'close end'])
    },
  },
  'end-flushes': {
    row: 'S7',
    rule: 'end sends everything written before it',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      far.react = (heard) => {
        if (heard === 'end') peer.end()
      }
      near.react = (heard) => {
        if (heard === 'end') subject.end()
      }
      peer.pause()
      for (let written = 0; written < 6 * MIB; written += MIB) subject.write(pattern(MIB, written))
      subject.end()
      await turns()
      peer.resume()
      await far.until('the end', () => far.count('end') === 1)
      assertPattern(far.bytes(), 6 * MIB)
      await near.untilClosed()
      assertEndsWith(near, 'close end')
    },
  },
  'end-idempotent': {
    row: 'S23',
    rule: 'a second end and a write after end do nothing and throw nothing',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      far.react = (heard) => {
        if (heard === 'end') peer.end()
      }
      near.react = (heard) => {
        if (heard === 'end') subject.end()
      }
      subject.write(pattern(10))
      subject.end()
      subject.end()
      subject.write(pattern(10, 10))
      subject.writeAll([pattern(10, 20)])
      await far.untilClosed()
      await near.untilClosed()
      assertPattern(far.bytes(), 10)
      assertEndsWith(near, 'close end')
      assertEndsWith(far, 'close end')
    },
  },
  destroy: {
    row: 'S23',
    rule: 'destroy ends the transport: onClose once and last, and nothing besides it',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      far.react = (heard) => {
        if (heard === 'end') peer.end()
      }
      subject.write(pattern(10))
      await far.until('the bytes', () => far.received >= 10)
      peer.write(pattern(10))
      subject.destroy()
      subject.destroy()
      await near.untilClosed()
      await far.untilClosed()
      assert.deepEqual(near.heard, [near.heard.at(-1)], 'something other than onClose followed destroy')
      assert.equal(near.count('close'), 1)
      assert.equal(far.count('close'), 1)
      assert.equal(subject.bufferedAmount, 0)
    },
  },
  'destroy-unsent': {
    row: 'R29',
    rule: 'destroy does not wait for a peer that does not read',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      record(peer)
      peer.pause()
      writeUntilFull(subject)
      subject.end()
      subject.destroy()
      await near.untilClosed()
      assert.equal(near.count('close'), 1)
      assert.equal(subject.bufferedAmount, 0)
    },
  },
  'destroy-in-data': {
    row: 'S23',
    rule: 'destroy within onData: no further data, no end, only onClose',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      record(peer)
      let calls = 0
      near.react = (heard) => {
        if (heard !== 'data') return
        calls++
        subject.destroy()
      }
      for (let piece = 0; piece < 10; piece++) peer.write(pattern(100_000))
      peer.end()
      await near.untilClosed()
      await turns()
      assert.equal(calls, 1)
      assert.equal(near.heard.length, 2)
      assert.equal(near.count('close'), 1)
    },
  },
  'destroy-before-attach': {
    row: 'R1',
    rule: 'a transport destroyed before attach tells its listener only of its close',
    run: async ({ subject, peer }) => {
      record(peer)
      peer.write(pattern(100))
      await turns()
      subject.destroy()
      await turns()
      const near = record(subject)
      await near.untilClosed()
      assert.equal(near.heard.length, 1)
    },
  },
  'after-close': {
    row: 'S23',
    rule: 'every call after the close is harmless and heard by nobody',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      record(peer)
      subject.destroy()
      await near.untilClosed()
      subject.write(pattern(100))
      subject.writeAll([pattern(100), pattern(100)])
      subject.pause()
      subject.resume()
      subject.end()
      subject.destroy()
      await turns()
      assert.equal(subject.bufferedAmount, 0)
      assert.equal(near.heard.length, 1)
    },
  },
  'peer-gone': {
    row: 'R19',
    rule: 'writing to a peer that was destroyed ends in one onClose and in nothing worse',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      record(peer)
      peer.destroy()
      for (let piece = 0; piece < 50 && !near.closed; piece++) {
        subject.write(pattern(10_000))
        await turns(1)
      }
      subject.end()
      await near.untilClosed()
      assert.equal(near.count('close'), 1)
      assert.ok(near.heard.at(-1)?.startsWith('close'))
      assert.equal(subject.bufferedAmount, 0)
    },
  },
  reset: {
    row: 'R36',
    rule: "an RST is onClose('error'), once, although the transport was idle",
    run: async ({ subject, peer, reset }) => {
      const near = record(subject)
      const far = record(peer)
      peer.write(pattern(100))
      await near.until('the bytes', () => near.received >= 100)
      near.react = (heard) => {
        if (heard === 'end') subject.end()
      }
      assert.ok(reset !== undefined, 'a pair without reset names it in its skips')
      reset()
      await near.untilClosed()
      await far.untilClosed()
      assertEndsWith(near, 'close error')
      assert.equal(near.count('end'), 0)
    },
  },
  'reset-paused': {
    row: 'R36',
    rule: 'an RST while paused closes, at the latest on resume',
    run: async ({ subject, peer, reset }) => {
      const near = record(subject)
      record(peer)
      subject.pause()
      peer.write(pattern(100))
      await turns()
      assert.ok(reset !== undefined, 'a pair without reset names it in its skips')
      reset()
      await turns(20)
      subject.resume()
      await near.untilClosed()
      assert.equal(near.count('close'), 1)
    },
  },
  'early-end': {
    row: 'R3',
    rule: 'bytes and the end that came before attach are delivered after it, in order',
    run: async ({ subject, peer }) => {
      record(peer)
      peer.write(pattern(1000))
      peer.end()
      await turns(20)
      const near = record(subject)
      await near.until('the end', () => near.count('end') === 1)
      assertPattern(near.bytes(), 1000)
      assert.deepEqual(near.heard.slice(0, 2), ['data', 'end'])
    },
  },
  'remote-address': {
    row: 'S20',
    rule: 'remoteAddress is a text or undefined, and stays what it was after the close',
    run: async ({ subject }) => {
      const near = record(subject)
      const address = subject.remoteAddress
      assert.ok(address === undefined || (typeof address === 'string' && address !== ''))
      subject.destroy()
      await near.untilClosed()
      assert.equal(subject.remoteAddress, address)
    },
  },
}
