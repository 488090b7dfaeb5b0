/** Runs the conformance table in memory: each row on both sides, whole, byte by byte and cut at every place. */
import { describe, expect, test } from 'bun:test'
import { formatDeflateParameters } from '../../src/codec/deflate-parameters.ts'
import { type ProtocolError, VIOLATIONS, type Violation } from '../../src/codec/errors.ts'
import type { Role } from '../../src/codec/event.ts'
import type { Extension } from '../../src/codec/extension.ts'
import { PerMessageDeflate } from '../../src/codec/permessage-deflate.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import { byteByByte, cut, feed, type Outcome, plain } from './session.ts'
import { type Deflate, type Seen, VECTORS, type Vector } from './vectors.ts'
import { bytesOf, headerLength, hexOf, join, mask, rawFrames } from './wire-notation.ts'

/** Wires up to this many bytes are cut everywhere; 0 in the environment cuts none. */
const SHORT = Number(process.env.CUT_UP_TO ?? 300)

/** Up to here every byte is fed alone. */
const BY_BYTE = 5_000

const KEYS = [
  [0x37, 0xfa, 0x21, 0x3d],
  [0x00, 0xff, 0x80, 0x01],
  [0xde, 0xad, 0xbe, 0xef],
] as const

/** The row's frames as the peer of `role` would send them; each frame has another masking key. */
function framesFor(vector: Vector, role: Role): Uint8Array[] {
  return vector.frames.map((frame, i) => {
    const bytes = bytesOf(frame)
    return vector.literal === true || role === 'client' ? bytes : mask(bytes, KEYS[i % KEYS.length])
  })
}

/** Where to cut a wire: everywhere when it is short, around each header and at both ends when it is long. */
function cuts(frames: readonly Uint8Array[]): number[] {
  const length = join(frames).length
  if (SHORT === 0) return []
  if (length <= SHORT) return Array.from({ length: length + 1 }, (_, i) => i)
  const offsets = new Set<number>()
  let start = 0
  for (const frame of frames) {
    const header = headerLength(frame) + (((frame[1] ?? 0) & 0x80) === 0 ? 0 : 4)
    for (let i = 0; i <= header + 5; i++) offsets.add(start + i)
    for (let i = 0; i <= 5; i++) offsets.add(start + frame.length - i)
    offsets.add(start + header + 64)
    offsets.add(start + (frame.length >> 1))
    start += frame.length
  }
  return [...offsets].filter((offset) => offset >= 0 && offset <= length).sort((a, b) => a - b)
}

function protocolFor(vector: Vector, role: Role): Protocol {
  return new Protocol({
    role,
    extensions: vector.deflate === undefined ? [] : [agreed(vector.deflate, role)],
    maxMessageSize: vector.maxMessageSize,
    maxFragments: vector.maxFragments,
  })
}

/** permessage-deflate after a handshake that came to these parameters. */
function agreed(deflate: Deflate, role: Role): Extension {
  const extension = new PerMessageDeflate({
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    ...deflate,
  })
  const parameters = formatDeflateParameters({
    serverNoContextTakeover: deflate.serverNoContextTakeover === true,
    clientNoContextTakeover: deflate.clientNoContextTakeover === true,
    serverMaxWindowBits: deflate.serverMaxWindowBits,
    clientMaxWindowBits: deflate.clientMaxWindowBits,
  })
  const accepted = role === 'server' ? extension.accept(parameters) !== null : extension.finalize(parameters)
  if (!accepted) throw new Error(`Not agreed on: ${JSON.stringify(deflate)}`)
  return extension
}

const PLAIN = new Map<Vector, readonly Seen[]>()

/** The row's events in plain hex, made once. */
function plainEvents(vector: Vector): readonly Seen[] {
  const events = PLAIN.get(vector) ?? vector.events.map(plain)
  PLAIN.set(vector, events)
  return events
}

/** What a run came to, in one line, so that thousands of runs are compared as strings. */
function summary(seen: readonly Seen[], violation: string | undefined, replies: string, state: string): string {
  return `${JSON.stringify(seen)} violation ${violation} replies ${replies} state ${state}`
}

