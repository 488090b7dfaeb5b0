/**
 * Random sessions, right and wrong, given to this codec and to the Receiver and the Sender of `ws`.
 *
 * Every difference is a bug of ours or one of the choices in the table below, each with its section. Anything else
 * fails, with the bytes as hex.
 */
import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import type { Violation } from '../../src/codec/errors.ts'
import type { OutgoingProtocolEvent, Role } from '../../src/codec/event.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import { fractions, holds, role, SCALE, split, wireTo } from './random-wire.ts'
import { feed } from './session.ts'
import type { Seen } from './vectors.ts'
import { bytesOf, fingerprint, hexOf, join, rawFrames } from './wire-notation.ts'
import { closeCodeOf, WsReceiver, WsSender } from './ws-parts.ts'

const MAX_MESSAGE = 300
const MAX_FRAGMENTS = 3

interface Choice {
  /** What we fail for and `ws` does not, or not yet, or with another code. */
  readonly violation: Violation
  readonly why: string
  /** A session that shows it, as a server sends it, and the close codes: of `ws` (0: it does not fail), ours. */
  readonly example: string
  readonly codes: readonly [ws: number, ours: number]
}

const CHOICES: readonly Choice[] = [
  {
    violation: 'TEXT_NOT_UTF8',
    why: '§8.1: fail when the stream is found not to be UTF-8, at the first such byte; ws waits for the whole message',
    example: '01 02 "a" ff',
    codes: [0, 1007],
  },
  {
    violation: 'LENGTH_NOT_MINIMAL',
    why: '§5.2: "the minimal number of bytes MUST be used to encode the length"; ws takes any',
    example: '82 7e 0001 61',
    codes: [0, 1002],
  },
  {
    violation: 'LENGTH_SIGN_BIT',
    why: '§5.2: "the most significant bit MUST be 0" is a rule of the frame; ws only finds it too large',
    example: '82 7f 8000000000000000',
    codes: [1009, 1002],
  },
  {
    violation: 'TOO_MANY_FRAGMENTS',
    why: '§10.4: known from the header; ws waits for the payload, and looks at the size first',
    example: '01 00 00 00 00 00 00 01',
    codes: [0, 1008],
  },
]

interface Ending {
  readonly seen: readonly Seen[]
  /** Close code of the failure, 0 for none. */
  readonly code: number
  readonly violation: string
}

/** What ws makes of the chunks. With synchronous events everything happens within `write`. */
function byWs(side: Role, chunks: readonly Uint8Array[]): Ending {
  const receiver = new WsReceiver({
    isServer: side === 'server',
    maxPayload: MAX_MESSAGE,
    maxFragments: MAX_FRAGMENTS,
    allowSynchronousEvents: true,
  })
  const seen: Seen[] = []
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    seen.push(isBinary ? ['bytes', fingerprint(data)] : ['text', data.toString()])
  })
  receiver.on('ping', (data: Buffer) => seen.push(['ping', hexOf(data)]))
  receiver.on('pong', (data: Buffer) => seen.push(['pong', hexOf(data)]))
  receiver.on('conclude', (code: number, reason: Buffer) => seen.push(['close', code, reason.toString()]))
  let error = null as Error | null
  receiver.on('error', (thrown: Error) => {
    error = thrown
  })
  for (const chunk of chunks) {
    if (chunk.length > 0 && receiver.errored === null && !receiver.writableEnded) receiver.write(Buffer.from(chunk))
  }
  error ??= receiver.errored
  return { seen, code: error === null ? 0 : closeCodeOf(error), violation: '' }
}

function byUs(side: Role, chunks: readonly Uint8Array[]): Ending {
  const protocol = new Protocol({ role: side, maxMessageSize: MAX_MESSAGE, maxFragments: MAX_FRAGMENTS })
  const { seen, error } = feed(protocol, chunks, false)
  return { seen, code: error?.closeCode ?? 0, violation: error?.violation ?? '' }
}

/** Nothing when both agree, the violation when it is one of the choices, else what differs. */
function difference(side: Role, bytes: Uint8Array, at: readonly number[]): string {
  const ws = byWs(side, split(bytes, at))
  const ours = byUs(side, [bytes])
  const agree = JSON.stringify(ws.seen) === JSON.stringify(ours.seen)
  if (agree && ws.code === ours.code) return ''
  // ws judges the first bytes of a header before the rest has come, we judge it whole: the same code in the end.
  if (agree && ours.code === 0 && byUs(side, [join([bytes, new Uint8Array(14)])]).code === ws.code) return ''
  const prefix = JSON.stringify(ws.seen.slice(0, ours.seen.length)) === JSON.stringify(ours.seen)
  const choice = CHOICES.find(({ violation }) => violation === ours.violation)
  // Where ws reads on, it must not have got a message out of what we refused, but for lengths that are not minimal.
  const delivered = ws.seen.slice(ours.seen.length).some(([type]) => type === 'text' || type === 'bytes')
  if (choice !== undefined && prefix && (!delivered || choice.violation === 'LENGTH_NOT_MINIMAL'))
    return choice.violation
  return `ws ${JSON.stringify(ws)}, ours ${JSON.stringify(ours)}`
}

