/** The errors that no row of the vectors makes: of a handshake, and of the local side. */
import { expect, test } from 'bun:test'
import { HandshakeError, LocalProtocolError, ProtocolError, WebSocketError } from '../../src/codec/errors.ts'

test('S19 HandshakeError has status, headers, body and cause, and says what to answer', () => {
  const cause = new Error('below')
  const body = Uint8Array.of(1)
  const error = new HandshakeError('No', { status: 403, headers: [['a', 'b']], body, cause })
  expect(error).toBeInstanceOf(WebSocketError)
  expect([error.name, error.message, error.status, error.headers, error.body, error.cause]).toEqual([
    'HandshakeError',
    'No',
    403,
    [['a', 'b']],
    body,
    cause,
  ])
  expect(error.eventHint).toEqual({
    type: 'RejectConnection',
    statusCode: 403,
    headers: [['a', 'b']],
    hasBody: false,
  })
})

test('S19 a HandshakeError without headers, body and cause has none', () => {
  const error = new HandshakeError('No', { status: 0 })
  expect([error.headers, error.body, 'cause' in error]).toEqual([[], undefined, false])
})

test('P6 a LocalProtocolError is no violation of the peer', () => {
  const error = new LocalProtocolError('Not now', 'RFC 6455 §5.5.1')
  expect(error).toBeInstanceOf(ProtocolError)
  expect([error.name, error.message, error.violation, error.closeCode, error.section]).toEqual([
    'LocalProtocolError',
    'Not now',
    'LOCAL',
    1011,
    'RFC 6455 §5.5.1',
  ])
})
