/** Compressed messages, both ways (RFC 7692 §6, §7.2): what is sent, what is taken, what is refused. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createInflateRaw, deflateRawSync, inflateRawSync, constants as zlib } from 'node:zlib'
import fc from 'fast-check'
import type { DeflateOptions } from '../../src/codec/deflate-parameters.ts'
import { ProtocolError, WebSocketError } from '../../src/codec/errors.ts'
import { type FrameHeader, Rsv } from '../../src/codec/extension.ts'
import { LARGE_PAYLOAD } from '../../src/codec/frame-encoder.ts'
import { Opcode } from '../../src/codec/opcode.ts'
import { PerMessageDeflate } from '../../src/codec/permessage-deflate.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import {
  ContextPool,
  compressorPool,
  DeflateContext,
  decompressorPool,
  InflateContext,
  zlibStream,
} from '../../src/codec/zlib-context.ts'
import { compressed, cutAt, opened, pair, receive, refragmented, send, TAKEOVER } from './deflate-pair.ts'
import { bytesOf } from './wire-notation.ts'

const NO_TAKEOVER: DeflateOptions = {}
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff])

/** JSON-like text, the same for the same seed. */
function text(length: number, seed = 1): Buffer {
  let state = seed
  let out = ''
  while (out.length < length) {
    state = (state * 1103515245 + 12345) & 0x7fffffff
    out += `{"id":${state % 100_000},"name":"user ${state % 97}","active":${state % 3 === 0}},`
  }
  return Buffer.from(out.slice(0, length))
}

function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

/** What zlib itself makes of a compressed message. */
function inflated(payload: Uint8Array, windowBits = 15): Buffer {
  return inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: zlib.Z_SYNC_FLUSH, windowBits, chunkSize: 64 })
}

/** A message as zlib itself compresses it. */
function deflated(message: Uint8Array, options: { windowBits?: number; level?: number } = {}): Buffer {
  const whole = deflateRawSync(message, { finishFlush: zlib.Z_SYNC_FLUSH, ...options })
  return whole.subarray(0, whole.length - TAIL.length)
}

/** `count` times `length` zeros as one message whose blocks do not refer to each other. */
function bomb(length: number, count: number): Buffer {
  const block = deflateRawSync(Buffer.alloc(length), { finishFlush: zlib.Z_FULL_FLUSH })
  return Buffer.concat([...Array.from({ length: count }, () => block), Buffer.of(0)])
}

/** The payloads of one message, joined. */
function wire(frames: readonly { payload: Uint8Array }[]): Buffer {
  return Buffer.concat(frames.map(({ payload }) => payload))
}

describe('the examples of RFC 7692 §7.2.3', () => {
  const rows: [section: string, fragments: string[], message: string][] = [
    ['§7.2.3.1 one block', ['f2 48 cd c9 c9 07 00'], 'Hello'],
    ['§7.2.3.1 one block, two fragments', ['f2 48 cd', 'c9 c9 07 00'], 'Hello'],
    ['§7.2.3.3 a block without compression', ['00 05 00 fa ff 48 65 6c 6c 6f 00'], 'Hello'],
    ['§7.2.3.4 a block with BFINAL', ['f3 48 cd c9 c9 07 00 00'], 'Hello'],
    ['§7.2.3.5 two blocks', ['f2 48 05 00 00 00 ff ff ca c9 c9 07 00'], 'Hello'],
    ['§7.2.3.6 an empty message', ['00'], ''],
  ]
  for (const [section, fragments, message] of rows) {
    for (const options of [TAKEOVER, NO_TAKEOVER]) {
      const payloads = fragments.map((fragment) => compressed(fragment).payload)
      const whole = Buffer.concat(payloads)
      const offsets = payloads.slice(0, -1).map(({ length }) => length)
      test(`R15 ${section}, ${options === TAKEOVER ? 'with' : 'without'} takeover, cut everywhere`, () => {
        const server = opened('server', options)
        expect(String(receive(server, refragmented(whole, offsets)))).toBe(message)
        expect(String(receive(server, refragmented(whole, offsets), 1))).toBe(message)
        for (let a = 0; a <= whole.length; a++) {
          for (let b = a; b <= whole.length; b++) {
            expect(String(receive(server, refragmented(whole, [a, b])))).toBe(message)
          }
        }
      })
    }
  }

  test('R15 §7.2.3.2 a second message uses the window of the first, if and only if takeover was agreed', () => {
    const server = opened('server')
    expect(String(receive(server, [compressed('f2 48 cd c9 c9 07 00')]))).toBe('Hello')
    expect(String(receive(server, [compressed('f2 00 11 00 00')]))).toBe('Hello')
    const forgetful = opened('server', NO_TAKEOVER)
    expect(String(receive(forgetful, [compressed('f2 48 cd c9 c9 07 00')]))).toBe('Hello')
    expect(receive(forgetful, [compressed('f2 00 11 00 00')])).toBe('DEFLATE_DATA_INVALID')
  })

  test('P13 what is sent is what the RFC shows', () => {
    const hello = Buffer.from('Hello')
    const server = opened('server')
    expect(wire(send(server, [hello])).toString('hex')).toBe('f248cdc9c90700')
    expect(wire(send(server, [hello])).toString('hex')).toBe('f200110000')
    const forgetful = opened('server', NO_TAKEOVER)
    for (let i = 0; i < 3; i++) expect(wire(send(forgetful, [hello])).toString('hex')).toBe('f248cdc9c90700')
    expect(send(server, [Buffer.alloc(0)])).toEqual([compressed('00')])
    expect(send(forgetful, [Buffer.alloc(0)])).toEqual([compressed('00')])
  })
})

