/** The transport contract, first part: bytes on their way, in order and with backpressure. */
import assert from 'node:assert/strict'
import type { ByteTransport } from '../../src/connection/transport.ts'
import { KIB, MIB, PIPE_LIMIT, type TransportCase } from './transport-case.ts'
import { assertPattern, pattern, type Recorder, record, steady, turns } from './transport-recorder.ts'

/** `onDrain` may not come while more than this is unsent. */
const LOW_MARK: number = 64 * KIB
/** What may still be delivered after `pause`: the chunks that are on the way inside the process. */
const PAUSE_SLACK: number = 256 * KIB

/** Fills the pipe to a paused peer and lets the operating system take what it will; returns bytes written. */
async function stall(transport: ByteTransport): Promise<number> {
  let written = 0
  for (;;) {
    const before = written
    while (written < PIPE_LIMIT && transport.bufferedAmount < 4 * LOW_MARK) {
      transport.write(pattern(64 * KIB, written))
      written += 64 * KIB
    }
    await steady(() => transport.bufferedAmount)
    if (written === before) return written
    if (written >= PIPE_LIMIT) assert.fail(`a peer that does not read took ${PIPE_LIMIT} bytes`)
  }
}

export type FlowCase =
  | 'order'
  | 'silent-before-attach'
  | 'not-reentrant'
  | 'drain'
  | 'write-all'
  | 'write-all-full'
  | 'backpressure'
  | 'pause-in-data'
  | 'pause-before-attach'
  | 'duplex'
  | 'buffered-amount'
  | 'bytes-released'
  | 'chunks-owned'