/** A run in which the protocol gives messages in parts, and one in which it joins them. */
function checkBoth(vector: Vector, role: Role, chunks: readonly Uint8Array[], answer: boolean, how: string): Outcome {
  check(vector, role, chunks, answer, `${how}, joined`, true)
  return check(vector, role, chunks, answer, how, false)
}

function check(
  vector: Vector,
  role: Role,
  chunks: readonly Uint8Array[],
  answer: boolean,
  how: string,
  joins: boolean,
): Outcome {
  const protocol = protocolFor(vector, role)
  const outcome = feed(protocol, chunks, answer, joins)
  const closed = vector.events.at(-1)?.[0] === 'close'
  const wanted = summary(
    plainEvents(vector),
    vector.fails,
    answer && vector.fails === undefined ? hexOf(bytesOf(vector.replies ?? '')) : '',
    vector.fails !== undefined ? 'FAILED' : closed ? (answer ? 'CLOSED' : 'REMOTE_CLOSING') : 'OPEN',
  )
  const replies = vector.fails === undefined ? outcome.replies : ''
  const found = summary(outcome.seen, outcome.error?.violation, replies, protocol.state)
  if (found !== wanted) expect(found, `${vector.id} as ${role}, ${how}`).toBe(wanted)
  if (outcome.error !== null) checkFailed(vector, protocol, role, outcome.error)
  return outcome
}

/** After a failure nothing is read, the hint may be sent once and nothing else may. */
function checkFailed(vector: Vector, protocol: Protocol, role: Role, error: ProtocolError): void {
  const [closeCode, section] = VIOLATIONS[vector.fails as Violation]
  const more = bytesOf('81 02 "no"')
  protocol.receiveData(role === 'server' ? mask(more) : more)
  const afterwards = protocol.nextEvent()
  const refused = refusal(() => protocol.send({ type: 'TextMessage', data: 'no' }))
  const [hint] = rawFrames(protocol.send(error.eventHint))
  const told = new DataView((hint?.payload ?? new Uint8Array(2)).buffer).getUint16(0)
  const found = [error.closeCode, error.section, afterwards, refused, hint?.opcode, told, protocol.state]
  const wanted = [closeCode, section, null, 'LocalProtocolError', 8, closeCode, 'CLOSED']
  if (String(found) !== String(wanted)) expect(found, `${vector.id} as ${role}, after the failure`).toEqual(wanted)
  if (refusal(() => protocol.send(error.eventHint)) === '') expect.unreachable(`${vector.id}: the hint was sent twice`)
}

/** Name of the error that the call throws, or nothing. */
function refusal(call: () => unknown): string {
  try {
    call()
    return ''
  } catch (error) {
    return (error as Error).name
  }
}

function runAs(vector: Vector, role: Role): void {
  const frames = framesFor(vector, role)
  const wire = join(frames)
  const whole = checkBoth(vector, role, [wire], false, `whole: ${hexOf(wire, 200)}`)
  expect(whole.error?.violation).toBe(vector.fails)
  checkBoth(vector, role, [wire], true, `whole and answered: ${hexOf(wire, 200)}`)
  checkBoth(vector, role, frames, true, 'frame by frame')
  if (wire.length <= BY_BYTE) {
    const alone = checkBoth(vector, role, byteByByte(wire), false, 'byte by byte')
    if (vector.exact === true) expect(alone.failedAt).toBe(wire.length - 1)
  }
  for (const offset of cuts(frames)) checkBoth(vector, role, cut(wire, [offset]), true, `cut at ${offset}`)
  if (wire.length > Math.min(SHORT, 32)) return
  for (let a = 1; a < wire.length; a++) {
    for (let b = a + 1; b < wire.length; b++) {
      check(vector, role, cut(wire, [a, b]), false, `cut at ${a} and ${b}`, (a + b) % 2 === 0)
    }
  }
}

describe('P23 vectors', () => {
  for (const vector of VECTORS) {
    const roles: readonly Role[] = vector.role === undefined ? ['server', 'client'] : [vector.role]
    for (const role of roles) test(`${vector.row} ${vector.id} as ${role}`, () => runAs(vector, role))
  }
})

test('P23 every vector has an id of its own', () => {
  const ids = VECTORS.map((vector) => vector.id)
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([])
})