describe('context takeover', () => {
  const message = text(400)
  for (const keepServer of [false, true]) {
    for (const keepClient of [false, true]) {
      test(`P13 R15 server ${keepServer ? 'keeps' : 'forgets'}, client ${keepClient ? 'keeps' : 'forgets'}`, () => {
        const options = { serverNoContextTakeover: !keepServer, clientNoContextTakeover: !keepClient }
        const { server, client } = pair(options)
        for (const [from, to, kept] of [
          [server, client, keepServer],
          [client, server, keepClient],
        ] as const) {
          const sizes = [0, 1, 2].map(() => {
            const frames = send(from, [message])
            expect(receive(to, frames)).toEqual(message)
            return wire(frames).length
          })
          const [first = 0, second = 0, third = 0] = sizes
          if (kept) expect(second).toBeLessThan(first / 5)
          else expect([second, third]).toEqual([first, first])
        }
        server.dispose()
        client.dispose()
      })
    }
  }

  test('R15 a message that is not compressed comes between, and the context stays', () => {
    const { server, client } = pair(TAKEOVER)
    const first = wire(send(server, [message])).length
    expect(receive(client, [{ opcode: Opcode.TEXT, fin: true, rsv: 0, payload: message }])).toEqual(message)
    const again = opened('server')
    const peer = opened('client')
    expect(receive(peer, send(again, [message]))).toEqual(message)
    const plain = send(again, [message], false)
    expect(plain).toEqual([{ opcode: Opcode.BINARY, fin: true, rsv: 0, payload: message }])
    expect(receive(peer, plain)).toEqual(message)
    const last = send(again, [message])
    expect(wire(last).length).toBeLessThan(first / 5)
    expect(receive(peer, last)).toEqual(message)
  })

  test('P13 without takeover fragmented messages of several connections go on at the same time', () => {
    const sides = [1, 2, 3, 4, 5, 6].map((seed) => ({ ...pair(), message: text(5_000, seed) }))
    const pieces = sides.map(({ message: whole }) => cutAt(whole, [10, 2_000]))
    const received = sides.map((): Buffer[] => [])
    for (let i = 0; i < 3; i++) {
      for (const [n, { server, client }] of sides.entries()) {
        const fragment = pieces[n]?.[i] as Uint8Array
        const opcode = i === 0 ? Opcode.BINARY : Opcode.CONTINUATION
        const { rsv, payload } = server.outbound(opcode, fragment, i === 2, undefined)
        const frame = Buffer.from(payload)
        // A whole message of another connection comes between.
        const other = pair()
        expect(receive(other.client, send(other.server, [message]))).toEqual(message)
        expect(client.inboundHeader({ opcode, fin: i === 2, rsv, length: frame.length })).toBe(rsv)
        received[n]?.push(Buffer.from(client.inboundPayload(frame) as Uint8Array))
        expect(client.inboundComplete(i === 2)).toHaveLength(0)
      }
    }
    for (const [n, side] of sides.entries()) expect<Buffer>(Buffer.concat(received[n] ?? [])).toEqual(side.message)
  })
})

describe('which messages are compressed', () => {
  const compresses = (options: DeflateOptions, fragments: Uint8Array[], compress: boolean): number[] =>
    send(opened('server', options), fragments, compress).map(({ rsv }) => rsv)
  const asked = (options: DeflateOptions, fragments: Uint8Array[]): number[] =>
    send(opened('server', options), fragments, 'unsaid').map(({ rsv }) => rsv)

  test('S13 those from the threshold on, 128 bytes by default', () => {
    expect(asked({}, [text(127)])).toEqual([0])
    expect(asked({}, [text(128)])).toEqual([Rsv.RSV1])
    expect(asked({ threshold: 0 }, [text(0)])).toEqual([Rsv.RSV1])
    expect(asked({ threshold: 10 }, [text(9)])).toEqual([0])
    expect(asked({ threshold: Number.POSITIVE_INFINITY }, [text(100_000)])).toEqual([0])
  })

  test('S13 fragments of a message of unknown size are; RSV1 is on the first only', () => {
    expect(asked({}, [text(1), text(1), text(1)])).toEqual([Rsv.RSV1, 0, 0])
    expect(asked({}, [text(0), text(0)])).toEqual([Rsv.RSV1, 0])
  })

  test('S13 the sender of a message has the last word', () => {
    expect(compresses({}, [text(1)], true)).toEqual([Rsv.RSV1])
    expect(compresses({}, [text(1_000)], false)).toEqual([0])
    expect(compresses({}, [text(1_000), text(1_000)], false)).toEqual([0, 0])
    expect(compresses({ threshold: Number.POSITIVE_INFINITY }, [text(1)], true)).toEqual([Rsv.RSV1])
  })

  test('S13 a message that is not compressed is sent as it is, not copied', () => {
    const message = text(100)
    const server = opened('server', {})
    expect(server.outbound(Opcode.TEXT, message, true, undefined).payload).toBe(message)
    expect(server.outbound(Opcode.PING, message, true, true)).toEqual({ rsv: 0, payload: message })
  })

  test('S13 the choice for a first fragment holds for all of its message', () => {
    const { server, client } = pair()
    const frames = [
      server.outbound(Opcode.TEXT, text(300), false, false),
      server.outbound(Opcode.CONTINUATION, text(300), true, true),
    ]
    expect(frames.map(({ rsv }) => rsv)).toEqual([0, 0])
    expect(frames.map(({ payload }) => payload.length)).toEqual([300, 300])
    expect(receive(client, send(server, [text(300)]))).toEqual(text(300))
  })

  test('P13 a client whose window must be 8 sends its messages as they are', () => {
    const client = opened('client', TAKEOVER, '; client_max_window_bits=8')
    expect(send(client, [text(500)], true)).toEqual([{ opcode: Opcode.BINARY, fin: true, rsv: 0, payload: text(500) }])
  })
})

