/**
 * Invariants of the codec over random input (fast-check). A failure prints its seed, and bytes as hex.
 *
 * 1. Any bytes in any split give events or one `ProtocolError`, never another exception.
 * 2. Never more memory than the limits allow.
 * 3. The outcome does not depend on the split.
 * 4. Decoding what was encoded gives it back, for any message, fragmentation, masking and split, on both sides.
 * 5. Time grows with the bytes and not faster.
 */
import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { ProtocolError, VIOLATIONS } from '../../src/codec/errors.ts'
import type { OutgoingProtocolEvent, ProtocolEvent, Role } from '../../src/codec/event.ts'
import { MessageAssembler } from '../../src/codec/message-assembler.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import { eightfold } from './linear-time.ts'
import { fractions, holds, role, SCALE, split, wireTo } from './random-wire.ts'
import { byteByByte, feed, joined, type Outcome } from './session.ts'
import type { Seen } from './vectors.ts'
import { bytesOf, fingerprint, hexOf, join, rawFrames } from './wire-notation.ts'

const toServer = wireTo('server')
const toClient = wireTo('client')

function outcomeOf(side: Role, chunks: readonly Uint8Array[]): Outcome {
  const protocol = new Protocol({ role: side, maxMessageSize: 300, maxFragments: 3 })
  return feed(protocol, chunks, false)
}

function described(outcome: Outcome): string {
  return JSON.stringify([outcome.seen, outcome.error?.violation, outcome.error?.message])
}

describe('P23 any input', () => {
  test.each(['server', 'client'] as const)(
    'P23 any bytes in any split give a %s events or one ProtocolError',
    (side) => {
      const violations = new Set<string>()
      let events = 0
      holds(
        fc.property(side === 'server' ? toServer : toClient, fractions, (bytes, at) => {
          const whole = outcomeOf(side, [bytes])
          const wanted = described(whole)
          if (whole.error !== null) violations.add(whole.error.violation)
          events += whole.events.length
          if (whole.error !== null && !(whole.error.violation in VIOLATIONS)) return false
          return (
            described(outcomeOf(side, split(bytes, at))) === wanted &&
            described(outcomeOf(side, byteByByte(bytes))) === wanted
          )
        }),
        3_000,
      )
      // The generator would prove nothing if it never got past the first header.
      expect(events).toBeGreaterThan(500 * SCALE)
      expect(violations.size).toBeGreaterThan(SCALE < 1 ? 5 : 7)
    },
  )

  test('P23 events do not depend on when they are asked for', () => {
    const plan = fc.array(fc.tuple(fc.nat(90), fc.nat(60)), { minLength: 1, maxLength: 6 })
    holds(
      fc.property(plan, (steps) => {
        const protocol = new Protocol({ role: 'client' })
        let fed = 0
        let seen = 0
        // Each step feeds frames in chunks of one byte or three, and asks for some of the events that wait.
        for (const [chunks, pulls] of steps) {
          for (let i = 0; i < chunks; i++, fed++) {
            const frame = Uint8Array.of(0x82, 1, fed & 0xff)
            if (fed % 3 === 0) protocol.receiveData(frame)
            else for (const byte of frame) protocol.receiveData(Uint8Array.of(byte))
          }
          for (let i = 0; i < pulls && seen < fed; i++, seen++) {
            const event = protocol.nextEvent()
            if (event?.type !== 'BytesMessage' || event.data[0] !== (seen & 0xff)) return false
          }
        }
        for (const event of protocol) if (event.type === 'BytesMessage' && event.data[0] === (seen & 0xff)) seen++
        return seen === fed && !protocol.hasBytes
      }),
      300,
    )
  })

  test('P23 random noise never gets another exception out of a protocol in any state', () => {
    const events = fc.constantFrom<OutgoingProtocolEvent>(
      { type: 'TextMessage', data: 'a', messageFinished: false },
      { type: 'TextMessage', data: 'b' },
      { type: 'BytesMessage', data: Uint8Array.of(1) },
      { type: 'Ping' },
      { type: 'Pong' },
      { type: 'CloseConnection', code: 1000 },
    )
    holds(
      fc.property(
        role,
        fc.array(fc.oneof(toServer, toClient, events, fc.constant(null)), { maxLength: 8 }),
        (side, steps) => {
          const protocol = new Protocol({ role: side, maxMessageSize: 200 })
          let thrown = 0
          for (const step of steps) {
            try {
              if (step === null || step instanceof Uint8Array) {
                protocol.receiveData(step === null ? null : Uint8Array.from(step))
                while (protocol.nextEvent() !== null);
              } else {
                protocol.send(step)
              }
            } catch (error) {
              if (error instanceof ProtocolError && error.violation !== 'LOCAL') thrown++
              else if (!(error instanceof ProtocolError || error instanceof TypeError)) throw error
            }
          }
          return thrown <= 1
        },
      ),
    )
  })
})

