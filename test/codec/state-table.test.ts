/**
 * Every cell of the state tables: what each event does in each state, sent and received (RFC 6455 §5.5.1, §7.1).
 *
 * The expectations are written out here and not read from `TRANSITIONS`, so that a wrong cell there is seen.
 */
import { describe, expect, test } from 'bun:test'
import { TRANSITIONS } from '../../src/codec/connection-state.ts'
import { LocalProtocolError, ProtocolError } from '../../src/codec/errors.ts'
import type { OutgoingProtocolEvent, ProtocolEvent, Role } from '../../src/codec/event.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import { bytesOf, hexOf, mask, rawFrames } from './wire-notation.ts'

const ROLES: readonly Role[] = ['server', 'client']

type State = keyof typeof TRANSITIONS

const STATES: readonly State[] = ['OPEN', 'REMOTE_CLOSING', 'LOCAL_CLOSING', 'FAILED', 'CLOSED']

/** Frames as the peer of `role` sends them. */
function fromPeer(role: Role, frame: string): Uint8Array {
  return role === 'server' ? mask(bytesOf(frame)) : bytesOf(frame)
}

function receive(protocol: Protocol, frame: string): ProtocolEvent[] {
  return [...protocol.receiveData(fromPeer(protocol.role, frame))]
}

/** A protocol that was brought into the state by what happens on a connection. */
function inState(state: State, role: Role): Protocol {
  const protocol = new Protocol({ role })
  if (state === 'REMOTE_CLOSING' || state === 'CLOSED') receive(protocol, '88 02 03e8')
  if (state === 'LOCAL_CLOSING') protocol.send({ type: 'CloseConnection', code: 1000 })
  if (state === 'CLOSED') protocol.send({ type: 'CloseConnection', code: 1000 })
  if (state === 'FAILED') expect(() => receive(protocol, '83 00')).toThrow(ProtocolError)
  expect(protocol.state).toBe(state)
  return protocol
}

/** What a send does: the frame it writes, nothing at all, or the error. */
type SendCell = string | 'nothing' | 'LocalProtocolError'

const EVENTS = {
  TextMessage: { type: 'TextMessage', data: 'a' },
  BytesMessage: { type: 'BytesMessage', data: Uint8Array.of(1) },
  Ping: { type: 'Ping', payload: Uint8Array.of(2) },
  Pong: { type: 'Pong', payload: Uint8Array.of(3) },
  CloseConnection: { type: 'CloseConnection', code: 1001, reason: 'x' },
} as const satisfies Record<string, OutgoingProtocolEvent>

const REFUSED = 'LocalProtocolError'

const SEND: Record<keyof typeof EVENTS, Record<State, readonly [SendCell, State]>> = {
  TextMessage: {
    OPEN: ['810161', 'OPEN'],
    REMOTE_CLOSING: [REFUSED, 'REMOTE_CLOSING'],
    LOCAL_CLOSING: [REFUSED, 'LOCAL_CLOSING'],
    FAILED: [REFUSED, 'FAILED'],
    CLOSED: [REFUSED, 'CLOSED'],
  },
  BytesMessage: {
    OPEN: ['820101', 'OPEN'],
    REMOTE_CLOSING: [REFUSED, 'REMOTE_CLOSING'],
    LOCAL_CLOSING: [REFUSED, 'LOCAL_CLOSING'],
    FAILED: [REFUSED, 'FAILED'],
    CLOSED: [REFUSED, 'CLOSED'],
  },
  Ping: {
    OPEN: ['890102', 'OPEN'],
    REMOTE_CLOSING: [REFUSED, 'REMOTE_CLOSING'],
    LOCAL_CLOSING: [REFUSED, 'LOCAL_CLOSING'],
    FAILED: [REFUSED, 'FAILED'],
    CLOSED: [REFUSED, 'CLOSED'],
  },
  Pong: {
    OPEN: ['8a0103', 'OPEN'],
    REMOTE_CLOSING: ['nothing', 'REMOTE_CLOSING'],
    LOCAL_CLOSING: ['nothing', 'LOCAL_CLOSING'],
    FAILED: ['nothing', 'FAILED'],
    CLOSED: ['nothing', 'CLOSED'],
  },
  CloseConnection: {
    OPEN: ['880303e978', 'LOCAL_CLOSING'],
    REMOTE_CLOSING: ['880303e978', 'CLOSED'],
    LOCAL_CLOSING: [REFUSED, 'LOCAL_CLOSING'],
    FAILED: ['880303e978', 'CLOSED'],
    CLOSED: [REFUSED, 'CLOSED'],
  },
}

