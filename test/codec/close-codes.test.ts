/** Every close code that two bytes can hold, received and sent, against the ranges of RFC 6455 §7.4 and the registry. */
import { expect, test } from 'bun:test'
import { CloseCode, isWireCloseCode, QUIET_CLOSE_CODES } from '../../src/codec/close-code.ts'
import { ProtocolError } from '../../src/codec/errors.ts'
import { Protocol } from '../../src/codec/protocol.ts'

/** §7.4.1 with 1012 to 1014 of the registry; §7.4.2. */
function mayBeSent(code: number): boolean {
  const defined = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
  return defined.includes(code) || (3000 <= code && code <= 4999)
}

function received(code: number): number {
  const protocol = new Protocol({ role: 'client' })
  try {
    const event = protocol.receiveData(Uint8Array.of(0x88, 2, code >> 8, code & 0xff)).nextEvent()
    return event?.type === 'CloseConnection' ? event.code : -1
  } catch (error) {
    if (error instanceof ProtocolError && error.violation === 'CLOSE_CODE_INVALID') return -error.closeCode
    throw error
  }
}

function sent(code: number): boolean {
  try {
    return new Protocol({ role: 'server' }).send({ type: 'CloseConnection', code }).length === 4
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

test('P17 every code from 0 to 65,535 is judged by its range, received and sent', () => {
  const wrong: number[] = []
  for (let code = 0; code <= 0xffff; code++) {
    const right = mayBeSent(code)
    // 1005 asks for a Close without a code.
    const ok = received(code) === (right ? code : -1002) && (code === 1005 || sent(code) === right)
    if (!ok || isWireCloseCode(code) !== right) wrong.push(code)
  }
  expect(wrong).toEqual([])
})

test('P17 what is not a whole number is no code', () => {
  for (const code of [1000.5, Number.NaN, Number.POSITIVE_INFINITY, -1000, 2 ** 32 + 1000])
    expect(isWireCloseCode(code)).toBe(false)
})

test('P17 the names of the codes, as RFC 6455 §7.4.1 and the registry have them', () => {
  expect(CloseCode).toEqual({
    NORMAL_CLOSURE: 1000,
    GOING_AWAY: 1001,
    PROTOCOL_ERROR: 1002,
    UNSUPPORTED_DATA: 1003,
    NO_STATUS_RCVD: 1005,
    ABNORMAL_CLOSURE: 1006,
    INVALID_FRAME_PAYLOAD_DATA: 1007,
    POLICY_VIOLATION: 1008,
    MESSAGE_TOO_BIG: 1009,
    MANDATORY_EXT: 1010,
    INTERNAL_ERROR: 1011,
    SERVICE_RESTART: 1012,
    TRY_AGAIN_LATER: 1013,
    BAD_GATEWAY: 1014,
    TLS_HANDSHAKE_FAILED: 1015,
  })
})

test('S2 the codes of an orderly end, on which iteration stops quietly', () => {
  expect(QUIET_CLOSE_CODES).toEqual([1000, 1001, 1005])
})