describe('P15 joined messages', () => {
  test('P15 a message is the same in parts, joined, or taken out in the middle', () => {
    let taken = 0
    let whole = 0
    holds(
      fc.property(toServer, fractions, fc.array(fc.nat(3), { minLength: 40, maxLength: 40 }), (bytes, at, choices) => {
        const wanted = outcomeOf('server', [bytes])
        const protocol = new Protocol({ role: 'server', maxMessageSize: 300, maxFragments: 3 })
        const events: ProtocolEvent[] = []
        const failure = feedChoosing(protocol, split(bytes, at), choices, (event) => {
          if (event.type === 'BytesMessage') events.push({ ...event, data: event.data.slice() })
          else events.push(event)
        })
        if (events.some((event) => 'frameFinished' in event && !event.frameFinished && event.data.length > 0)) taken++
        if (events.length < wanted.events.length) whole++
        return JSON.stringify(joined(events)) === JSON.stringify(wanted.seen) && failure === wanted.error?.violation
      }),
    )
    expect(taken).toBeGreaterThan(100 * SCALE)
    expect(whole).toBeGreaterThan(100 * SCALE)
  })

  test('P15 what is held while joining is what has arrived, and a failure lets it go', () => {
    const protocol = new Protocol({ role: 'client', maxMessageSize: 10 })
    const pull = (wire: string): ProtocolEvent | null => {
      protocol.receiveData(bytesOf(wire))
      return protocol.nextEvent(false, true)
    }
    expect([pull('01 04 61 62'), protocol.joinedSize]).toEqual([null, 2])
    expect([pull('63 e2'), protocol.joinedSize]).toEqual([null, 4])
    // The character that is cut stays behind, and comes out with its end.
    expect(protocol.takeJoined()).toMatchObject({ data: 'abc', messageFinished: false })
    expect(protocol.joinedSize).toBe(0)
    expect(pull('00 03 82 ac 64')).toMatchObject({ type: 'TextMessage', data: '€d', messageFinished: false })
    expect(pull('00 02 65')).toMatchObject({ type: 'TextMessage', data: 'e', frameFinished: false })
    expect(pull('66')).toMatchObject({ type: 'TextMessage', data: 'f', frameFinished: true, messageFinished: false })
    expect(pull('80 00')).toMatchObject({ type: 'TextMessage', data: '', messageFinished: true })
    expect([pull('02 03 01 02 03'), protocol.joinedSize]).toEqual([null, 3])
    expect(pull('80 01 04')).toMatchObject({
      data: Uint8Array.of(1, 2, 3, 4),
      frameFinished: true,
      messageFinished: true,
    })
    expect([pull('02 03 01 02 03'), protocol.joinedSize]).toEqual([null, 3])
    expect(() => pull('80 08')).toThrow('maxMessageSize')
    expect(protocol.joinedSize).toBe(0)
  })
})

/** Pulls whole messages or parts, and takes out what is joined, as the choices say. Gives the violation. */
function feedChoosing(
  protocol: Protocol,
  chunks: readonly Uint8Array[],
  choices: readonly number[],
  tell: (event: ProtocolEvent) => void,
): string | undefined {
  let made = 0
  try {
    for (const chunk of chunks) {
      protocol.receiveData(Uint8Array.from(chunk))
      for (;;) {
        const choice = choices[made++ % choices.length] as number
        const event = protocol.nextEvent(false, choice > 0)
        if (event !== null) tell(event)
        else {
          if (choice === 3 && protocol.receivingMessage) tell(protocol.takeJoined())
          break
        }
      }
    }
  } catch (error) {
    return (error as ProtocolError).violation
  }
  return undefined
}