/** What bytes of the peer do: the events they give, or the violation. */
const RECEIVE: Record<string, Record<State, readonly [string, State]>> = {
  '81 01 "a"': {
    OPEN: ['TextMessage', 'OPEN'],
    REMOTE_CLOSING: ['', 'REMOTE_CLOSING'],
    LOCAL_CLOSING: ['TextMessage', 'LOCAL_CLOSING'],
    FAILED: ['', 'FAILED'],
    CLOSED: ['', 'CLOSED'],
  },
  '89 00': {
    OPEN: ['Ping', 'OPEN'],
    REMOTE_CLOSING: ['', 'REMOTE_CLOSING'],
    LOCAL_CLOSING: ['Ping', 'LOCAL_CLOSING'],
    FAILED: ['', 'FAILED'],
    CLOSED: ['', 'CLOSED'],
  },
  '8a 00': {
    OPEN: ['Pong', 'OPEN'],
    REMOTE_CLOSING: ['', 'REMOTE_CLOSING'],
    LOCAL_CLOSING: ['Pong', 'LOCAL_CLOSING'],
    FAILED: ['', 'FAILED'],
    CLOSED: ['', 'CLOSED'],
  },
  '88 02 03e8': {
    OPEN: ['CloseConnection 1000', 'REMOTE_CLOSING'],
    REMOTE_CLOSING: ['', 'REMOTE_CLOSING'],
    LOCAL_CLOSING: ['CloseConnection 1000', 'CLOSED'],
    FAILED: ['', 'FAILED'],
    CLOSED: ['', 'CLOSED'],
  },
  '83 00': {
    OPEN: ['RESERVED_OPCODE', 'FAILED'],
    REMOTE_CLOSING: ['', 'REMOTE_CLOSING'],
    // Our Close is out and a second one may not follow, so there is nothing left to say.
    LOCAL_CLOSING: ['RESERVED_OPCODE', 'CLOSED'],
    FAILED: ['', 'FAILED'],
    CLOSED: ['', 'CLOSED'],
  },
}

/** What the end of the transport does. */
const TRANSPORT_END: Record<State, string> = {
  OPEN: 'CloseConnection 1006',
  // §7.1.5: a Close was received, so its code stands.
  REMOTE_CLOSING: '',
  LOCAL_CLOSING: 'CloseConnection 1006',
  FAILED: '',
  CLOSED: '',
}

function sent(protocol: Protocol, event: OutgoingProtocolEvent): SendCell {
  try {
    const wire = protocol.send(event)
    if (wire.length === 0) return 'nothing'
    return rawFrames(wire)
      .map((frame) => hexOf(frame.unmasked))
      .join(' ')
  } catch (error) {
    if (error instanceof LocalProtocolError) return 'LocalProtocolError'
    throw error
  }
}

function names(events: Iterable<ProtocolEvent>): string {
  return Array.from(events, (event) =>
    event.type === 'CloseConnection' ? `${event.type} ${event.code}` : event.type,
  ).join()
}

function received(protocol: Protocol, frame: string): string {
  try {
    return names(receive(protocol, frame))
  } catch (error) {
    if (error instanceof ProtocolError) return error.violation
    throw error
  }
}