describe('reserved bits', () => {
  const header = (opcode: number, rsv: number, fin = true): FrameHeader => ({ opcode, fin, rsv, length: 0 })

  test('P13 RSV1 on a control frame or a continuation is a violation', () => {
    const server = opened('server')
    for (const opcode of [Opcode.CLOSE, Opcode.PING, Opcode.PONG]) {
      expect(server.inboundHeader(header(opcode, Rsv.RSV1))).toBe('COMPRESSED_CONTROL')
      expect(server.inboundHeader(header(opcode, 0))).toBe(0)
    }
    expect(server.inboundHeader(header(Opcode.CONTINUATION, Rsv.RSV1))).toBe('COMPRESSED_CONTINUATION')
    expect(server.inboundHeader(header(Opcode.TEXT, Rsv.RSV1, false))).toBe(Rsv.RSV1)
    expect(server.inboundHeader(header(Opcode.CONTINUATION, Rsv.RSV1))).toBe('COMPRESSED_CONTINUATION')
  })

  test('P13 RSV2 and RSV3 stay unowned', () => {
    const server = opened('server')
    expect(server.inboundHeader(header(Opcode.TEXT, Rsv.RSV1 | Rsv.RSV2 | Rsv.RSV3))).toBe(Rsv.RSV1)
    expect(server.inboundHeader(header(Opcode.TEXT, Rsv.RSV2))).toBe(0)
    expect(server.rsv).toBe(Rsv.RSV1)
  })

  test('P13 a message without RSV1 passes untouched', () => {
    const server = opened('server')
    const data = noise(50)
    expect(server.inboundHeader({ opcode: Opcode.BINARY, fin: true, rsv: 0, length: 50 })).toBe(0)
    expect(server.inboundPayload(data)).toBe(data)
    expect(server.inboundComplete(true)).toHaveLength(0)
  })

  for (const options of [TAKEOVER, NO_TAKEOVER]) {
    test(`R24 a ping between the fragments of a compressed message (${JSON.stringify(options)})`, () => {
      const { server, client } = pair(options)
      const message = text(3_000)
      for (let round = 0; round < 2; round++) {
        const parts: Buffer[] = []
        for (const frame of send(client, cutAt(message, [1, 1_000]))) {
          const owned = server.inboundHeader({ ...frame, length: frame.payload.length })
          expect(owned).toBe(frame.rsv)
          expect(server.inboundHeader({ opcode: Opcode.PING, fin: true, rsv: 0, length: 3 })).toBe(0)
          parts.push(Buffer.from(server.inboundPayload(frame.payload) as Uint8Array))
          expect(server.inboundHeader({ opcode: Opcode.PONG, fin: true, rsv: 0, length: 0 })).toBe(0)
          expect(server.inboundComplete(frame.fin)).toHaveLength(0)
        }
        expect<Buffer>(Buffer.concat(parts)).toEqual(message)
      }
    })
  }

  test('R25 a stray continuation after a compressed message is 1002', () => {
    for (const first of ['80 00', 'c0 00', '80 01 00', '00 03 01 02 03']) {
      const client = new Protocol({ role: 'client', extensions: [opened('client')] })
      client.receiveData(Buffer.from(`c107f248cdc9c90700${first.replaceAll(' ', '')}`, 'hex'))
      expect(client.nextEvent()).toMatchObject({ type: 'TextMessage', data: 'Hello', messageFinished: true })
      let failure: unknown
      try {
        client.nextEvent()
      } catch (error) {
        failure = error
      }
      expect(failure).toBeInstanceOf(ProtocolError)
      expect((failure as ProtocolError).closeCode).toBe(1002)
    }
  })
})

test('R25 a stray continuation is not counted to the message before it', () => {
  const server = opened('server', TAKEOVER, '', 10)
  expect(String(receive(server, [compressed('f2 48 cd c9 c9 07 00')]))).toBe('Hello')
  expect(server.inboundHeader({ opcode: Opcode.CONTINUATION, fin: true, rsv: 0, length: 5_000 })).toBe(0)
})