describe('P23 memory and time', () => {
  test('P23 parts never hold more than the message limit, and joined messages never exceed it', () => {
    let longest = 0
    holds(
      fc.property(toServer, fractions, fc.integer({ min: 0, max: 150 }), (bytes, at, maxMessageSize) => {
        const protocol = new Protocol({ role: 'server', maxMessageSize })
        const assembler = new MessageAssembler(maxMessageSize)
        const outcome = feed(protocol, split(bytes, at), false)
        for (const event of outcome.events) {
          if (event.type !== 'TextMessage' && event.type !== 'BytesMessage') continue
          const message = assembler.push(event)
          if (assembler.size > maxMessageSize) return false
          if (message === null) continue
          const size = Buffer.byteLength(message as string)
          longest = Math.max(longest, size)
          if (size > maxMessageSize) return false
        }
        return true
      }),
    )
    expect(longest).toBeGreaterThan(20)
  })

  test('P23 a message of one part owns its whole buffer', () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 300 }), role, (data, side) => {
        const peer = new Protocol({ role: side === 'server' ? 'client' : 'server' })
        const protocol = new Protocol({ role: side })
        const [event] = protocol.receiveData(Uint8Array.from(peer.send({ type: 'BytesMessage', data })))
        return event?.type === 'BytesMessage' && event.data.buffer.byteLength === data.length
      }),
    )
  })

  test('R13 200,000 empty fragments fail at maxFragments and hold no memory', () => {
    const protocol = new Protocol({ role: 'client' })
    const assembler = new MessageAssembler(1_048_576)
    const thousand = bytesOf('0000*1000')
    protocol.receiveData(bytesOf('01 00'))
    const before = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    let frames = 0
    expect(() => {
      for (let i = 0; i < 200; i++) {
        protocol.receiveData(Uint8Array.from(thousand))
        for (const event of protocol.events()) {
          frames++
          assembler.push(event as ProtocolEvent & { type: 'TextMessage' })
        }
      }
    }).toThrow('maxFragments')
    expect(frames).toBe(131_072)
    expect(assembler.size).toBe(0)
    expect(process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20)
  })

  test('R14 a header that announces 1 GiB takes none of it, and 1 MiB at most when its message is joined', () => {
    const held: Protocol[] = []
    Bun.gc(true)
    // Bun does not count `arrayBuffers`.
    const before = process.memoryUsage().external
    for (let i = 0; i < 200; i++) {
      const protocol = new Protocol({ role: 'client' })
      expect(() => [...protocol.receiveData(bytesOf('82 7f 0000000040000000'))]).toThrow('maxMessageSize')
      const unlimited = new Protocol({ role: 'client', maxMessageSize: Number.POSITIVE_INFINITY })
      expect([...unlimited.receiveData(bytesOf('82 7f 0000000040000000'))]).toEqual([])
      unlimited.receiveData(Uint8Array.of(1))
      expect(unlimited.nextEvent(false, true)).toBeNull()
      held.push(protocol, unlimited)
    }
    Bun.gc(true)
    expect(process.memoryUsage().external - before).toBeLessThan(held.length * 2 ** 20)
  })

  test('P23 reading is linear in the bytes, on Bun and on Node', async () => {
    const node = Bun.spawn(['node_modules/.bin/node', 'test/codec/linear-time.ts'], { stdout: 'pipe' })
    const onNode = (await new Response(node.stdout).json()) as [number, number][]
    // Eight times the bytes; quadratic work takes 64 times as long.
    for (const [few, many] of [...[1, 7, 65_536].map(eightfold), ...onNode]) {
      expect(many).toBeLessThan(Math.max(few, 2) * 8 * 4)
    }
  })
})

const lone: fc.Arbitrary<string> = fc
  .array(fc.constantFrom('a', 'é', '€', '🎉', '\ud800', '\udfff', '\u{feff}', '\0'), { maxLength: 80 })
  .map((parts) => parts.join(''))
const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  lone,
  fc.string({ maxLength: 20_000, size: 'max' }),
)

/** A message as it is sent: its fragments. */
const message: fc.Arbitrary<OutgoingProtocolEvent[]> = fc
  .oneof(
    fc
      .array(text, { minLength: 1, maxLength: 4 })
      .map((parts) => parts.map((data) => ({ type: 'TextMessage' as const, data }))),
    fc
      .array(fc.uint8Array({ maxLength: 20_000, size: 'medium' }), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.map((data) => ({ type: 'BytesMessage' as const, data }))),
  )
  .map((parts) => parts.map((part, i) => ({ ...part, messageFinished: i === parts.length - 1 })))