describe('P23 receiving, beside the Receiver of ws', () => {
  test.each(['server', 'client'] as const)(
    'P23 a %s gets the same out of random sessions, but for the choices',
    (side) => {
      const met = new Map<string, number>()
      holds(
        fc.property(wireTo(side), fractions, (bytes, at) => {
          const found = difference(side, bytes, at)
          met.set(found, (met.get(found) ?? 0) + 1)
          if (found !== '' && !CHOICES.some(({ violation }) => violation === found)) throw new Error(found)
        }),
        3_000,
      )
      // They agree on most, and the choice that random bytes meet most is met.
      expect(met.get('')).toBeGreaterThan(2_000 * SCALE)
      expect([...met.keys()]).toContain('TEXT_NOT_UTF8')
    },
  )

  test.each(CHOICES.map((choice) => [choice.violation, choice] as const))(
    'P23 the choice %s is as it is described',
    (_, choice) => {
      const bytes = bytesOf(choice.example)
      expect([byWs('client', [bytes]).code, byUs('client', [bytes]).code]).toEqual([...choice.codes])
      expect(byUs('client', [bytes]).violation).toBe(choice.violation)
      expect(choice.why).toMatch(/^§\d/)
    },
  )
})

/** What the Sender of ws writes. */
function writtenByWs(side: Role, events: readonly OutgoingProtocolEvent[]): Uint8Array {
  const chunks: Uint8Array[] = []
  const write = (chunk: Uint8Array | string): number => chunks.push(Buffer.from(chunk as string))
  const sender = new WsSender({ cork: () => {}, uncork: () => {}, write })
  const masked = side === 'client'
  for (const event of events) {
    if (event.type === 'TextMessage' || event.type === 'BytesMessage') {
      // ws masks in the memory that it is given.
      const data = event.type === 'TextMessage' ? event.data : Buffer.from(event.data)
      const binary = event.type === 'BytesMessage'
      sender.send(data, { binary, fin: event.messageFinished !== false, mask: masked, compress: false }, () => {})
    } else if (event.type === 'CloseConnection') {
      sender.close(event.code, event.reason, masked, () => {})
    } else {
      const data = Buffer.from(event.payload ?? [])
      if (event.type === 'Ping') sender.ping(data, masked, () => {})
      else sender.pong(data, masked, () => {})
    }
  }
  return join(chunks)
}

describe('P18 sending, beside the Sender of ws', () => {
  const message = fc
    .oneof(
      fc
        .array(fc.string({ unit: 'binary', maxLength: 400 }), { minLength: 1, maxLength: 3 })
        .map((parts) => parts.map((data) => ({ type: 'TextMessage' as const, data }))),
      fc
        .array(fc.uint8Array({ maxLength: 70_000, size: 'max' }), { minLength: 1, maxLength: 3 })
        .map((parts) => parts.map((data) => ({ type: 'BytesMessage' as const, data }))),
    )
    .map((parts) =>
      parts.map((part, i): OutgoingProtocolEvent => ({ ...part, messageFinished: i === parts.length - 1 })),
    )
  const control = fc
    .tuple(fc.constantFrom('Ping' as const, 'Pong' as const), fc.uint8Array({ maxLength: 125 }))
    .map(([type, payload]): OutgoingProtocolEvent[] => [{ type, payload }])
  const close = fc
    .tuple(fc.constantFrom(1000, 1001, 1011, 3000, 4999), fc.string({ unit: 'binary', maxLength: 30 }))
    .map(([code, reason]): OutgoingProtocolEvent => ({ type: 'CloseConnection', code, reason }))

  test('P18 the same bytes, but for the masking key', () => {
    holds(
      fc.property(role, fc.array(fc.oneof(message, control), { maxLength: 4 }), close, (side, messages, end) => {
        const events = [...messages.flat(), end]
        const protocol = new Protocol({ role: side })
        const ours = join(events.map((event) => protocol.send(event)))
        const theirs = writtenByWs(side, events)
        const unmasked = (wire: Uint8Array): string => hexOf(join(rawFrames(wire).map((frame) => frame.unmasked)))
        return (
          ours.length === theirs.length &&
          (side === 'server' ? hexOf(ours) === hexOf(theirs) : unmasked(ours) === unmasked(theirs))
        )
      }),
      100,
    )
  })

  test('P18 each side reads what the other writes', () => {
    holds(
      fc.property(
        role,
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.uint8Array({ maxLength: 250 }),
        (side, data, payload) => {
          const events: OutgoingProtocolEvent[] = [
            { type: 'TextMessage', data },
            { type: 'BytesMessage', data: payload },
            { type: 'CloseConnection', code: 1001, reason: 'end' },
          ]
          const reader: Role = side === 'server' ? 'client' : 'server'
          const protocol = new Protocol({ role: side })
          const wanted = JSON.stringify([
            ['text', data],
            ['bytes', hexOf(payload)],
            ['close', 1001, 'end'],
          ])
          const byThem = byWs(reader, [join(events.map((event) => protocol.send(event)))])
          const byOurs = byUs(reader, [writtenByWs(side, events)])
          return JSON.stringify(byThem.seen) === wanted && JSON.stringify(byOurs.seen) === wanted
        },
      ),
      500,
    )
  })
})