describe('what does not inflate', () => {
  const bad: [name: string, hex: string][] = [
    ['an invalid block type', '07'],
    ['a stored block whose lengths differ', '00 05 00 00 00 48'],
    ['a reference before the start', 'f2 00 11 00 00'],
    ['bytes of another kind', '48 65 6c 6c 6f ff ff ff'],
    ['zlib with its wrapper', '78 9c f2 48 cd c9 c9 07 00'],
  ]
  for (const [name, hex] of bad) {
    for (const options of [TAKEOVER, NO_TAKEOVER]) {
      test(`P13 ${name} is 1007, whole and byte by byte (${JSON.stringify(options)})`, () => {
        expect(receive(opened('server', options), [compressed(hex)])).toBe('DEFLATE_DATA_INVALID')
        expect(receive(opened('server', options), [compressed(hex)], 1)).toBe('DEFLATE_DATA_INVALID')
      })
    }
  }

  test('P13 what comes after an error is an error too, and no other connection sees it', () => {
    const server = opened('server', NO_TAKEOVER)
    expect(receive(server, [compressed('07')])).toBe('DEFLATE_DATA_INVALID')
    expect(server.inboundPayload(compressed('f2 48 cd c9 c9 07 00').payload)).toBe('DEFLATE_DATA_INVALID')
    server.dispose()
    for (let i = 0; i < 10; i++) {
      expect(String(receive(opened('server', NO_TAKEOVER), [compressed('f2 48 cd c9 c9 07 00')]))).toBe('Hello')
    }
  })

  test('P13 a message cut off inside a block is 1007, wherever it is cut', () => {
    const message = text(300)
    const whole = deflated(message)
    for (let length = 1; length < whole.length - 1; length++) {
      expect(receive(opened('server', NO_TAKEOVER), [compressed(whole.subarray(0, length))])).toBe(
        'DEFLATE_DATA_INVALID',
      )
    }
    // With takeover zlib cannot be asked; a stored block shows itself by what it makes of the tail.
    expect(receive(opened('server'), [compressed('00 05 00 fa ff 48')])).toBe('DEFLATE_DATA_INVALID')
    expect(receive(opened('server'), [compressed('00 05')])).toBe('DEFLATE_DATA_INVALID')
  })

  test('P13 over the wire it is a ProtocolError with 1007', () => {
    const client = new Protocol({ role: 'client', extensions: [opened('client')] })
    client.receiveData(Buffer.from('c10107', 'hex'))
    expect(() => client.nextEvent()).toThrow('does not inflate')
    expect(client.nextEvent()).toBeNull()
  })

  test('P13 any bytes give a payload or a violation, with no more than the limit', () => {
    const limit = 5_000
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        (bytes, takeover, piece) => {
          const server = opened('server', takeover ? TAKEOVER : NO_TAKEOVER, '', limit)
          const outcome = receive(server, [compressed(bytes)], piece)
          if (typeof outcome === 'string') expect(['DEFLATE_DATA_INVALID', 'MESSAGE_TOO_BIG']).toContain(outcome)
          else expect(outcome.length).toBeLessThanOrEqual(limit)
          server.dispose()
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('P13 a compressed frame of no bytes is an empty message: zlib gives that when it is flushed twice', () => {
    const { server, client } = pair(TAKEOVER)
    expect(receive(client, send(server, [text(200)]))).toEqual(text(200))
    expect(receive(client, [compressed('')])).toHaveLength(0)
    expect(receive(client, send(server, [text(200)]))).toEqual(text(200))
    expect(receive(opened('client', NO_TAKEOVER, '; server_no_context_takeover'), [compressed('')])).toHaveLength(0)
  })
})

describe('blocks with BFINAL', () => {
  const message = text(700)
  const final = deflateRawSync(message)

  test('R15 a message that ends in one, with and without the octet of §7.2.3.4', () => {
    for (const options of [TAKEOVER, NO_TAKEOVER]) {
      const server = opened('server', options)
      for (let round = 0; round < 3; round++) {
        for (const piece of [1, 7, Number.POSITIVE_INFINITY]) {
          expect(receive(server, [compressed(Buffer.concat([final, Buffer.of(0)]))], piece)).toEqual(message)
          expect(receive(server, [compressed(final)], piece)).toEqual(message)
        }
      }
    }
  })

  test('R15 blocks go on after one, also in the next fragment and the next message', () => {
    const { server, client } = pair(TAKEOVER)
    const three = Buffer.concat([final, final, deflated(message)])
    const expected = Buffer.concat([message, message, message])
    expect(receive(client, [compressed(three)])).toEqual(expected)
    for (const cut of [1, final.length - 1, final.length, final.length + 1, 2 * final.length]) {
      expect(receive(client, refragmented(three, [cut]))).toEqual(expected)
    }
    expect(receive(client, send(server, [message]))).toEqual(message)
    expect(receive(client, send(server, [message]))).toEqual(message)
  })

  test('R15 many empty final blocks cost no more than linear time', () => {
    const server = opened('server', NO_TAKEOVER, '', 50_000)
    // `03 00` is a final block without content.
    const blocks = Buffer.alloc(100_000, Buffer.of(0x03, 0x00))
    const started = performance.now()
    expect(receive(server, [compressed(blocks)])).toHaveLength(0)
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  test('R15 the limit counts across them', () => {
    const server = opened('server', TAKEOVER, '', 2 * message.length)
    expect(receive(server, [compressed(Buffer.concat([final, final, Buffer.of(0)]))])).toHaveLength(2 * message.length)
    expect(receive(server, [compressed(Buffer.concat([final, final, final, Buffer.of(0)]))])).toBe('MESSAGE_TOO_BIG')
  })
})

describe('limits', () => {
  test('R15 a bomb of 1 GiB stops at the limit and takes no memory', () => {
    const payload = bomb(1 << 20, 1 << 10)
    expect(payload.length).toBeLessThan(2 << 20)
    const server = opened('server', NO_TAKEOVER, '', 1 << 20)
    const before = process.memoryUsage.rss()
    const started = performance.now()
    expect(receive(server, [compressed(payload)])).toBe('MESSAGE_TOO_BIG')
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 << 20)
  })

  test('R15 a message of just the limit passes, one byte more does not, in any pieces and fragments', () => {
    for (const limit of [1, 100, LARGE_PAYLOAD - 1, LARGE_PAYLOAD, LARGE_PAYLOAD + 1, 3 * LARGE_PAYLOAD, 100_000]) {
      const fits = deflated(Buffer.alloc(limit, 'a'))
      const exceeds = deflated(Buffer.alloc(limit + 1, 'a'))
      for (const options of [TAKEOVER, NO_TAKEOVER]) {
        for (const piece of [1, 3, Number.POSITIVE_INFINITY]) {
          const server = opened('server', options, '', limit)
          expect(receive(server, refragmented(fits, [2, 5]), piece)).toHaveLength(limit)
          expect(receive(server, [compressed(fits)], piece)).toHaveLength(limit)
          expect(receive(server, refragmented(exceeds, [2, 5]), piece)).toBe('MESSAGE_TOO_BIG')
        }
      }
    }
  })

  test('R15 no more than the limit comes out before a bomb is refused', () => {
    const limit = 50_000
    const payload = bomb(1 << 20, 2)
    for (const piece of [1, 10, 100]) {
      const server = opened('server', TAKEOVER, '', limit)
      server.inboundHeader({ opcode: Opcode.BINARY, fin: true, rsv: Rsv.RSV1, length: payload.length })
      let total = 0
      let outcome: Uint8Array | string = Buffer.alloc(0)
      for (let at = 0; typeof outcome !== 'string'; at += piece) {
        outcome = server.inboundPayload(payload.subarray(at, at + piece))
        if (typeof outcome !== 'string') total += outcome.length
      }
      expect(outcome).toBe('MESSAGE_TOO_BIG')
      expect(total).toBeLessThanOrEqual(limit)
    }
  })

  test('R15 blocks without content are refused at twice the limit and 1 KiB, on the header', () => {
    const limit = 10_000
    const most = 2 * limit + 1_024
    const server = opened('server', TAKEOVER, '', limit)
    const head = (opcode: number, length: number): FrameHeader => ({
      opcode,
      fin: false,
      rsv: opcode === Opcode.CONTINUATION ? 0 : Rsv.RSV1,
      length,
    })
    expect(server.inboundHeader(head(Opcode.BINARY, most + 1))).toBe('MESSAGE_TOO_BIG')
    expect(server.inboundHeader(head(Opcode.BINARY, most))).toBe(Rsv.RSV1)
    expect(server.inboundHeader(head(Opcode.CONTINUATION, 1))).toBe('MESSAGE_TOO_BIG')
    // Empty stored blocks, as a sync flush makes them.
    const empty = Buffer.alloc(1_000, Buffer.of(0x00, 0x00, 0x00, 0xff, 0xff))
    expect(server.inboundHeader(head(Opcode.BINARY, empty.length))).toBe(Rsv.RSV1)
    let frames = 0
    let outcome: number | string = 0
    for (; typeof outcome !== 'string'; frames++) {
      expect(server.inboundPayload(empty)).toHaveLength(0)
      expect(server.inboundComplete(false)).toHaveLength(0)
      outcome = server.inboundHeader(head(Opcode.CONTINUATION, empty.length))
    }
    expect(outcome).toBe('MESSAGE_TOO_BIG')
    expect(frames).toBe(Math.floor(most / empty.length))
  })

  test('R15 what does not shrink fits into a limit of its size', () => {
    for (const limit of [1, 1_000, 100_000, 1 << 20]) {
      const { server, client } = pair({ level: 0 }, undefined, limit)
      const message = noise(limit)
      const fragments = cutAt(message, [Math.floor(limit / 3), Math.floor(limit / 2)])
      expect(receive(client, send(server, fragments))).toEqual(message)
    }
  })

  test('R15 the limit can be changed between messages', () => {
    const server = opened('server', TAKEOVER, '', 100)
    const peer = opened('client')
    server.start('server', 1_000)
    expect(receive(server, send(peer, [text(1_000)]))).toEqual(text(1_000))
    server.start('server', 100)
    expect(receive(server, send(peer, [text(101)]))).toBe('MESSAGE_TOO_BIG')
  })

  test('R15 a limit that the protocol changes holds for what is inflated as well', () => {
    const [server, client] = [
      new Protocol({ role: 'server', extensions: [opened('server')], maxMessageSize: 100 }),
      new Protocol({ role: 'client', extensions: [opened('client')] }),
    ]
    const say = (size: number): number[] => {
      const wire = client.send({ type: 'BytesMessage', data: text(size), compress: true })
      return [...server.receiveData(Uint8Array.from(wire))].map((event) => ('data' in event ? event.data.length : 0))
    }
    server.maxMessageSize = 1_000
    expect(say(1_000)).toEqual([1_000])
    server.maxMessageSize = 100
    expect(() => say(101)).toThrow('maxMessageSize')
  })

  test('R15 Infinity is no limit', () => {
    const server = opened('server', NO_TAKEOVER, '', Number.POSITIVE_INFINITY)
    expect(receive(server, [compressed(bomb(1 << 20, 20))])).toHaveLength(20 << 20)
  })
})

describe('fragments', () => {
  test('P13 each fragment can be read when it has come', () => {
    const { server, client } = pair()
    const message = text(1_000)
    for (const [i, fragment] of cutAt(message, [100, 101, 600]).entries()) {
      const fin = i === 3
      const opcode = i === 0 ? Opcode.TEXT : Opcode.CONTINUATION
      const { rsv, payload } = server.outbound(opcode, fragment, fin, undefined)
      const frame = Buffer.from(payload)
      client.inboundHeader({ opcode, fin, rsv, length: frame.length })
      expect(Buffer.from(client.inboundPayload(frame) as Uint8Array)).toEqual(Buffer.from(fragment))
      expect(client.inboundComplete(fin)).toHaveLength(0)
    }
  })

  test('P13 without takeover too, a fragment refers to those before it', () => {
    const part = noise(300)
    const [first, second] = send(pair().server, [part, part])
    expect(first?.payload.length).toBeGreaterThan(300)
    expect(second?.payload.length).toBeLessThan(30)
  })

  test('P13 empty fragments at the start, in the middle and at the end', () => {
    const nothing = Buffer.alloc(0)
    const part = text(200)
    for (const options of [TAKEOVER, NO_TAKEOVER]) {
      const { server, client } = pair(options)
      for (const fragments of [
        [nothing, part],
        [part, nothing, part],
        [part, nothing],
        [nothing, nothing],
        [nothing, part, nothing],
        [nothing],
        [part],
      ]) {
        const frames = send(server, fragments)
        expect(frames.map(({ rsv }) => rsv)).toEqual(frames.map((_, i) => (i === 0 ? Rsv.RSV1 : 0)))
        expect(receive(client, frames)).toEqual(Buffer.concat(fragments))
        expect(inflated(wire(send(pair().server, fragments)))).toEqual(Buffer.concat(fragments))
      }
    }
  })
})

describe('windows and levels', () => {
  // A repeat just within each window: only a window of that size can use it, and a smaller one must not be given it.
  for (let bits = 9; bits <= 15; bits++) {
    test(`P13 R15 server_max_window_bits=${bits} holds for what is sent`, () => {
      const { server, client } = pair({ ...TAKEOVER, serverMaxWindowBits: bits })
      const pattern = noise(200)
      for (const distance of [300, 700, 1_500, 3_000, 6_000, 12_000, 24_000, 40_000]) {
        const message = Buffer.concat([pattern, noise(distance - 200), pattern])
        const whole = wire(send(opened('server', NO_TAKEOVER, `; server_max_window_bits=${bits}`), [message]))
        expect(inflated(whole, bits)).toEqual(message)
        expect(receive(client, send(server, [message]))).toEqual(message)
      }
    })

    test(`P13 R15 client_max_window_bits=${bits} holds for what is sent and taken`, () => {
      const { server, client } = pair({ ...TAKEOVER, clientMaxWindowBits: bits })
      const message = Buffer.concat([text(2_000), noise(1 << bits), text(2_000)])
      for (let i = 0; i < 3; i++) expect(receive(server, send(client, [message]))).toEqual(message)
      const once = opened('client', NO_TAKEOVER, `; server_no_context_takeover; client_max_window_bits=${bits}`)
      expect(inflated(wire(send(once, [message])), bits)).toEqual(message)
    })
  }

  test('P13 R15 a window of 8 bits is inflated', () => {
    const small = opened('server', TAKEOVER, '; client_max_window_bits=8')
    const client = opened('client', TAKEOVER, '; server_max_window_bits=8')
    // zlib takes 9 for 8, whose references reach back 250 bytes at most.
    const message = text(4_000)
    for (let i = 0; i < 3; i++) {
      expect(receive(small, [compressed(deflated(message, { windowBits: 8 }))])).toEqual(message)
      expect(receive(client, [compressed(deflated(message, { windowBits: 8 }))])).toEqual(message)
    }
  })

  test('P13 a peer whose zlib took 9 for 8 is understood', () => {
    const pattern = noise(100)
    const message = Buffer.concat([pattern, noise(200), pattern])
    const server = opened('server', TAKEOVER, '; client_max_window_bits=8')
    expect(receive(server, [compressed(deflated(message))], 1)).toEqual(message)
  })

  test('P13 a client that cannot be asked for a smaller window may use all of it', () => {
    const pattern = noise(100)
    const message = Buffer.concat([pattern, noise(30_000), pattern])
    const server = opened('server', { ...TAKEOVER, clientMaxWindowBits: 9 })
    expect(receive(server, [compressed(deflated(message))], 100)).toEqual(message)
  })

  test('P13 a client keeps to what it offered when the answer is silent', () => {
    const message = Buffer.concat([text(2_000), noise(600), text(2_000)])
    const client = opened('client', { ...NO_TAKEOVER, clientMaxWindowBits: 9 }, '; server_no_context_takeover')
    const first = wire(send(client, [message]))
    expect(inflated(first, 9)).toEqual(message)
    expect(wire(send(client, [message]))).toEqual(first)
  })

  test('P13 a peer that reaches back beyond the agreed window is cut with 1007', () => {
    const pattern = noise(200)
    const message = Buffer.concat([pattern, noise(5_000), pattern])
    const server = opened('server', NO_TAKEOVER, '; client_max_window_bits=9')
    expect(receive(server, [compressed(deflated(message))], 100)).toBe('DEFLATE_DATA_INVALID')
    const client = opened('client', TAKEOVER, '; server_max_window_bits=9')
    expect(receive(client, [compressed(deflated(message))], 100)).toBe('DEFLATE_DATA_INVALID')
  })

  test('P13 a client keeps no context when the answer forbids it', () => {
    const client = opened('client', TAKEOVER, '; client_no_context_takeover')
    const first = wire(send(client, [text(300)]))
    expect(wire(send(client, [text(300)]))).toEqual(first)
  })

  test('P13 every level and memory level, sizes around the block of output', () => {
    const sizes = [1, 100, 5_000, 16_350, 16_370, 16_378, 16_379, 16_380, 16_383, 16_384, 16_385, 32_768, 70_000]
    for (let level = 0; level <= 9; level++) {
      const { server, client } = pair({ level, memLevel: (level % 9) + 1 })
      for (const size of sizes) {
        for (const message of [noise(size), text(size)]) {
          const frames = send(server, [message])
          expect(receive(client, frames, 1_000)).toEqual(message)
          expect(inflated(wire(frames))).toEqual(message)
        }
      }
    }
  })

  test('P13 output of every length around the block ends where it should', () => {
    // A stored block costs five bytes and the flush five: one of these lengths fills the block exactly.
    for (let size = LARGE_PAYLOAD - 30; size <= LARGE_PAYLOAD + 10; size++) {
      for (const level of [0, 6]) {
        const message = noise(size)
        const { server, client } = pair({ level })
        const frames = send(server, cutAt(message, [10]))
        expect(inflated(wire(frames))).toEqual(message)
        expect(receive(client, frames)).toEqual(message)
        expect(receive(client, [compressed(deflated(message))])).toEqual(message)
      }
    }
  })
})

describe('sending the same bytes', () => {
  const keyOf = (options: DeflateOptions, header = ''): string | undefined =>
    opened('server', options, header).outboundKey

  test('S13 connections that keep no context have the same key when they compress alike, and only then', () => {
    expect(keyOf(NO_TAKEOVER)).toBe('permessage-deflate 15 6 8 128')
    expect(keyOf({ level: 1, memLevel: 9, threshold: 0 })).toBe('permessage-deflate 15 1 9 0')
    expect(keyOf(NO_TAKEOVER, '; server_max_window_bits=10')).toBe('permessage-deflate 10 6 8 128')
    expect(keyOf(NO_TAKEOVER, '; client_max_window_bits=10')).toBe(keyOf(NO_TAKEOVER))
    expect(keyOf(TAKEOVER)).toBeUndefined()
    expect(keyOf(TAKEOVER, '; server_no_context_takeover')).toBe(keyOf(NO_TAKEOVER))
  })

  test('S13 one that cannot compress has a key of its own', () => {
    expect(opened('client', NO_TAKEOVER, '; server_no_context_takeover; client_max_window_bits=8').outboundKey).toBe(
      'permessage-deflate 0 6 8 128',
    )
  })
})

describe('memory', () => {
  test('P13 without takeover one context serves every connection', () => {
    const made = compressorPool(15, 6, 8).take()
    compressorPool(15, 6, 8).give(made)
    const read = decompressorPool(15).take()
    decompressorPool(15).give(read)
    for (let i = 0; i < 100; i++) {
      const { server, client } = pair()
      expect(receive(client, send(server, [text(300)]))).toEqual(text(300))
    }
    expect(compressorPool(15, 6, 8).take()).toBe(made)
    expect(decompressorPool(15).take()).toBe(read)
    compressorPool(15, 6, 8).give(made)
    decompressorPool(15).give(read)
  })

  test('P13 dispose gives back what a connection holds, once', () => {
    const used = pair(TAKEOVER)
    expect(receive(used.client, send(used.server, [text(300)]))).toEqual(text(300))
    used.server.dispose()
    used.server.dispose()
    used.client.dispose()
    // What came back is as new: nothing of the old connection is in it.
    const { server, client } = pair(TAKEOVER)
    expect(receive(client, send(server, [text(300)]))).toEqual(text(300))
    const fresh = opened('server', NO_TAKEOVER)
    const first = wire(send(fresh, [text(300)])).length
    expect(wire(send(pair(TAKEOVER).server, [text(300)])).length).toBe(first)
    const idle = opened('server')
    idle.dispose()
    expect(idle.enabled).toBe(true)
  })

  /** How many contexts go back to the pools while `act` runs. */
  function givenBack(act: () => void): number {
    let given = 0
    const pools = [compressorPool(15, 6, 8), decompressorPool(15)] as ContextPool<never>[]
    const gives = pools.map((pool) => pool.give.bind(pool))
    for (const [i, pool] of pools.entries()) {
      pool.give = (context) => {
        given++
        gives[i]?.(context)
      }
    }
    try {
      act()
    } finally {
      for (const [i, pool] of pools.entries()) pool.give = gives[i] as (context: never) => void
    }
    return given
  }

  test('P13 contexts go back at the end of each message without takeover, and of the connection with it', () => {
    const exchange = ({ server, client }: ReturnType<typeof pair>) => {
      for (const [from, to] of [
        [server, client],
        [client, server],
      ] as const) {
        expect(receive(to, send(from, [text(300)]))).toEqual(text(300))
      }
    }
    const forgetful = pair(NO_TAKEOVER)
    expect(givenBack(() => exchange(forgetful))).toBe(4)
    expect(givenBack(() => forgetful.server.dispose())).toBe(0)
    const keeping = pair(TAKEOVER)
    expect(givenBack(() => exchange(keeping))).toBe(0)
    expect(givenBack(() => keeping.server.dispose())).toBe(2)
    expect(givenBack(() => keeping.server.dispose())).toBe(0)
    expect(givenBack(() => keeping.client.dispose())).toBe(2)
    // In the middle of a message, too.
    expect(
      givenBack(() => {
        forgetful.server.outbound(Opcode.TEXT, text(10), false, true)
        forgetful.server.dispose()
      }),
    ).toBe(1)
  })

  test('P13 a server that keeps no context unasked saves one at the client', () => {
    const client = opened('client', TAKEOVER, '; server_no_context_takeover')
    expect(givenBack(() => receive(client, [compressed('f2 48 cd c9 c9 07 00')]))).toBe(1)
  })

  test('P13 a compressed frame of no bytes takes no context', () => {
    const server = opened('server', NO_TAKEOVER)
    const taken = decompressorPool(15).take()
    decompressorPool(15).give(taken)
    expect(server.inboundHeader({ opcode: Opcode.TEXT, fin: true, rsv: Rsv.RSV1, length: 0 })).toBe(Rsv.RSV1)
    expect(server.inboundPayload(Buffer.alloc(0))).toHaveLength(0)
    expect(decompressorPool(15).take()).toBe(taken)
    decompressorPool(15).give(taken)
    expect(server.inboundComplete(true)).toHaveLength(0)
  })

  test('P13 contexts are shared by those with the same parameters only', () => {
    expect(compressorPool(15, 6, 8)).toBe(compressorPool(15, 6, 8))
    const keys = new Set([
      compressorPool(15, 6, 8),
      compressorPool(15, 6, 9),
      compressorPool(15, 7, 8),
      compressorPool(14, 6, 8),
    ])
    expect(keys.size).toBe(4)
    expect(decompressorPool(15)).not.toBe(decompressorPool(14))
  })

  test('P13 a pool keeps four idle contexts and closes the others', () => {
    let closed = 0
    let resets = 0
    let made = 0
    const make = () => {
      made++
      return { close: () => closed++, reset: () => resets++ } as unknown as ReturnType<
        ReturnType<typeof decompressorPool>['take']
      >
    }
    const pool = new ContextPool(make)
    const taken = Array.from({ length: 6 }, () => pool.take())
    for (const context of taken) pool.give(context)
    expect([made, resets, closed]).toEqual([6, 4, 2])
    expect(taken).toContain(pool.take())
    expect(made).toBe(6)
  })

  test('P13 a context that was closed has nothing of zlib left', () => {
    const input = bytesOf('f2 48 cd c9 c9 07 00')
    const inflate = new InflateContext(15)
    expect(inflate.inflate(input, 100)).toHaveLength(5)
    const deflate = new DeflateContext(15, 6, 8)
    expect(deflate.deflate(input, 0).length).toBeGreaterThan(0)
    inflate.close()
    deflate.close()
    expect(() => inflate.inflate(input, 100)).toThrow(TypeError)
    expect(() => deflate.deflate(input, 0)).toThrow(TypeError)
  })

  test('P13 a large payload to be sent is not overwritten by what comes later', () => {
    const { server, client } = pair()
    const message = noise(2 * LARGE_PAYLOAD)
    const { payload } = server.outbound(Opcode.BINARY, message, true, true)
    const copy = Buffer.from(payload)
    for (let i = 0; i < 5; i++) receive(client, send(server, [noise(3 * LARGE_PAYLOAD)]))
    expect(Buffer.from(payload)).toEqual(copy)
    expect(payload.length).toBeGreaterThanOrEqual(LARGE_PAYLOAD)
  })

  test('P13 a runtime without synchronous contexts is told so', () => {
    for (const stream of [{}, { _handle: {} }, { _handle: { writeSync() {}, reset() {} } }]) {
      expect(() => zlibStream(stream)).toThrow(WebSocketError)
      expect(() => zlibStream(stream)).toThrow('node:zlib')
    }
  })

  test('P13 it is told so before anything is negotiated, each time', async () => {
    // Another instance of the module: this one has been used already, and so has been checked.
    const file = join(import.meta.dir, '../../src/codec/zlib-context.ts?unchecked')
    const { requireSynchronousZlib } = (await import(file)) as typeof import('../../src/codec/zlib-context.ts')
    const handle = Object.getPrototypeOf(Reflect.get(createInflateRaw(), '_handle')) as { writeSync: unknown }
    const { writeSync } = handle
    handle.writeSync = undefined
    try {
      for (let i = 0; i < 2; i++) expect(() => requireSynchronousZlib()).toThrow('needs synchronous zlib contexts')
    } finally {
      handle.writeSync = writeSync
    }
    expect(() => requireSynchronousZlib()).not.toThrow()
  })

  test('P13 one that was not negotiated is off, and holds nothing', () => {
    expect(pair().server.enabled).toBe(true)
    const off = new PerMessageDeflate()
    off.start('server', 1_000)
    expect(off.enabled).toBe(false)
    expect(off.outbound(Opcode.TEXT, text(500), true, true)).toEqual({ rsv: 0, payload: text(500) })
    off.dispose()
  })
})

describe('properties', () => {
  const bits = fc.integer({ min: 9, max: 15 })
  const options = fc.record({
    serverNoContextTakeover: fc.boolean(),
    clientNoContextTakeover: fc.boolean(),
    serverMaxWindowBits: bits,
    clientMaxWindowBits: bits,
    level: fc.integer({ min: 0, max: 9 }),
    memLevel: fc.integer({ min: 1, max: 9 }),
    threshold: fc.nat({ max: 300 }),
  })
  const message = fc.record({
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.nat({ max: 40_000 }).map((length) => text(length, length + 1)),
      fc.nat({ max: 40_000 }).map((length) => noise(length)),
    ),
    cuts: fc.array(fc.nat({ max: 40_000 }), { maxLength: 4 }),
    fromServer: fc.boolean(),
    compress: fc.constantFrom('unsaid' as const, true, false),
    piece: fc.integer({ min: 1, max: 5_000 }),
  })

  test('P13 any messages, options, fragments and pieces come out as they went in, both ways', () => {
    fc.assert(
      fc.property(options, options, fc.array(message, { maxLength: 6 }), (ours, theirs, messages) => {
        const { server, client } = pair(ours, { ...theirs, serverMaxWindowBits: 15, serverNoContextTakeover: false })
        for (const { bytes, cuts, fromServer, compress, piece } of messages) {
          const [from, to] = fromServer ? [server, client] : [client, server]
          const frames = send(from, cutAt(bytes, cuts), compress)
          expect(receive(to, frames, piece)).toEqual(Buffer.from(bytes))
        }
        server.dispose()
        client.dispose()
      }),
      { numRuns: 300 },
    )
  })

  test('P13 a compressed message may be cut into frames anywhere', () => {
    fc.assert(
      fc.property(fc.nat({ max: 30_000 }), fc.array(fc.nat({ max: 9_000 }), { maxLength: 8 }), (length, cuts) => {
        const whole = text(length, length)
        expect(receive(opened('server', NO_TAKEOVER), refragmented(deflated(whole), cuts))).toEqual(whole)
      }),
    )
  })
})