const control: fc.Arbitrary<OutgoingProtocolEvent> = fc
  .tuple(fc.constantFrom('Ping' as const, 'Pong' as const), fc.uint8Array({ maxLength: 125 }))
  .map(([type, payload]) => ({ type, payload }))

/** The string with U+FFFD for each surrogate that stands alone. */
function wellFormed(value: string): string {
  return value.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** What the peer should see of what was sent. Text becomes well-formed, as it must be on the wire (R34). */
function expected(events: readonly OutgoingProtocolEvent[]): Seen[] {
  const seen: Seen[] = []
  let parts: Uint8Array[] = []
  for (const event of events) {
    if (event.type === 'TextMessage') parts.push(Buffer.from(wellFormed(event.data)))
    else if (event.type === 'BytesMessage') parts.push(event.data)
    else if (event.type === 'Ping') seen.push(['ping', hexOf(event.payload ?? new Uint8Array())])
    else if (event.type === 'Pong') seen.push(['pong', hexOf(event.payload ?? new Uint8Array())])
    else seen.push(['close', event.code ?? 1005, event.reason ?? ''])
    if ((event.type === 'TextMessage' || event.type === 'BytesMessage') && event.messageFinished !== false) {
      const whole = join(parts)
      seen.push(event.type === 'TextMessage' ? ['text', Buffer.from(whole).toString()] : ['bytes', fingerprint(whole)])
      parts = []
    }
  }
  return seen
}

describe('P18 encode and decode', () => {
  test.each(['server', 'client'] as const)('P18 what a %s sends is what its peer gets, in any split', (side) => {
    const session = fc
      .array(fc.oneof({ weight: 3, arbitrary: message }, { weight: 1, arbitrary: control.map((event) => [event]) }), {
        maxLength: 6,
      })
      .chain((messages) => {
        const flat = messages.flat()
        // A control frame may stand between any two fragments.
        return fc.array(fc.tuple(fc.nat(flat.length), control), { maxLength: 3 }).map((inserted) => {
          const events = [...flat]
          for (const [at, event] of inserted) events.splice(at, 0, event)
          return events
        })
      })
    let multibyte = 0
    holds(
      fc.property(session, fc.boolean(), fractions, (events, closes, at) => {
        const all: OutgoingProtocolEvent[] = closes
          ? [...events, { type: 'CloseConnection', code: 4000, reason: 'end €' }]
          : events
        const sender = new Protocol({ role: side })
        const receiver = new Protocol({ role: side === 'server' ? 'client' : 'server' })
        const bytes = join(all.map((event) => sender.send(event)))
        for (const frame of rawFrames(bytes)) if (frame.masked !== (side === 'client') || frame.rsv !== 0) return false
        const outcome = feed(receiver, split(bytes, at), false)
        if (events.some((event) => event.type === 'TextMessage' && /[^\0-\x7f]/.test(event.data))) multibyte++
        return outcome.error === null && JSON.stringify(outcome.seen) === JSON.stringify(expected(all))
      }),
      300,
    )
    expect(multibyte).toBeGreaterThan(20 * SCALE)
  })

  test('R34 a lone surrogate is U+FFFD on the wire and everything else is kept', () => {
    holds(
      fc.property(role, lone, (side, data) => {
        const [frame] = rawFrames(new Protocol({ role: side }).send({ type: 'TextMessage', data }))
        return hexOf(frame?.payload ?? new Uint8Array()) === hexOf(Buffer.from(wellFormed(data)))
      }),
    )
  })

  test('P15 the assembler gives back what was cut into parts', () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 9_000, size: 'max' }), fractions, fc.boolean(), (data, at, announced) => {
        const assembler = new MessageAssembler(data.length)
        const parts = split(data, at)
        let left = data.length
        for (const [i, part] of parts.entries()) {
          left -= part.length
          const messageFinished = i === parts.length - 1
          const joined = assembler.push(
            { type: 'BytesMessage', data: Uint8Array.from(part), frameFinished: messageFinished, messageFinished },
            announced ? left : 0,
          )
          if (assembler.open === messageFinished || (joined === null) === messageFinished) return false
          if (
            joined instanceof Uint8Array &&
            (hexOf(joined) !== hexOf(data) || joined.buffer.byteLength !== joined.length)
          )
            return false
        }
        return assembler.size === 0
      }),
      300,
    )
  })
})