describe.each([...ROLES])('P5 as %s', (role) => {
  for (const state of STATES) {
    for (const [type, cells] of Object.entries(SEND)) {
      const [wire, next] = cells[state]
      test(`P5 send ${type} in ${state}: ${wire}`, () => {
        const protocol = inState(state, role)
        expect(sent(protocol, EVENTS[type as keyof typeof EVENTS])).toBe(wire)
        expect(protocol.state).toBe(next)
      })
    }
    for (const [frame, cells] of Object.entries(RECEIVE)) {
      const [events, next] = cells[state]
      test(`P5 receive ${frame} in ${state}: ${events || 'dropped'}`, () => {
        const protocol = inState(state, role)
        expect(received(protocol, frame)).toBe(events)
        expect(protocol.state).toBe(next)
      })
    }
    test(`P5 P19 the transport ends in ${state}: ${TRANSPORT_END[state] || 'nothing to tell'}`, () => {
      const protocol = inState(state, role)
      expect(names(protocol.receiveData(null))).toBe(TRANSPORT_END[state])
      expect(protocol.state).toBe('CLOSED')
      expect(names(protocol.receiveData(null))).toBe('')
      expect(names(protocol.receiveData(fromPeer(role, '81 01 "a"')))).toBe('')
      expect(protocol.state).toBe('CLOSED')
    })
    test(`P5 handshake events cannot be sent in ${state}`, () => {
      const protocol = inState(state, role)
      for (const type of ['Request', 'AcceptConnection', 'RejectConnection', 'RejectData']) {
        expect(sent(protocol, { type } as never)).toBe('LocalProtocolError')
      }
      expect(protocol.state).toBe(state)
    })
  }

  test('P5 a new protocol is OPEN', () => {
    expect(new Protocol({ role }).state).toBe('OPEN')
  })

  test('P5 states change when the event is pulled, not when the bytes come', () => {
    const protocol = new Protocol({ role })
    protocol.receiveData(fromPeer(role, '88 02 03e8'))
    expect(protocol.state).toBe('OPEN')
    expect(protocol.nextEvent()).toEqual({ type: 'CloseConnection', code: 1000, reason: '' })
    expect(protocol.state).toBe('REMOTE_CLOSING')
  })

  test('P19 bytes that came before the end of the transport are read first', () => {
    const protocol = new Protocol({ role })
    protocol.receiveData(fromPeer(role, '81 01 "a"'))
    expect(names(protocol.receiveData(null))).toBe('TextMessage,CloseConnection 1006')
  })

  test('P19 a transport that ends inside a frame gives 1006', () => {
    const protocol = new Protocol({ role })
    protocol.receiveData(fromPeer(role, '81 05 "Hel"'))
    expect(names(protocol.receiveData(null))).toBe('TextMessage,CloseConnection 1006')
  })

  test('P19 a Close that came before the end of the transport keeps its code', () => {
    const protocol = new Protocol({ role })
    protocol.receiveData(fromPeer(role, '88 02 03e9'))
    protocol.receiveData(null)
    expect(protocol.nextEvent()).toMatchObject({ code: 1001 })
    expect(protocol.state).toBe('REMOTE_CLOSING')
    expect(protocol.nextEvent()).toBeNull()
    expect(protocol.state).toBe('CLOSED')
  })

  test('P5 a Close of both sides at once ends in CLOSED', () => {
    const protocol = new Protocol({ role })
    protocol.receiveData(fromPeer(role, '81 01 "a"'))
    protocol.receiveData(fromPeer(role, '88 02 03e8'))
    protocol.send({ type: 'CloseConnection', code: 1000 })
    expect(names(protocol)).toBe('TextMessage,CloseConnection 1000')
    expect(protocol.state).toBe('CLOSED')
  })

  test('P20 bytes behind the handshake come first', () => {
    const protocol = new Protocol({ role, trailingData: fromPeer(role, '81 01 "a"') })
    protocol.receiveData(fromPeer(role, '81 01 "b"'))
    expect(Array.from(protocol, (event) => event.type === 'TextMessage' && event.data)).toEqual(['a', 'b'])
  })

  test('P1 breaking out of the events leaves the rest for the next call', () => {
    const protocol = new Protocol({ role })
    protocol.receiveData(fromPeer(role, '81 01 "a"'))
    protocol.receiveData(fromPeer(role, '81 01 "b"'))
    for (const event of protocol.events()) {
      expect(event).toMatchObject({ data: 'a' })
      break
    }
    expect(protocol.nextEvent()).toMatchObject({ data: 'b' })
    expect(protocol.nextEvent()).toBeNull()
  })
})

test('P5 the table has a row for every state and a cell for every trigger', () => {
  const triggers = ['fail', 'receiveClose', 'sendClose', 'sendMessage', 'sendPing', 'sendPong', 'transportEnd']
  expect(Object.keys(TRANSITIONS).sort()).toEqual([...STATES].sort())
  for (const cells of Object.values(TRANSITIONS)) expect(Object.keys(cells).sort()).toEqual(triggers)
})
