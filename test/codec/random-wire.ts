/** Random input for the codec: what a peer sends, mostly right and a little wrong, and ways to cut it. */
import { expect } from 'bun:test'
import { Buffer } from 'node:buffer'
import process from 'node:process'
import fc from 'fast-check'
import type { Role } from '../../src/codec/event.ts'
import { cut } from './session.ts'
import { hexOf, join, mask } from './wire-notation.ts'

/** `FUZZ_SEED` and `FUZZ_SCALE` in the environment change what is tried, and how much of it. */
const SEED = Number(process.env.FUZZ_SEED ?? 6455)
export const SCALE: number = Number(process.env.FUZZ_SCALE ?? 1)

/** Asserts the property, and that it was really tried. */
export function holds<T>(property: fc.IProperty<T>, numRuns: number = 1_000): void {
  const details = fc.check(property, {
    seed: SEED,
    numRuns: numRuns * SCALE,
    interruptAfterTimeLimit: 10_000 * SCALE,
    markInterruptAsFailure: false,
  })
  expect(details.failed ? fc.defaultReportMessage(details) : 'holds').toBe('holds')
  expect(details.numRuns).toBeGreaterThan(numRuns / 20)
}

export const role: fc.Arbitrary<Role> = fc.constantFrom('server', 'client')
const octet: fc.Arbitrary<number> = fc.integer({ min: 0, max: 255 })
const key: fc.Arbitrary<number[]> = fc.array(octet, { minLength: 4, maxLength: 4 })

/** Payloads: mostly text that is UTF-8 or nearly so, the rest anything. */
const payload: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => Uint8Array.from(Buffer.from(text))),
  fc.uint8Array({ maxLength: 140 }),
  fc
    .tuple(fc.string({ unit: 'binary', maxLength: 60 }), fc.uint8Array({ maxLength: 3 }), fc.string({ maxLength: 5 }))
    .map(([before, bad, after]) => join([Buffer.from(before), bad, Buffer.from(after)])),
)

/** Evenly spread; the doubles of fast-check are mostly close to 0. */
const fraction: fc.Arbitrary<number> = fc.nat(999_999).map((millionths) => millionths / 1_000_000)

function frameOf(first: number, payload: Uint8Array): Uint8Array {
  const { length } = payload
  const head = length < 126 ? [first, length] : [first, 126, length >> 8, length & 0xff]
  return join([Uint8Array.from(head), payload])
}

/** A message in fragments, or a control frame: as the sender of it must write them. */
const rightFrames: fc.Arbitrary<Uint8Array[]> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 2, 2), fc.array(payload, { minLength: 1, maxLength: 4 }))
      .map(([opcode, parts]) =>
        parts.map((part, i) => frameOf((i === 0 ? opcode : 0) | (i === parts.length - 1 ? 0x80 : 0), part)),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(0x89, 0x8a), fc.uint8Array({ maxLength: 125 }))
      .map(([first, data]) => [frameOf(first, data)]),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 990, max: 1020 }), fc.string({ unit: 'binary', maxLength: 20 }))
      .map(([code, reason]) => [frameOf(0x88, join([Uint8Array.of(code >> 8, code), Buffer.from(reason)]))]),
  },
  { weight: 1, arbitrary: fc.tuple(octet, payload).map(([first, data]) => [frameOf(first, data)]) },
)

/** What one side sends: right frames with a few wrong octets in them, in bytes that print as hex. */
export function wireTo(side: Role): fc.Arbitrary<Uint8Array> {
  const session = fc
    .tuple(fc.array(rightFrames, { maxLength: 6 }), fc.array(key, { minLength: 1, maxLength: 3 }))
    .map(([messages, keys]) =>
      join(messages.flat().map((frame, i) => (side === 'server' ? mask(frame, keys[i % keys.length]) : frame))),
    )
  const wrong = fc.array(fc.tuple(fraction, octet), { maxLength: 2 })
  return fc
    .oneof(
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
      { weight: 3, arbitrary: session },
      {
        weight: 3,
        arbitrary: fc.tuple(session, wrong).map(([bytes, places]) => {
          for (const [at, value] of places) if (bytes.length > 0) bytes[Math.floor(at * bytes.length)] = value
          return bytes
        }),
      },
    )
    .map((bytes) => Object.assign(Uint8Array.from(bytes), { [fc.toStringMethod]: () => hexOf(bytes) }))
}

/** Places to cut bytes at. */
export const fractions: fc.Arbitrary<number[]> = fc.array(fraction, { maxLength: 8 })

/** The bytes cut at the given fractions of their length. */
export function split(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  return cut(
    bytes,
    at.map((fraction) => Math.floor(fraction * bytes.length)).sort((a, b) => a - b),
  )
}
