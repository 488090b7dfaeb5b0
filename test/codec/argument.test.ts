import { describe, expect, test } from 'bun:test'
import { assertLimit } from '../../src/codec/argument.ts'
import { ClientHandshake, Protocol, type Role, ServerHandshake, WSConnection } from '../../src/codec/index.ts'

const NO_LIMITS = [-1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53, '9' as unknown as number]
const ROLES: readonly Role[] = ['server', 'client']

describe('wrong arguments fail at the call', () => {
  test('P7 a limit is a positive integer or Infinity', () => {
    for (const size of [1, 16_384, Number.POSITIVE_INFINITY]) expect(() => assertLimit('x', size)).not.toThrow()
    expect(() => assertLimit('x', 0, 0)).not.toThrow()
    for (const size of [0, ...NO_LIMITS]) {
      const said = `maxHeadSize must be a positive integer or Infinity, not ${size}`
      expect(() => assertLimit('maxHeadSize', size)).toThrow(new RangeError(said))
    }
    expect(() => assertLimit('x', -1, 0)).toThrow(new RangeError('x must be 0, a positive integer or Infinity, not -1'))
  })

  test('P1 P2 a limit that is none, which would be no limit, is refused when the connection is made', () => {
    for (const role of ROLES) {
      for (const option of ['maxMessageSize', 'maxFragments']) {
        for (const value of NO_LIMITS) {
          expect(() => new Protocol({ role, [option]: value })).toThrow(RangeError)
          expect(() => new WSConnection(role, { [option]: value })).toThrow(`${option} must be`)
        }
      }
      expect(() => new Protocol({ role, maxFragments: 0 })).toThrow(RangeError)
      expect(new Protocol({ role, maxMessageSize: 0 }).maxMessageSize).toBe(0)
      expect(new WSConnection(role, { maxMessageSize: undefined }).state).toBe('CONNECTING')
    }
  })

  test('P1 P2 a role is one of two', () => {
    for (const role of ['Server', '', undefined, 2] as unknown as Role[]) {
      expect(() => new WSConnection(role)).toThrow(new TypeError(`role must be 'client' or 'server', not ${role}`))
      expect(() => new Protocol({ role })).toThrow(TypeError)
    }
  })

  test('P6 what is received is bytes, or null; anything else is refused and changes nothing', () => {
    for (const data of ['x', new ArrayBuffer(2), undefined, [1]] as unknown as Uint8Array[]) {
      const open = new Protocol({ role: 'client' })
      for (const part of [open, new ServerHandshake(), new ClientHandshake()]) {
        expect(() => part.receiveData(data)).toThrow(`Cannot receive ${typeof data}: not a Uint8Array or null`)
      }
      expect([...open.receiveData(Uint8Array.of(0x81, 1, 0x61))]).toMatchObject([{ data: 'a' }])
    }
  })

  test('P8 a host, a target and subprotocols of the wrong type never reach the wire', () => {
    const wrong: [object, string][] = [
      [{ host: undefined }, 'host must be a string, not undefined'],
      [{ target: undefined }, 'target undefined must begin'],
      [{ subprotocols: 'ab' }, 'subprotocols must be a list of names'],
    ]
    for (const [part, message] of wrong) {
      const client = new ClientHandshake()
      const request = { type: 'Request', host: 'h', target: '/', ...part } as {
        type: 'Request'
        host: string
        target: string
      }
      expect(() => client.send(request)).toThrow(TypeError)
      expect(() => client.send(request)).toThrow(message)
      expect(client.send({ type: 'Request', host: 'h', target: '/' }).length).toBeGreaterThan(0)
    }
  })

  test('P17 a close reason is a string', () => {
    const protocol = new Protocol({ role: 'server' })
    for (const reason of [5, [1, 2], {}] as unknown as string[]) {
      expect(() => protocol.sendClose(1000, reason)).toThrow(`Close reason must be a string, not ${typeof reason}`)
    }
    expect(protocol.state).toBe('OPEN')
  })
})

test('P8 a 101 in another version than HTTP/1.1 is no 101', () => {
  for (const version of ['1.0', '2.0', '0.9']) {
    const client = new ClientHandshake()
    client.send({ type: 'Request', host: 'h', target: '/' })
    const answer = Buffer.from(`HTTP/${version} 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n`)
    expect(() => client.receiveData(answer)).toThrow(`Server switched protocols in HTTP/${version} (RFC 6455 §4.1)`)
  }
})