export const FLOW_CASES: Record<FlowCase, TransportCase> = {
  order: {
    row: 'S21',
    rule: 'bytes arrive in the order of the writes, whatever their sizes',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      let written = 0
      for (const size of [1, 2, 125, 126, 127, 4096, 65_535, 65_536, 3, 200_000, 1]) {
        subject.write(pattern(size, written))
        peer.write(pattern(size, written))
        written += size
      }
      await far.until('all bytes at the peer', () => far.received >= written)
      await near.until('all bytes at the subject', () => near.received >= written)
      assertPattern(far.bytes(), written)
      assertPattern(near.bytes(), written)
    },
  },
  'silent-before-attach': {
    row: 'R3',
    rule: 'nothing is heard before attach has returned; bytes that came earlier come first',
    run: async ({ subject, peer }) => {
      record(peer)
      peer.write(pattern(1000))
      await turns(20)
      const near = record(subject)
      assert.deepEqual(near.heard, [], 'heard inside attach')
      peer.write(pattern(1000, 1000))
      await near.until('both writes', () => near.received >= 2000)
      assertPattern(near.bytes(), 2000)
    },
  },
  'not-reentrant': {
    row: 'S21',
    rule: 'no call of the transport calls a listener before it returns',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      const both = (name: string, call: () => unknown): void => {
        near.quietly(name, () => far.quietly(name, call))
      }
      both('write', () => subject.write(pattern(100)))
      both('writeAll', () => subject.writeAll([pattern(100, 100), pattern(100, 200)]))
      await far.until('the writes', () => far.received >= 300)
      both('pause', () => subject.pause())
      peer.write(pattern(100))
      await turns()
      both('resume', () => subject.resume())
      await near.until('the write', () => near.received >= 100)
      both('end', () => subject.end())
      await far.until('the end', () => far.count('end') === 1)
      both('destroy', () => subject.destroy())
      await near.untilClosed()
      assert.equal(near.reentered || far.reentered, '')
    },
  },
  drain: {
    row: 'R36',
    rule: 'write returns false for a peer that does not read; onDrain follows, and only when the buffer is low',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      const far = record(peer)
      peer.pause()
      const buffered: number[] = []
      near.react = (heard) => {
        if (heard === 'drain') buffered.push(subject.bufferedAmount)
      }
      let written = 0
      // The operating system may take what was asked to wait: then it drains at once, and we go on until it stays.
      for (;;) {
        const drains = buffered.length
        assert.ok(written < PIPE_LIMIT, `a peer that does not read took ${PIPE_LIMIT} bytes`)
        let more = true
        while (subject.bufferedAmount < 4 * LOW_MARK && written < PIPE_LIMIT) {
          more = subject.write(pattern(64 * KIB, written))
          written += 64 * KIB
        }
        assert.equal(more, false)
        await steady(() => subject.bufferedAmount)
        if (buffered.length === drains) break
      }
      assert.ok(subject.bufferedAmount > 0, 'the writer waits with bytes unsent')
      const before = buffered.length
      peer.resume()
      await near.until('onDrain', () => buffered.length > before)
      await far.until('all bytes', () => far.received >= written)
      assertPattern(far.bytes(), written)
      for (const amount of buffered) assert.ok(amount <= LOW_MARK, `onDrain with ${amount} bytes unsent`)
      await turns()
      assert.equal(buffered.length, before + 1, 'one onDrain for each time that write returned false')
    },
  },
  'write-all': {
    row: 'S21',
    rule: 'writeAll keeps the order of its pieces, skips empty ones, and takes no pieces at all',
    run: async ({ subject, peer }) => {
      record(subject)
      const far = record(peer)
      const empty = new Uint8Array(0)
      subject.write(pattern(10))
      subject.writeAll([pattern(2, 10), empty, pattern(100_000, 12), pattern(1, 100_012)])
      subject.writeAll([])
      subject.writeAll([empty])
      subject.write(empty)
      subject.write(pattern(10, 100_013))
      await far.until('all pieces', () => far.received >= 100_023)
      assertPattern(far.bytes(), 100_023)
      assert.ok(
        far.chunks.every((chunk) => chunk.length > 0),
        'an empty chunk was delivered',
      )
    },
  },
  'write-all-full': {
    row: 'S22',
    rule: 'writeAll tells of backpressure as write does',
    run: async ({ subject, peer }) => {
      record(subject)
      const far = record(peer)
      peer.pause()
      let written = 0
      let more = true
      while (more && written < PIPE_LIMIT) {
        more = subject.writeAll([pattern(64 * KIB, written), pattern(64 * KIB, written + 64 * KIB)])
        written += 128 * KIB
      }
      assert.equal(more, false)
      peer.resume()
      await far.until('all pieces', () => far.received >= written)
      assertPattern(far.bytes(), written)
    },
  },
  backpressure: {
    row: 'R17',
    rule: 'pause stops the peer, not only the listener: a sender that does not stop is not read into memory',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      record(peer)
      peer.write(pattern(1000))
      await near.until('the first bytes', () => near.received >= 1000)
      subject.pause()
      await turns()
      let written = 1000
      const after = near.received
      // The peer writes until its own buffer stays full: the stream has stopped.
      for (let before = -1; before !== written; ) {
        before = written
        while (peer.bufferedAmount < 4 * LOW_MARK) {
          peer.write(pattern(64 * KIB, written))
          written += 64 * KIB
          assert.ok(written < PIPE_LIMIT, `a paused transport took ${PIPE_LIMIT} bytes`)
        }
        await steady(() => peer.bufferedAmount)
      }
      assert.ok(near.received - after <= PAUSE_SLACK, `${near.received - after} bytes delivered after pause`)
      assert.ok(peer.bufferedAmount > 0)
      subject.resume()
      await near.until('all bytes', () => near.received >= written)
      assertPattern(near.bytes(), written)
      assert.equal(peer.bufferedAmount, 0)
    },
  },
  'pause-in-data': {
    row: 'R17',
    rule: 'pause and resume within onData lose nothing',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      record(peer)
      let resumes = 0
      near.react = (heard) => {
        if (heard !== 'data') return
        subject.pause()
        setTimeout(() => {
          resumes++
          subject.resume()
        }, 0)
      }
      for (let written = 0; written < 512 * KIB; written += 32 * KIB) peer.write(pattern(32 * KIB, written))
      await near.until('all bytes', () => near.received >= 512 * KIB)
      assertPattern(near.bytes(), 512 * KIB)
      await near.until('a resume', () => resumes > 0)
    },
  },
  'pause-before-attach': {
    row: 'R17',
    rule: 'a transport paused before attach delivers nothing until resume',
    run: async ({ subject, peer }) => {
      record(peer)
      subject.pause()
      const near = record(subject)
      peer.write(pattern(1000))
      await turns(20)
      assert.deepEqual(near.heard, [])
      subject.resume()
      await near.until('the bytes', () => near.received >= 1000)
      assertPattern(near.bytes(), 1000)
    },
  },
  duplex: {
    row: 'S21',
    rule: 'both directions flow at the same time, each with its own backpressure',
    run: async ({ subject, peer }) => {
      const total = 2 * MIB
      const flow = (from: ByteTransport, recorder: Recorder): void => {
        let written = 0
        const pump = (): void => {
          for (let more = true; more && written < total; written += 64 * KIB) {
            more = from.write(pattern(64 * KIB, written))
          }
        }
        recorder.react = (heard) => {
          if (heard === 'drain') pump()
        }
        pump()
      }
      const near = record(subject)
      const far = record(peer)
      flow(subject, near)
      flow(peer, far)
      await far.until('all bytes at the peer', () => far.received >= total)
      await near.until('all bytes at the subject', () => near.received >= total)
      assertPattern(far.bytes(), total)
      assertPattern(near.bytes(), total)
    },
  },
  'buffered-amount': {
    row: 'S22',
    rule: 'bufferedAmount is 0 at rest, bounded by what was written, and 0 again when all of it has left',
    run: async ({ subject, peer }) => {
      record(subject)
      const far = record(peer)
      assert.equal(subject.bufferedAmount, 0)
      peer.pause()
      const written = await stall(subject)
      const unsent = subject.bufferedAmount
      assert.ok(unsent > 0 && unsent <= written, `${unsent} of ${written}`)
      subject.write(pattern(1000, written))
      assert.equal(subject.bufferedAmount, unsent + 1000, 'a stalled transport counts every further byte')
      peer.resume()
      await far.until('all bytes', () => far.received >= written + 1000)
      await far.until('an empty buffer', () => subject.bufferedAmount === 0)
      assertPattern(far.bytes(), written + 1000)
    },
  },
  'bytes-released': {
    row: 'S21',
    rule: 'an array may be changed as soon as bufferedAmount no longer counts it',
    run: async ({ subject, peer }) => {
      record(subject)
      const far = record(peer)
      peer.pause()
      // Little enough for any operating system to take from a writer whose peer does not read.
      const slab = new Uint8Array(KIB)
      let written = 0
      for (let round = 0; round < 4; round++) {
        slab.set(pattern(slab.length, written))
        subject.write(slab)
        written += slab.length
        await far.until('an empty buffer', () => subject.bufferedAmount === 0)
        slab.fill(0xee)
      }
      peer.resume()
      await far.until('all bytes', () => far.received >= written)
      assertPattern(far.bytes(), written)
    },
  },
  'chunks-owned': {
    row: 'R12',
    rule: 'a chunk belongs to its listener: writing into it, or keeping it, touches nothing else',
    run: async ({ subject, peer }) => {
      const near = record(subject)
      record(peer)
      const kept: Uint8Array[] = []
      near.react = (heard, chunk) => {
        if (heard !== 'data' || chunk === undefined) return
        // Not `chunk.slice()`, which on a Buffer is a view.
        kept.push(new Uint8Array(chunk))
        chunk.fill(0xee)
      }
      const sent = pattern(300_000)
      peer.write(sent)
      await near.until('all bytes', () => near.received >= sent.length)
      assertPattern(Buffer.concat(kept), sent.length)
      assertPattern(sent, sent.length)
      assert.ok(
        near.chunks.every((chunk) => chunk.every((byte) => byte === 0xee)),
        'a chunk was written into after it was delivered',
      )
    },
  },
}
