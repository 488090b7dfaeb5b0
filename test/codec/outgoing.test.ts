/** Runs the outgoing half of the conformance table on both sides, and looks at the masking keys. */
import { describe, expect, test } from 'bun:test'
import type { OutgoingProtocolEvent, Role } from '../../src/codec/event.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import { OUTGOING, type OutgoingVector } from './outgoing-vectors.ts'
import { bytesOf, hexOf, join, rawFrames } from './wire-notation.ts'

function refusedAs(protocol: Protocol, event: OutgoingProtocolEvent): string {
  try {
    return `sent ${hexOf(protocol.send(event))}`
  } catch (error) {
    return (error as Error).name
  }
}

function send(vector: OutgoingVector, role: Role): Uint8Array {
  const protocol = new Protocol({ role })
  const accepted = vector.refused === undefined ? vector.send : vector.send.slice(0, -1)
  const wire = join(accepted.map((event) => protocol.send(event)))
  if (vector.refused === undefined) return wire
  const state = protocol.state
  expect(refusedAs(protocol, vector.send.at(-1) as OutgoingProtocolEvent)).toBe(vector.refused)
  expect(protocol.state).toBe(state)
  expect(protocol.output.pending).toBe(0)
  return wire
}

describe('P18 outgoing vectors', () => {
  for (const vector of OUTGOING) {
    test(`${vector.row} ${vector.id}`, () => {
      const wanted = hexOf(bytesOf(vector.wire))
      expect(hexOf(send(vector, 'server'))).toBe(wanted)
      const frames = rawFrames(send(vector, 'client'))
      expect(frames.every((frame) => frame.masked)).toBe(true)
      expect(hexOf(join(frames.map((frame) => frame.unmasked)))).toBe(wanted)
    })
  }

  test('P18 every outgoing vector has an id of its own', () => {
    const ids = OUTGOING.map((vector) => vector.id)
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([])
  })
})

describe('P18 masking keys', () => {
  test('P18 every frame of a client has a fresh key', () => {
    const protocol = new Protocol({ role: 'client' })
    const keys = new Set<string>()
    const count = 5_000
    for (let i = 0; i < count; i++) {
      const [frame] = rawFrames(protocol.send({ type: 'TextMessage', data: 'a' }))
      keys.add(hexOf(frame?.key ?? new Uint8Array()))
    }
    // Two of 5,000 random 32-bit keys are equal in 0.3 % of runs, four pairs in none that will be seen.
    expect(keys.size).toBeGreaterThan(count - 4)
  })

  test('P18 every bit of the key is set in about half of the frames', () => {
    const protocol = new Protocol({ role: 'client' })
    const ones = new Array<number>(32).fill(0)
    const count = 4_000
    for (let i = 0; i < count; i++) {
      const [frame] = rawFrames(protocol.send({ type: 'Ping', payload: new Uint8Array(0) }))
      for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] ?? 0) + (((frame?.key[bit >> 3] ?? 0) >> (bit & 7)) & 1)
    }
    // Nine standard deviations to either side.
    for (const seen of ones) expect(Math.abs(seen - count / 2)).toBeLessThan(9 * Math.sqrt(count / 4))
  })

  test('P18 two connections do not share a sequence of keys', () => {
    const keysOf = (): string =>
      Array.from({ length: 20 }, () =>
        hexOf(rawFrames(protocol.send({ type: 'Ping' }))[0]?.key ?? new Uint8Array()),
      ).join()
    let protocol = new Protocol({ role: 'client' })
    const first = keysOf()
    protocol = new Protocol({ role: 'client' })
    expect(keysOf()).not.toBe(first)
  })

  test('P18 sending never changes the memory of the caller', () => {
    for (const role of ['server', 'client'] as const) {
      for (const size of [0, 1, 100, 16_383, 16_384, 70_000]) {
        const data = new Uint8Array(size).fill(0x55)
        const protocol = new Protocol({ role })
        protocol.send({ type: 'BytesMessage', data })
        expect(data.every((byte) => byte === 0x55)).toBe(true)
      }
    }
  })

  test('P18 a payload may be changed by its owner once it was sent by a client', () => {
    for (const size of [10, 16_384, 70_000]) {
      const data = new Uint8Array(size).fill(0x55)
      const wire = new Protocol({ role: 'client' }).send({ type: 'BytesMessage', data })
      data.fill(0)
      expect(rawFrames(wire)[0]?.payload.every((byte) => byte === 0x55)).toBe(true)
    }
  })

  test('P18 the bytes that send returned stay what they were while more is sent', () => {
    for (const role of ['server', 'client'] as const) {
      const protocol = new Protocol({ role })
      const other = new Protocol({ role })
      const kept: [Uint8Array, string][] = []
      for (let i = 0; i < 3_000; i++) {
        const wire = (i % 2 === 0 ? protocol : other).send({ type: 'TextMessage', data: String(i).repeat(i % 40) })
        kept.push([wire, hexOf(wire)])
      }
      for (const [wire, hex] of kept) expect(hexOf(wire)).toBe(hex)
    }
  })
})
