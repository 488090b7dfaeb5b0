/** What a connection asks of the protocol beside events: what is pending, shared frames, limits that change, a deferred end. */
import { describe, expect, spyOn, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { type EncodedFrame, encodeFrame } from '../../src/codec/encoded-frame.ts'
import {
  ConnectionClosed,
  LocalProtocolError,
  ProtocolError,
  VIOLATIONS,
  type Violation,
  violation,
} from '../../src/codec/errors.ts'
import { type ProtocolEvent, type Role, response } from '../../src/codec/event.ts'
import type { Extension } from '../../src/codec/extension.ts'
import { giveBack, LARGE_PAYLOAD } from '../../src/codec/frame-encoder.ts'
import { MessageAssembler } from '../../src/codec/message-assembler.ts'
import { Protocol } from '../../src/codec/protocol.ts'
import { VECTORS } from './vectors.ts'
import { bytesIn, bytesOf, hexOf, join, mask, rawFrames } from './wire-notation.ts'

const TEXT = 1
const BINARY = 2

function client(...frames: string[]): Protocol {
  const protocol = new Protocol({ role: 'client' })
  for (const frame of frames) protocol.receiveData(bytesOf(frame))
  return protocol
}

describe('what is pending', () => {
  test('P15 hasBytes is true while there is something to look at', () => {
    const protocol = client('81 01 "a" 81')
    expect(protocol.hasBytes).toBe(true)
    expect(protocol.nextEvent()).toMatchObject({ data: 'a' })
    expect(protocol.hasBytes).toBe(true)
    expect(protocol.nextEvent()).toBeNull()
    expect(protocol.hasBytes).toBe(false)
    protocol.receiveData(new Uint8Array(0))
    expect(protocol.hasBytes).toBe(false)
  })

  test('P15 a chunk of no bytes hides none of those behind it', () => {
    expect([...client('81 01', '', '"a" 81 01', '"b"', '')]).toMatchObject([{ data: 'a' }, { data: 'b' }])
  })

  test('P18 a chunk may begin anywhere in its memory', () => {
    const data = Uint8Array.from({ length: 300 }, (_, i) => i)
    const wire = mask(join([bytesOf('82 7e 012c'), data]))
    for (let at = 0; at < 8; at++) {
      const chunk = new Uint8Array(at + wire.length).subarray(at)
      chunk.set(wire)
      expect([...new Protocol({ role: 'server' }).receiveData(chunk)]).toMatchObject([{ data }])
    }
  })

  test('P15 frameRemaining tells what was announced and has not come', () => {
    const protocol = client('82 05 0102')
    expect(protocol.frameRemaining).toBe(0)
    expect(protocol.nextEvent()).toMatchObject({ frameFinished: false, messageFinished: false })
    expect(protocol.frameRemaining).toBe(3)
    protocol.receiveData(bytesOf('0304'))
    expect(protocol.nextEvent()).toMatchObject({ frameFinished: false, messageFinished: false })
    expect(protocol.frameRemaining).toBe(1)
    protocol.receiveData(bytesOf('05 82 05'))
    expect(protocol.nextEvent()).toMatchObject({ frameFinished: true, messageFinished: true })
    expect(protocol.frameRemaining).toBe(0)
    expect(protocol.nextEvent()).toBeNull()
    expect(protocol.frameRemaining).toBe(5)
  })

  test('P15 a length of more than 32 bits is read in all of them', () => {
    for (const [length, announced] of [
      ['00000001 00000005', 2 ** 32 + 5],
      ['00000203 04050607', 0x0203_0405_0607],
      ['001fffff ffffffff', Number.MAX_SAFE_INTEGER],
    ] as const) {
      const protocol = new Protocol({ role: 'client', maxMessageSize: Number.POSITIVE_INFINITY })
      expect(protocol.receiveData(bytesOf(`82 7f ${length}`)).nextEvent()).toBeNull()
      expect(protocol.frameRemaining).toBe(announced)
    }
  })

  test('P15 receivingMessage is true from the first header of a message to its end', () => {
    const protocol = client('89 00 01 02')
    const seen = [protocol.receivingMessage]
    for (const more of ['', '61', '62', '89 00', '80 00', '']) {
      protocol.receiveData(bytesOf(more))
      while (protocol.nextEvent() !== null);
      seen.push(protocol.receivingMessage)
    }
    expect(seen).toEqual([false, true, true, true, true, false, false])
  })

  test('P15 each part tells whether its frame and its message ended', () => {
    const protocol = client('01 03 "ab"')
    const parts = [...protocol]
    for (const more of ['"c" 00 01', '"d" 00 00', '80 02 "e"', '"f"'])
      parts.push(...protocol.receiveData(bytesOf(more)))
    expect(parts.map((part) => 'data' in part && [part.data, part.frameFinished, part.messageFinished])).toEqual([
      ['ab', false, false],
      ['c', true, false],
      ['d', true, false],
      ['', true, false],
      ['e', false, false],
      ['f', true, true],
    ])
  })
})

describe('joining', () => {
  const TYPES: readonly (readonly [first: string, data: (bytes: string) => string | Uint8Array])[] = [
    ['01', (bytes) => String.fromCharCode(...bytesOf(bytes))],
    ['02', bytesOf],
  ]

  test('P15 a message of which a part was given goes on in parts, and the next one is joined again', () => {
    for (const [first, data] of TYPES) {
      const protocol = client(`${first} 04 6162`)
      expect(protocol.nextEvent()).toMatchObject({ data: data('6162'), messageFinished: false })
      protocol.receiveData(bytesOf('63'))
      expect(protocol.nextEvent(false, true)).toMatchObject({ data: data('63'), messageFinished: false })
      protocol.receiveData(bytesOf('64'))
      expect(protocol.nextEvent(false, true)).toMatchObject({ data: data('64'), frameFinished: true })
      protocol.receiveData(bytesOf(`80 01 65 ${first} 01 66`))
      expect(protocol.nextEvent(false, true)).toMatchObject({ data: data('65'), messageFinished: true })
      expect(protocol.nextEvent(false, true)).toBeNull()
      expect(protocol.joinedSize).toBe(1)
      protocol.receiveData(bytesOf('80 01 67'))
      expect(protocol.nextEvent(false, true)).toMatchObject({ data: data('6667'), messageFinished: true })
    }
  })

  test('P15 a message of which a part was taken out goes on in parts as well', () => {
    for (const [first, data] of TYPES) {
      const protocol = client(`${first} 04 6162`)
      expect(protocol.nextEvent(false, true)).toBeNull()
      expect(protocol.takeJoined()).toMatchObject({ data: data('6162'), frameFinished: false, messageFinished: false })
      expect(protocol.joinedSize).toBe(0)
      protocol.receiveData(bytesOf('63'))
      expect(protocol.nextEvent(false, true)).toMatchObject({ data: data('63'), messageFinished: false })
    }
  })

  test('P15 a message that was joined keeps its bytes when others are', () => {
    const protocol = client()
    const given: Uint8Array[] = []
    for (const octet of ['01', '02', '03']) {
      protocol.receiveData(bytesOf(`82 04 ${octet}*2`))
      expect(protocol.nextEvent(false, true)).toBeNull()
      protocol.receiveData(bytesOf(`${octet}*2`))
      given.push((protocol.nextEvent(false, true) as { data: Uint8Array }).data)
    }
    expect(given.map((data) => hexOf(data))).toEqual(['01010101', '02020202', '03030303'])
    expect(given.map((data) => data.buffer.byteLength)).toEqual([4, 4, 4])
  })

  test('P15 connections that join text at the same time keep their own bytes', () => {
    const text = (letter: string): string => letter.repeat(3_000)
    // The block of a text that was joined is used for the next one.
    const first = client(`01 7e 0bb8 "${text('x')}" 80 00`)
    expect(first.nextEvent(false, true)).toMatchObject({ data: text('x') })
    const open = ['a', 'b', 'c'].map((letter) => [letter, client(`01 7e 05dc "${letter.repeat(1_500)}"`)] as const)
    for (const [, protocol] of open) expect(protocol.nextEvent(false, true)).toBeNull()
    for (const [letter, protocol] of open) {
      protocol.receiveData(bytesOf(`80 7e 05dc "${letter.repeat(1_500)}"`))
      expect(protocol.nextEvent(false, true)).toMatchObject({ data: text(letter) })
    }
  })

  test('P15 a message of which parts are held is joined to its end, asked for or not', () => {
    for (const [first, data] of TYPES) {
      const protocol = client(`${first} 04 6162`)
      expect(protocol.nextEvent(false, true)).toBeNull()
      protocol.receiveData(bytesOf('6364 80 00'))
      expect(protocol.nextEvent()).toMatchObject({ data: data('61626364'), frameFinished: true, messageFinished: true })
      expect(protocol.joinedSize).toBe(0)
    }
  })
})

describe('what is let go', () => {
  /** Whether the chunks can be collected while the protocol is still held. */
  async function collected(protocol: Protocol, chunks: readonly WeakRef<Uint8Array>[]): Promise<boolean> {
    for (let round = 0; round < 20; round++) {
      // A turn of its own, so that nothing on the stack refers to them.
      await new Promise((resolve) => setTimeout(resolve, 5))
      Bun.gc(true)
      if (chunks.every((chunk) => chunk.deref() === undefined)) return protocol.nextEvent() === null
    }
    return false
  }

  /** Feeds a chunk and, behind it, many that are never read. */
  function feedMany(protocol: Protocol, first: string): WeakRef<Uint8Array>[] {
    protocol.receiveData(bytesOf(first))
    return Array.from({ length: 50 }, () => {
      const chunk = bytesOf('81 01 "a"')
      protocol.receiveData(chunk)
      return new WeakRef(chunk)
    })
  }

  test('P18 S23 a connection that has nothing to send keeps no shared memory alive', async () => {
    const other = new Protocol({ role: 'server' })
    const idle = Array.from({ length: 20 }, () => new Protocol({ role: 'server' }))
    const memory = idle.map((protocol, i) => {
      protocol.sendText('a')
      const range = i % 2 === 0 ? protocol.output.take()[0] : protocol.output.takeRange()
      // The others go on to memory of their own.
      for (let sent = 0; sent < 5; sent++) other.sendBytes(new Uint8Array(60_000))
      other.output.take()
      return new WeakRef((range as Uint8Array).buffer)
    })
    const alive = (): number => memory.filter((each) => each.deref() !== undefined).length
    for (let round = 0; round < 20 && alive() > 3; round++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      Bun.gc(true)
    }
    expect(alive()).toBeLessThanOrEqual(3)
    for (const protocol of idle) expect(protocol.output.pending).toBe(0)
  })

  test('P5 S23 a Close lets go of the bytes behind it', async () => {
    const protocol = client()
    const chunks = feedMany(protocol, '88 00 81 05 "He"')
    expect(protocol.nextEvent()).toMatchObject({ code: 1005 })
    expect(protocol.hasBytes).toBe(false)
    expect(await collected(protocol, chunks.slice(0, 40))).toBe(true)
  })

  test('P6 S23 a failure lets go of the bytes behind it', async () => {
    const protocol = client()
    const chunks = feedMany(protocol, '83 00 81 05 "He"')
    expect(() => protocol.nextEvent()).toThrow('reserved opcode')
    expect(protocol.hasBytes).toBe(false)
    expect(await collected(protocol, chunks.slice(0, 40))).toBe(true)
  })

  test('P15 chunks that were read are let go while others wait', async () => {
    const protocol = client()
    const chunks = feedMany(protocol, '81 01 "a"')
    for (let i = 0; i < 45; i++) expect(protocol.nextEvent()).toMatchObject({ data: 'a' })
    for (let round = 0; round < 20 && chunks[0]?.deref() !== undefined; round++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      Bun.gc(true)
    }
    expect(chunks.slice(0, 30).filter((chunk) => chunk.deref() !== undefined).length).toBeLessThan(5)
    expect([...protocol]).toHaveLength(6)
  })
})

describe('a deferred end', () => {
  test('P5 a Close is kept until it is asked for, and the state with it', () => {
    const protocol = client('81 01 "a" 88 02 03e8')
    expect(protocol.nextEvent(true)).toMatchObject({ data: 'a' })
    expect(protocol.endPending).toBe(false)
    expect(protocol.nextEvent(true)).toBeNull()
    expect([protocol.endPending, protocol.state]).toEqual([true, 'OPEN'])
    expect(hexOf(protocol.send({ type: 'Ping' }))).toMatch(/^8980/)
    expect(protocol.nextEvent(true)).toBeNull()
    expect(protocol.nextEvent()).toMatchObject({ code: 1000 })
    expect([protocol.endPending, protocol.state]).toEqual([false, 'REMOTE_CLOSING'])
    expect(protocol.nextEvent()).toBeNull()
  })

  test('P6 a violation is kept until it is asked for, and thrown once', () => {
    const protocol = client('81 01 "a" 83 00')
    expect(protocol.nextEvent(true)).toMatchObject({ data: 'a' })
    expect(protocol.nextEvent(true)).toBeNull()
    expect([protocol.endPending, protocol.state]).toEqual([true, 'OPEN'])
    expect(() => protocol.nextEvent()).toThrow('reserved opcode')
    expect([protocol.endPending, protocol.state]).toEqual([false, 'FAILED'])
    expect(protocol.nextEvent()).toBeNull()
  })

  test('P6 nothing more is made of a frame whose violation is kept', () => {
    for (const frame of ['81 01 ff', '81 02 ff61', '82 05 0102030405', '88 01 03', '83 00']) {
      const protocol = new Protocol({ role: 'client', maxMessageSize: 4 })
      protocol.receiveData(bytesOf(frame))
      for (let i = 0; i < 3; i++) {
        expect(protocol.nextEvent(true)).toBeNull()
        expect(protocol.endPending).toBe(true)
      }
      expect(() => protocol.nextEvent()).toThrow(ProtocolError)
    }
  })

  test('P5 bytes behind a kept end are dropped', () => {
    const protocol = client('88 00 81 01 "a"')
    expect(protocol.nextEvent(true)).toBeNull()
    expect(protocol.hasBytes).toBe(false)
    protocol.receiveData(bytesOf('81 01 "b"'))
    expect(protocol.hasBytes).toBe(false)
    expect([...protocol].map(({ type }) => type)).toEqual(['CloseConnection'])
  })

  test('P5 our own Close may go out in front of a kept one', () => {
    const protocol = client('88 02 03e9')
    expect(protocol.nextEvent(true)).toBeNull()
    protocol.send({ type: 'CloseConnection', code: 1000 })
    expect(protocol.state).toBe('LOCAL_CLOSING')
    expect(protocol.nextEvent()).toMatchObject({ code: 1001 })
    expect(protocol.state).toBe('CLOSED')
  })

  test('P19 the end of the transport comes after a kept Close', () => {
    const protocol = client('88 02 03e9')
    expect(protocol.nextEvent(true)).toBeNull()
    protocol.receiveData(null)
    expect(protocol.nextEvent()).toMatchObject({ code: 1001 })
    expect(protocol.nextEvent()).toBeNull()
    expect(protocol.state).toBe('CLOSED')
  })
})

describe('what is refused', () => {
  test('P18 the error says what was sent inside what', () => {
    const text = new Protocol({ role: 'server' })
    text.sendText('a', false)
    expect(() => text.sendBytes(Uint8Array.of(1))).toThrow('Cannot send bytes inside a text message')
    const bytes = new Protocol({ role: 'server' })
    bytes.sendBytes(Uint8Array.of(1), false)
    expect(() => bytes.sendText('a')).toThrow('Cannot send text inside a binary message')
  })

  test('P6 what the local side may not do names the section that forbids it', () => {
    const section = (act: (protocol: Protocol) => unknown, role: Role = 'server'): string => {
      const protocol = new Protocol({ role })
      try {
        act(protocol)
      } catch (error) {
        if (error instanceof LocalProtocolError) return `${error.section}: ${error.message}`
        throw error
      }
      throw new Error('Nothing was thrown')
    }
    const frame = encodeFrame(TEXT, Buffer.from('a'), 0)
    expect(section((protocol) => protocol.send({ type: 'Request' } as never))).toBe(
      'RFC 6455 §4: Cannot send Request after the handshake',
    )
    expect(section((protocol) => protocol.sendEncoded(frame), 'client')).toBe(
      'RFC 6455 §5.1: Cannot send a frame without a mask',
    )
    expect(
      section((protocol) => {
        protocol.sendText('a', false)
        protocol.sendEncoded(frame)
      }),
    ).toBe('RFC 6455 §5.4: Cannot send a message inside another one')
    expect(
      section((protocol) => {
        protocol.sendClose(1000)
        protocol.sendPing(new Uint8Array(0))
      }),
    ).toBe('RFC 6455 §5.5.1: Cannot sendPing in state LOCAL_CLOSING')
  })

  test('P17 the error names the code, the limit, or the type', () => {
    const protocol = new Protocol({ role: 'server' })
    expect(() => protocol.sendClose(1004)).toThrow('Cannot send close code 1004: not 1000–1003, 1007–1014 or 3000–4999')
    expect(() => protocol.sendClose(1000, 'a'.repeat(124))).toThrow(
      'Cannot send a close reason of 124 bytes: the limit is 123',
    )
    expect(() => protocol.sendClose(1005, 'a')).toThrow('Cannot send a close reason without a code')
    expect(() => protocol.sendPing(new Uint8Array(126))).toThrow(
      'Cannot send a control frame of 126 bytes: the limit is 125',
    )
    expect(() => protocol.sendText(5 as never)).toThrow('Cannot send number as text: not a string')
    expect(() => protocol.sendBytes('a' as never)).toThrow('Cannot send string as bytes: not a Uint8Array')
    expect(() => protocol.send({ type: 'Request' } as never)).toThrow('Cannot send Request after the handshake')
    protocol.sendClose(1000)
    expect(() => protocol.sendText('a')).toThrow('Cannot sendMessage in state LOCAL_CLOSING')
  })
})

describe('limits', () => {
  test('S11 the limit on messages can be lifted and restored between frames', () => {
    const protocol = new Protocol({ role: 'client', maxMessageSize: 3 })
    expect(protocol.maxMessageSize).toBe(3)
    protocol.maxMessageSize = 5
    expect([...protocol.receiveData(bytesOf('81 05 "Hello"'))]).toMatchObject([{ data: 'Hello' }])
    protocol.maxMessageSize = 3
    expect(() => [...protocol.receiveData(bytesOf('81 05 "Hello"'))]).toThrow('maxMessageSize')
  })

  test('S11 a message is 1 MiB and 131,072 fragments at most by default', () => {
    expect(new Protocol({ role: 'client' }).maxMessageSize).toBe(1_048_576)
    const protocol = client(`02 00 ${'0000'.repeat(131_071)}`)
    expect([...protocol]).toHaveLength(131_072)
    expect(() => [...protocol.receiveData(bytesOf('80 00'))]).toThrow('maxFragments')
  })

  test('S11 a limit that is lowered inside a message holds for the rest of it', () => {
    const protocol = client('01 04 "abcd"')
    expect([...protocol]).toHaveLength(1)
    protocol.maxMessageSize = 5
    expect(() => [...protocol.receiveData(bytesOf('80 02'))]).toThrow('maxMessageSize')
  })

  test('S11 a limit that is lowered inside a frame holds for its next piece', () => {
    const protocol = client('82 06 0102')
    expect([...protocol]).toHaveLength(1)
    protocol.maxMessageSize = 4
    expect([...protocol.receiveData(bytesOf('0304'))]).toHaveLength(1)
    expect(() => [...protocol.receiveData(bytesOf('05'))]).toThrow('maxMessageSize')
  })
})

describe('frames for many connections', () => {
  test.each([0, 5, 125, 126, LARGE_PAYLOAD - 4, LARGE_PAYLOAD, 300_000])(
    'P18 a frame of %d bytes is written as it is',
    (size) => {
      const payload = new Uint8Array(size).fill(7)
      const frame = encodeFrame(BINARY, payload, 0)
      const wanted = hexOf(new Protocol({ role: 'server' }).send({ type: 'BytesMessage', data: payload }))
      const encoded = bytesIn(frame)
      expect(hexOf(encoded)).toBe(wanted)
      const protocol = new Protocol({ role: 'server' })
      protocol.sendText('before')
      protocol.sendEncoded(frame)
      protocol.sendEncoded(frame)
      protocol.sendText('after')
      expect(protocol.output.pending).toBe(8 + 7 + 2 * encoded.length)
      expect(hexOf(join(protocol.output.take()))).toBe(
        hexOf(join([bytesOf('81 06 "before"'), encoded, encoded, bytesOf('81 05 "after"')])),
      )
      expect(protocol.output.pending).toBe(0)
    },
  )

  test('P18 text and flags are encoded too', () => {
    expect(hexOf(bytesIn(encodeFrame(TEXT, Buffer.from('é'), 0x40)))).toBe('c102c3a9')
    expect(hexOf(bytesIn(encodeFrame(BINARY, Uint8Array.of(9), 0)))).toBe('820109')
  })

  test('P18 frames that were published in a row leave as one piece', () => {
    const frames = ['a', 'b', 'c'].map((text) => encodeFrame(TEXT, Buffer.from(text), 0))
    const protocol = new Protocol({ role: 'server' })
    for (const frame of frames) protocol.sendEncoded(frame)
    const pieces = protocol.output.take()
    expect(pieces).toHaveLength(1)
    expect(hexOf(join(pieces))).toBe(hexOf(join(frames.map(bytesIn))))
    protocol.sendEncoded(frames[2] as EncodedFrame)
    protocol.sendEncoded(frames[0] as EncodedFrame)
    expect(hexOf(join(protocol.output.take()))).toBe('810163810161')
  })

  test('P18 a message is encoded for all that send the same bytes, as one of them sends it', () => {
    const server = new Protocol({ role: 'server' })
    expect(hexOf(bytesIn(server.encodeMessage('é')))).toBe('8102c3a9')
    expect(hexOf(bytesIn(server.encodeMessage(Uint8Array.of(9))))).toBe('820109')
    expect(server.output.pending).toBe(0)
    server.sendText('a', false)
    expect(() => server.encodeMessage('b')).toThrow('Cannot send a message inside another one')
  })

  test('P18 who sends the same bytes has the same key: servers, by the keys of their extensions', () => {
    const keyed = (outboundKey: string | undefined, enabled = true): Extension => ({
      ...marker([], 'x'),
      enabled,
      outboundKey,
    })
    const keyOf = (role: Role, ...extensions: Extension[]): string | undefined =>
      new Protocol({ role, extensions }).outboundKey
    expect(keyOf('server')).toBe('')
    expect(keyOf('client')).toBeUndefined()
    expect(keyOf('server', keyed('a'))).toBe('a')
    expect(keyOf('client', keyed('a'))).toBeUndefined()
    expect(keyOf('server', keyed('a'), keyed('b'))).toBe('a, b')
    expect(keyOf('server', keyed('a'), keyed(undefined))).toBeUndefined()
    expect(keyOf('server', keyed('a'), keyed(undefined, false))).toBe('a')
  })

  test('P18 many published frames keep their bytes', () => {
    const texts = Array.from({ length: 4_000 }, (_, i) => String(i).repeat(30))
    const frames = texts.map((text) => encodeFrame(TEXT, Buffer.from(text), 0))
    for (const [i, text] of texts.entries())
      expect(hexOf(rawFrames(bytesIn(frames[i] as EncodedFrame))[0]?.payload ?? new Uint8Array())).toBe(
        hexOf(bytesOf(`"${text}"`)),
      )
  })

  test('P18 none is sent inside a message, by a client, or after a Close', () => {
    const frame = encodeFrame(TEXT, Buffer.from('a'), 0)
    const open = new Protocol({ role: 'server' })
    open.sendText('b', false)
    expect(() => open.sendEncoded(frame)).toThrow('inside another')
    expect(() => new Protocol({ role: 'client' }).sendEncoded(frame)).toThrow('without a mask')
    const closing = new Protocol({ role: 'server' })
    closing.sendClose(1000)
    expect(() => closing.sendEncoded(frame)).toThrow('LOCAL_CLOSING')
    for (const protocol of [open, closing]) expect(protocol.output.pending).toBeLessThan(5)
  })
})

describe('what is taken', () => {
  test('P18 a batch of small frames is one range', () => {
    const protocol = new Protocol({ role: 'server' })
    expect(protocol.output.takeRange()).toHaveLength(0)
    protocol.sendText('a')
    protocol.sendBytes(Uint8Array.of(1))
    expect(protocol.output.pending).toBe(6)
    expect(hexOf(protocol.output.takeRange() ?? new Uint8Array())).toBe('810161820101')
    expect(protocol.output.pending).toBe(0)
    expect(protocol.output.take()).toEqual([])
  })

  test('P18 a large payload of a server is passed on where it lies', () => {
    const protocol = new Protocol({ role: 'server' })
    const data = new Uint8Array(LARGE_PAYLOAD)
    protocol.sendText('a')
    protocol.sendBytes(data)
    expect(protocol.output.takeRange()).toBeUndefined()
    const pieces = protocol.output.take()
    expect(pieces).toHaveLength(2)
    expect(pieces[1]).toBe(data)
  })

  test('P18 a lone published frame that is large leaves from where it lies', () => {
    const protocol = new Protocol({ role: 'server' })
    const frame = encodeFrame(BINARY, new Uint8Array(LARGE_PAYLOAD), 0)
    protocol.sendEncoded(frame)
    const range = protocol.output.takeRange()
    expect(range?.length).toBe(LARGE_PAYLOAD + 10)
    expect(range?.buffer).toBe(frame.memory.buffer)
    expect(protocol.output.take()).toEqual([])
  })

  test('P18 text of three octets for each character has room, also where the shared memory ends', () => {
    for (const role of ['server', 'client'] as const) {
      const protocol = new Protocol({ role })
      const texts = Array.from({ length: 40 }, (_, i) => '€'.repeat(20_000 - (i % 3)))
      for (const text of texts) protocol.sendText(text)
      const frames = rawFrames(join(protocol.output.take()))
      expect(frames.map(({ payload }) => new TextDecoder().decode(payload))).toEqual(texts)
    }
  })

  test('P18 a large text in the middle of a message is a continuation', () => {
    const protocol = new Protocol({ role: 'server' })
    protocol.sendText('a', false)
    protocol.sendText('b'.repeat(100_000), false)
    protocol.sendText('', true)
    expect(rawFrames(join(protocol.output.take())).map(({ opcode, fin }) => [opcode, fin])).toEqual([
      [TEXT, false],
      [0, false],
      [0, true],
    ])
  })

  test('P18 every octet of a length is written, over what stood there before', () => {
    for (const role of ['server', 'client'] as const) {
      const protocol = new Protocol({ role })
      protocol.sendBytes(new Uint8Array(1_000).fill(0xff))
      giveBack(protocol.output.takeRange() as Uint8Array)
      for (const length of [126, 65_535, 65_536, 100_000]) {
        protocol.sendBytes(new Uint8Array(length))
        const wire = join(protocol.output.take())
        expect(rawFrames(wire).map(({ payload }) => payload.length)).toEqual([length])
      }
    }
  })

  test('P18 lengths of more than 16 MiB are written in all of their octets', () => {
    for (const length of [0x1020304, 0x8000_0001]) {
      const protocol = new Protocol({ role: 'server' })
      // Never touched, so it takes no memory.
      protocol.sendBytes(new Uint8Array(length))
      expect(hexOf(protocol.output.take()[0] as Uint8Array)).toBe(`827f${length.toString(16).padStart(16, '0')}`)
    }
  })

  test('P18 two connections that write by turns keep their own bytes', () => {
    const [a, b] = [new Protocol({ role: 'server' }), new Protocol({ role: 'server' })]
    for (const text of ['1', '2', '3']) {
      a.sendText(`a${text}`)
      b.sendText(`b${text}`)
    }
    const textsOf = (protocol: Protocol): string[] =>
      rawFrames(join(protocol.output.take())).map(({ payload }) => new TextDecoder().decode(payload))
    expect(textsOf(a)).toEqual(['a1', 'a2', 'a3'])
    expect(textsOf(b)).toEqual(['b1', 'b2', 'b3'])
  })

  test('P18 memory that was given back is written again, and only when nobody wrote behind it', () => {
    const [a, b] = [new Protocol({ role: 'server' }), new Protocol({ role: 'server' })]
    const take = (protocol: Protocol, text: string): Uint8Array => {
      protocol.sendText(text)
      return protocol.output.takeRange() as Uint8Array
    }
    const first = take(a, 'first')
    giveBack(first)
    const second = take(a, 'again')
    expect(second.byteOffset).toBe(first.byteOffset)
    expect(hexOf(first)).toBe(hexOf(second))
    const kept = take(b, 'other')
    giveBack(second)
    const third = take(a, 'third')
    expect(third.byteOffset).toBe(kept.byteOffset + kept.length)
    expect(hexOf(kept)).toBe(hexOf(bytesOf('81 05 "other"')))
    giveBack(Uint8Array.from(third))
    expect(take(a, 'x').byteOffset).toBe(third.byteOffset + third.length)
  })

  test('P18 memory that was given back is not written again while a frame behind it waits to be sent', () => {
    const [a, b] = [new Protocol({ role: 'server' }), new Protocol({ role: 'server' })]
    a.sendText('first')
    const first = a.output.takeRange() as Uint8Array
    b.sendText('other')
    giveBack(first)
    a.sendText('longer than the first')
    expect(hexOf(b.output.takeRange() as Uint8Array)).toBe(hexOf(bytesOf('81 05 "other"')))
  })

  test('P18 frames around a large payload give their memory back as well', () => {
    const protocol = new Protocol({ role: 'server' })
    protocol.sendText('a')
    protocol.sendBytes(new Uint8Array(LARGE_PAYLOAD))
    protocol.sendText('c')
    const pieces = protocol.output.take()
    expect(pieces).toHaveLength(3)
    for (const piece of pieces.toReversed()) giveBack(piece)
    protocol.sendText('next')
    expect(protocol.output.takeRange()?.byteOffset).toBe(pieces[0]?.byteOffset as number)
  })

  test('P18 a published frame gives back nothing, wherever it ends', () => {
    const [a, b] = [new Protocol({ role: 'server' }), new Protocol({ role: 'server' })]
    const written = (bytes: number): number => {
      b.sendBytes(new Uint8Array(bytes))
      const { byteOffset, length } = b.output.takeRange() as Uint8Array
      return byteOffset + length
    }
    let published = encodeFrame(BINARY, new Uint8Array(50_000), 0)
    while (published.start > 0) published = encodeFrame(BINARY, new Uint8Array(50_000), 0)
    let end = written(20_000)
    while (end < 60_000 || end > 100_000) end = written(20_000)
    const frame = encodeFrame(BINARY, new Uint8Array(end - published.end - 4), 0)
    expect(frame.end).toBe(end)
    a.sendEncoded(frame)
    giveBack(a.output.takeRange() as Uint8Array)
    b.sendText('next')
    expect(b.output.takeRange()?.byteOffset).toBe(end)
  })

  test('P18 frames that lie between those of others leave as one range, in order, unless they are much', () => {
    const [a, b] = [new Protocol({ role: 'server' }), new Protocol({ role: 'server' })]
    const alternate = (size: number): void => {
      for (const letter of ['x', 'y', 'z']) {
        a.sendText(letter.repeat(size))
        b.sendText(letter)
      }
    }
    alternate(2)
    expect(hexOf(a.output.takeRange() as Uint8Array)).toBe('810278788102797981027a7a')
    expect(a.output.pending).toBe(0)
    const range = b.output.takeRange() as Uint8Array
    expect(hexOf(range)).toBe('81017881017981017a')
    // What comes next does not lie in it.
    a.sendText('behind')
    expect(hexOf(range)).toBe('81017881017981017a')
    expect(hexOf(a.output.takeRange() as Uint8Array)).toBe(hexOf(bytesOf('81 06 "behind"')))
    // 16,384 bytes in all are copied, one more are not.
    a.sendText('x'.repeat(8_188))
    b.sendText('x')
    a.sendText('x'.repeat(8_188))
    expect(a.output.takeRange()).toHaveLength(16_384)
    a.sendText('x'.repeat(8_188))
    b.sendText('x')
    a.sendText('x'.repeat(8_189))
    expect(a.output.takeRange()).toBeUndefined()
    expect(a.output.take().map(({ length }) => length)).toEqual([8_192, 8_193])
  })

  test('P18 frames of several connections that share memory to its end leave whole', () => {
    const connections = Array.from({ length: 3 }, () => new Protocol({ role: 'server' }))
    for (let round = 0; round < 60; round++) {
      const texts = connections.map((_, i) => `${round} ${i} `.repeat(300))
      for (const half of [0, 1]) connections.forEach((each, i) => void each.sendText(`${half}${texts[i]}`))
      const taken = connections.map((each) => each.output.takeRange() as Uint8Array)
      taken.forEach((bytes, i) => {
        const sent = rawFrames(bytes).map(({ payload }) => new TextDecoder().decode(payload))
        expect(sent).toEqual([`0${texts[i]}`, `1${texts[i]}`])
      })
    }
  })

  test('P18 the memory of a large text that was given back is that of the next one', () => {
    const protocol = new Protocol({ role: 'server' })
    const take = (text: string): Uint8Array => {
      protocol.sendText(text)
      return protocol.output.take()[0] as Uint8Array
    }
    const first = take('a'.repeat(LARGE_PAYLOAD))
    const second = take('b'.repeat(LARGE_PAYLOAD))
    expect(second.buffer).not.toBe(first.buffer)
    giveBack(first)
    expect(take('c'.repeat(LARGE_PAYLOAD)).buffer).toBe(first.buffer)
    expect(rawFrames(second)[0]?.payload[LARGE_PAYLOAD - 1]).toBe(0x62)
  })

  test('P18 the shared memory is left when it is full, and nothing is lost', () => {
    for (const role of ['server', 'client'] as const) {
      const protocol = new Protocol({ role })
      const texts = Array.from({ length: 300 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(1_000 + i))
      for (const text of texts) protocol.sendText(text)
      const pieces = protocol.output.take()
      expect(pieces.length).toBeGreaterThan(1)
      expect(rawFrames(join(pieces)).map(({ payload }) => new TextDecoder().decode(payload))).toEqual(texts)
    }
  })
})

describe('joining parts', () => {
  const part = (data: string, messageFinished = false): ProtocolEvent & { type: 'TextMessage' } => ({
    type: 'TextMessage',
    data,
    frameFinished: true,
    messageFinished,
  })
  const piece = (notation: string, messageFinished = false): ProtocolEvent & { type: 'BytesMessage' } => ({
    type: 'BytesMessage',
    data: bytesOf(notation),
    frameFinished: true,
    messageFinished,
  })

  /** The sizes of the blocks of memory that are taken while `act` runs. */
  function setAside(act: () => unknown): number[] {
    const spy = spyOn(Buffer, 'allocUnsafeSlow')
    try {
      act()
      return spy.mock.calls.map(([size]) => size)
    } finally {
      spy.mockRestore()
    }
  }

  test('P15 what has been joined so far can be taken out', () => {
    const assembler = new MessageAssembler()
    assembler.push(part('ab'))
    assembler.push(part('cd'))
    expect([assembler.open, assembler.size]).toEqual([true, 4])
    expect(assembler.take()).toBe('abcd')
    expect([assembler.open, assembler.size]).toEqual([false, 0])
    assembler.push(piece('01*1500'))
    assembler.push(piece('02*1500'))
    expect(hexOf(assembler.take() as Uint8Array)).toBe(hexOf(bytesOf('01*1500 02*1500')))
    expect(assembler.push(part('ef', true))).toBe('ef')
    assembler.push(part(''))
    expect(assembler.take()).toBe('')
  })

  test('P15 the limit counts every part', () => {
    const assembler = new MessageAssembler(4)
    assembler.push(part('abc'))
    expect(assembler.push(part('d', true))).toBe('abcd')
    assembler.push(piece('010203'))
    expect(() => assembler.push(piece('0405'))).toThrow('maxMessageSize')
    expect(() => new MessageAssembler(4).push(part('abcde', true))).toThrow('maxMessageSize')
  })

  test('P15 a message of many tiny parts is joined, and holds little more than itself', () => {
    const assembler = new MessageAssembler()
    const blocks = setAside(() => {
      for (let i = 0; i < 99_999; i++) assembler.push(piece('07'))
    })
    const joined = assembler.push(piece('07', true)) as Uint8Array
    expect([joined.length, joined.buffer.byteLength]).toEqual([100_000, 100_000])
    expect(joined.every((byte) => byte === 7)).toBe(true)
    expect(blocks.length).toBeLessThan(20)
    expect(blocks.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * 100_000)
  })

  test('P15 a message of one frame in pieces is set aside once, at its size', () => {
    const assembler = new MessageAssembler()
    assembler.push(piece('01*10'), 20)
    assembler.push(piece('02*15'), 5)
    const joined = assembler.push(piece('03*5', true), 0) as Uint8Array
    expect(hexOf(joined)).toBe(hexOf(bytesOf('01*10 02*15 03*5')))
    expect(joined.buffer.byteLength).toBe(30)
  })

  test('P15 parts that fill one block and begin the next are joined, message after message', () => {
    const assembler = new MessageAssembler()
    const joinParts = (...parts: readonly (readonly [notation: string, expected: number])[]): string => {
      let joined: string | Uint8Array | null = null
      for (const [i, [notation, expected]] of parts.entries())
        joined = assembler.push(piece(notation, i === parts.length - 1), expected)
      return hexOf(joined as Uint8Array)
    }
    const plainHex = (...notations: string[]): string => hexOf(join(notations.map(bytesOf)))
    for (let round = 0; round < 2; round++) {
      // The second part does not fit into what is left of the first block.
      expect(joinParts(['01*10', 0], ['02*2000', 0], ['03*3000', 0])).toBe(plainHex('01*10', '02*2000', '03*3000'))
      // The last block is filled to its end, behind others.
      expect(joinParts(['01*1500', 0], ['02*1500', 10], ['03*10', 0])).toBe(plainHex('01*1500', '02*1500', '03*10'))
      expect(joinParts(['01*1024', 0], ['02', 1023], ['03*1023', 0], ['04*7', 0])).toBe(
        plainHex('01*1024', '02', '03*1023', '04*7'),
      )
      expect(joinParts(['05', 2], ['06', 1], ['07', 0])).toBe('050607')
    }
  })

  test('P15 a message over 1 MiB goes into several blocks', () => {
    const assembler = new MessageAssembler()
    const parts = Array.from({ length: 5 }, (_, i) => new Uint8Array(600_000).fill(i + 1))
    let joined: string | Uint8Array | null = null
    for (const [i, data] of parts.entries()) {
      const messageFinished = i === parts.length - 1
      const event = { type: 'BytesMessage', data, frameFinished: messageFinished, messageFinished } as const
      joined = assembler.push(event, 600_000 * (parts.length - 1 - i))
    }
    expect(Buffer.compare(joined as Uint8Array, join(parts))).toBe(0)
  })

  test('P15 an announced size is believed up to 1 MiB', () => {
    expect(setAside(() => new MessageAssembler().push(piece('01'), 2 ** 40))).toEqual([2 ** 20])
    expect(setAside(() => new MessageAssembler().push(piece('01'), 2 ** 20 - 1))).toEqual([2 ** 20])
    const assembler = new MessageAssembler()
    expect(setAside(() => assembler.push(piece('01'), 3))).toEqual([4])
    expect(hexOf(assembler.push(piece('020304', true)) as Uint8Array)).toBe('01020304')
  })
})

describe('errors', () => {
  test('P6 every violation has a row in the table of vectors, or belongs to an extension', () => {
    const proved = new Set(VECTORS.map(({ fails }) => fails))
    const missing = (Object.keys(VIOLATIONS) as Violation[]).filter((name) => !proved.has(name))
    expect(missing).toEqual(['EXTENSION_REFUSED'])
  })

  test('P6 the table of violations, row by row', () => {
    expect(VIOLATIONS).toEqual({
      RESERVED_OPCODE: [1002, 'RFC 6455 §5.2', 'used a reserved opcode'],
      FRAGMENTED_CONTROL: [1002, 'RFC 6455 §5.5', 'fragmented a control frame'],
      CONTROL_TOO_LONG: [1002, 'RFC 6455 §5.5', 'sent a control frame of more than 125 bytes'],
      LENGTH_NOT_MINIMAL: [1002, 'RFC 6455 §5.2', 'used more length bytes than needed'],
      LENGTH_SIGN_BIT: [1002, 'RFC 6455 §5.2', 'set the most significant bit of a 64-bit length'],
      RESERVED_BIT: [1002, 'RFC 6455 §5.2', 'set a reserved bit that no extension defines'],
      UNMASKED_FRAME: [1002, 'RFC 6455 §5.1', 'sent an unmasked frame to a server'],
      MASKED_FRAME: [1002, 'RFC 6455 §5.1', 'sent a masked frame to a client'],
      UNEXPECTED_CONTINUATION: [1002, 'RFC 6455 §5.4', 'continued a message that was not started'],
      EXPECTED_CONTINUATION: [1002, 'RFC 6455 §5.4', 'started a message inside another one'],
      CLOSE_PAYLOAD_TOO_SHORT: [1002, 'RFC 6455 §5.5.1', 'sent a Close with a payload of one byte'],
      CLOSE_CODE_INVALID: [1002, 'RFC 6455 §7.4', 'sent a Close code that may not be sent'],
      CLOSE_REASON_NOT_UTF8: [1007, 'RFC 6455 §5.5.1', 'sent a Close reason that is not UTF-8'],
      TEXT_NOT_UTF8: [1007, 'RFC 6455 §8.1', 'sent text that is not UTF-8'],
      MESSAGE_TOO_BIG: [1009, 'RFC 6455 §7.4.1', 'sent a message over maxMessageSize'],
      TOO_MANY_FRAGMENTS: [1008, 'RFC 6455 §10.4', 'sent a message of more than maxFragments fragments'],
      DEFLATE_DATA_INVALID: [1007, 'RFC 7692 §7.2.2', 'sent a compressed message that does not inflate'],
      COMPRESSED_CONTROL: [1002, 'RFC 7692 §6.1', 'set RSV1 on a control frame'],
      COMPRESSED_CONTINUATION: [1002, 'RFC 7692 §6.1', 'set RSV1 on a continuation frame'],
      EXTENSION_REFUSED: [1002, 'RFC 6455 §9', 'sent what a negotiated extension refuses'],
    })
  })

  test('P6 every violation names its close code and its section, and fits into a Close', () => {
    for (const [name, [closeCode, section]] of Object.entries(VIOLATIONS)) {
      const error = violation(name as Violation)
      expect(error).toBeInstanceOf(ProtocolError)
      expect([error.name, error.violation, error.closeCode, error.section]).toEqual([
        'ProtocolError',
        name,
        closeCode,
        section,
      ])
      const protocol = new Protocol({ role: 'server' })
      const [frame] = rawFrames(protocol.send(error.eventHint))
      expect(hexOf(frame?.payload ?? new Uint8Array())).toBe(
        hexOf(join([Uint8Array.of(closeCode >> 8, closeCode & 0xff), bytesOf(`"${error.message}"`)])),
      )
    }
  })

  test('P6 a violation may be detailed', () => {
    expect(violation('CLOSE_CODE_INVALID', ' 1004').message).toBe('Peer sent a Close code that may not be sent 1004')
    expect(() => [...client('88 02 03ec')]).toThrow('may not be sent 1004')
    expect(() => [...client('8b 00')]).toThrow('reserved opcode 0xb')
  })

  test('S19 ConnectionClosed says how it ended, and whose it was', () => {
    const connection = {}
    const error = new ConnectionClosed({ code: 1001, reason: 'bye', wasClean: true, initiator: 'remote' }, connection)
    expect([error.code, error.reason, error.wasClean, error.initiator]).toEqual([1001, 'bye', true, 'remote'])
    expect(error.message).toBe('Connection closed: 1001 "bye"')
    expect(error.connection).toBe(connection)
    const bare = new ConnectionClosed({ code: 1006, reason: '', wasClean: false, initiator: 'transport' })
    expect(bare.message).toBe('Connection closed: 1006')
    expect(bare.connection).toBeUndefined()
  })

  test('P4 the answer to a Ping is a Pong with its payload, to a Close the same Close', () => {
    expect(response({ type: 'Ping', payload: Uint8Array.of(1) })).toEqual({ type: 'Pong', payload: Uint8Array.of(1) })
    const close = { type: 'CloseConnection', code: 1000, reason: 'r' } as const
    expect(response(close)).toEqual(close)
  })
})

describe('extensions', () => {
  test('P11 inbound hooks run in the order of the list, outbound in reverse', () => {
    const calls: string[] = []
    const protocol = new Protocol({
      role: 'client',
      extensions: [marker(calls, 'x'), marker(calls, 'y')],
      maxMessageSize: 99,
    })
    expect([...protocol.receiveData(bytesOf('a2 02 0102'))]).toEqual([
      // What `x` adds at the end goes through `y`.
      { type: 'BytesMessage', data: Uint8Array.of(3, 4, 0x79, 0x79), frameFinished: true, messageFinished: true },
    ])
    expect(calls).toEqual([
      'x start client 99',
      'y start client 99',
      'x header 2 true 32 2',
      'y header 2 true 32 2',
      'x payload 0102',
      'y payload 0203',
      'x complete true',
      'y payload 78',
      'y complete true',
    ])
    calls.length = 0
    const [frame] = rawFrames(protocol.send({ type: 'BytesMessage', data: Uint8Array.of(9), compress: true }))
    expect([frame?.rsv, hexOf(frame?.payload ?? new Uint8Array())]).toEqual([0x20, '07'])
    expect(calls).toEqual(['y outbound 09 true true', 'x outbound 08 true true'])
  })

  test('P11 a lone extension is asked for text and bytes alike, with the choice of the sender', () => {
    const calls: string[] = []
    const protocol = new Protocol({ role: 'server', extensions: [marker(calls, 'x')] })
    calls.length = 0
    expect(hexOf(protocol.send({ type: 'TextMessage', data: 'b' }))).toBe('a10161')
    expect(hexOf(protocol.send({ type: 'BytesMessage', data: Uint8Array.of(9), compress: false }))).toBe('a20108')
    expect(calls).toEqual(['x outbound 62 true undefined', 'x outbound 09 true false'])
    calls.length = 0
    expect(hexOf(bytesIn(protocol.encodeMessage('b')))).toBe('a10161')
    expect(hexOf(bytesIn(protocol.encodeMessage(Uint8Array.of(9), true)))).toBe('a20108')
    expect(calls).toEqual(['x outbound 62 true undefined', 'x outbound 09 true true'])
  })

  test('P11 what one extension adds at the end follows the payload, and may be refused by the next', () => {
    const alone = new Protocol({ role: 'client', extensions: [marker([], 'x')] })
    expect([...alone.receiveData(bytesOf('82 02 0102'))]).toMatchObject([{ data: Uint8Array.of(2, 3, 0x78) }])
    expect([...alone.receiveData(bytesOf('81 02 "ab"'))]).toMatchObject([{ data: 'bcx' }])
    const picky: Extension = {
      ...marker([], 'y'),
      inboundPayload: (data) => (data[0] === 0x78 ? 'EXTENSION_REFUSED' : data),
    }
    const protocol = new Protocol({ role: 'client', extensions: [marker([], 'x'), picky] })
    expect(() => [...protocol.receiveData(bytesOf('82 01 01'))]).toThrow('a negotiated extension refuses')
  })

  test('P11 parts that an extension made tell whether their frame ended', () => {
    for (const [first, data] of [
      ['21', (bytes: string) => String.fromCharCode(...bytesOf(bytes))],
      ['22', bytesOf],
    ] as const) {
      const protocol = new Protocol({ role: 'client', extensions: [marker([], 'x')] })
      const parts = ['03 6162', '63', '80 01 64'].flatMap((more, i) => [
        ...protocol.receiveData(bytesOf(i === 0 ? `${first} ${more}` : more)),
      ])
      expect(parts).toMatchObject([
        { data: data('6263'), frameFinished: false, messageFinished: false },
        { data: data('64'), frameFinished: true, messageFinished: false },
        { data: data('6578'), frameFinished: true, messageFinished: true },
      ])
    }
  })

  test('P11 S11 a message that nobody transforms is limited on its header, behind one that was transformed as well', () => {
    const protocol = new Protocol({ role: 'client', extensions: [marker([], 'x')], maxMessageSize: 4 })
    expect([...protocol.receiveData(bytesOf('a2 01 01'))]).toHaveLength(1)
    expect(() => [...protocol.receiveData(bytesOf('82 05'))]).toThrow('maxMessageSize')
  })

  test('P11 a violation that a hook returns fails the connection', () => {
    for (const [refuse, frame] of [
      [{ header: true }, '82 01'],
      [{ payload: true }, '82 02 01'],
      [{ complete: true }, '82 01 01'],
    ] as const) {
      const calls: string[] = []
      const protocol = new Protocol({ role: 'client', extensions: [marker(calls, 'x', refuse)] })
      expect(() => [...protocol.receiveData(bytesOf(frame))]).toThrow('a negotiated extension refuses')
      expect(protocol.state).toBe('FAILED')
      expect(calls.at(-1)).toBe('x dispose')
    }
  })

  test('P11 control frames pass by the payload hooks, and a bit that is not owned fails them', () => {
    const calls: string[] = []
    const protocol = new Protocol({ role: 'client', extensions: [marker(calls, 'x')] })
    expect([...protocol.receiveData(bytesOf('89 01 05'))]).toEqual([{ type: 'Ping', payload: Uint8Array.of(5) }])
    expect(calls).toEqual(['x start client 1048576', 'x header 9 true 0 1'])
    expect(hexOf(rawFrames(protocol.send({ type: 'Pong' }))[0]?.unmasked ?? new Uint8Array())).toBe('8a00')
    expect(() => [...protocol.receiveData(bytesOf('c2 00'))]).toThrow('reserved bit')
  })

  test('P11 an extension that was not negotiated is never called', () => {
    const calls: string[] = []
    const off = { ...marker(calls, 'x'), enabled: false }
    const protocol = new Protocol({ role: 'client', extensions: [off] })
    expect([...protocol.receiveData(bytesOf('82 01 01'))]).toHaveLength(1)
    expect(protocol.extensions).toEqual([])
    expect(calls).toEqual([])
  })

  test('P11 extensions let go when the connection has closed', () => {
    const calls: string[] = []
    const protocol = new Protocol({ role: 'server', extensions: [marker(calls, 'x')] })
    protocol.receiveData(mask(bytesOf('88 00')))
    expect([...protocol]).toHaveLength(1)
    expect(calls.at(-1)).toBe('x dispose')
  })

  test('P11 P19 and when the transport ends inside a message, of which nothing is held any more', () => {
    const calls: string[] = []
    const protocol = new Protocol({ role: 'client', extensions: [marker(calls, 'x')] })
    protocol.receiveData(bytesOf('21 03 "ab"'))
    expect(protocol.nextEvent(false, true)).toBeNull()
    expect(protocol.joinedSize).toBe(2)
    protocol.receiveData(null)
    expect(protocol.nextEvent()).toMatchObject({ code: 1006 })
    expect(calls.at(-1)).toBe('x dispose')
    expect(protocol.joinedSize).toBe(0)
  })
})

/** Owns RSV2 of frames, and adds a byte at the end of each frame and takes it off again. */
function marker(
  calls: string[],
  name: string,
  refuse: Partial<Record<'header' | 'payload' | 'complete', true>> = {},
): Extension {
  return {
    name,
    rsv: 0x20,
    enabled: true,
    offer: () => [],
    accept: () => null,
    finalize: () => false,
    start: (role: Role, maxMessageSize: number) => void calls.push(`${name} start ${role} ${maxMessageSize}`),
    inboundHeader: ({ opcode, fin, rsv, length }) => {
      calls.push(`${name} header ${opcode} ${fin} ${rsv} ${length}`)
      return refuse.header ? 'EXTENSION_REFUSED' : rsv & 0x20
    },
    inboundPayload: (data) => {
      calls.push(`${name} payload ${hexOf(data)}`)
      return refuse.payload ? 'EXTENSION_REFUSED' : data.map((byte) => byte + 1)
    },
    inboundComplete: (fin) => {
      calls.push(`${name} complete ${fin}`)
      return refuse.complete ? 'EXTENSION_REFUSED' : fin ? Uint8Array.of(name.charCodeAt(0)) : new Uint8Array(0)
    },
    outbound: (_opcode, payload, fin, compress) => {
      calls.push(`${name} outbound ${hexOf(payload)} ${fin} ${compress}`)
      return { rsv: 0x20, payload: payload.map((byte) => byte - 1) }
    },
    dispose: () => void calls.push(`${name} dispose`),
  }
}

describe('a connection that ends for reasons of its own', () => {
  test('P5 drop lets go of what is here, of an end that waits, and of what comes', () => {
    const protocol = client('81 01 "a" 88 00')
    expect(protocol.nextEvent(true)).toMatchObject({ data: 'a' })
    expect(protocol.nextEvent(true)).toBeNull()
    expect(protocol.endPending).toBe(true)
    protocol.drop()
    expect([protocol.endPending, protocol.state, protocol.nextEvent()]).toEqual([false, 'CLOSED', null])
    const unread = client('81 01 "a" 81 01 "b"')
    unread.drop()
    expect([unread.hasBytes, unread.nextEvent()]).toEqual([false, null])
    unread.receiveData(bytesOf('81 01 "c"'))
    expect([unread.hasBytes, unread.nextEvent()]).toEqual([false, null])
  })

  test('P5 drop lets go of a message that is being joined', () => {
    const protocol = client('01 03 "abc"')
    expect(protocol.nextEvent(false, true)).toBeNull()
    expect(protocol.joinedSize).toBe(3)
    protocol.drop()
    expect(protocol.joinedSize).toBe(0)
  })

  test('P5 drop leaves the answer to a Close that was received', () => {
    const protocol = client('88 00')
    expect(protocol.nextEvent()).toMatchObject({ type: 'CloseConnection' })
    protocol.drop()
    expect(protocol.state).toBe('REMOTE_CLOSING')
    protocol.sendClose(1000)
    expect(protocol.state).toBe('CLOSED')
  })
})
