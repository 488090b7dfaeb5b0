/** The error of a handshake that cannot succeed, and what answers it. */
import { expect, test } from 'bun:test'
import { HandshakeError, WebSocketError } from '../../src/codec/errors.ts'

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
