/**
 * The conformance table over TCP: the subject on each runtime is the server under test, raw sockets are its clients.
 *
 * Every row for a server goes out twice, in one write with the whole handshake behind it and in writes that are cut in
 * the middle of each frame. Rows with limits that the subject does not have stay in memory (`vectors.test.ts`).
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { connect, type Socket } from 'node:net'
import { constants, inflateRawSync } from 'node:zlib'
import { VIOLATIONS } from '../../src/codec/errors.ts'
import { type Started, startSubject } from '../subject/start.ts'
import { VECTORS, type Vector } from './vectors.ts'
import { bytesOf, hexOf, join, mask, type RawFrame, rawFrames } from './wire-notation.ts'

const RUNTIMES = ['node', 'bun', 'deno'] as const
const AT_ONCE = 12
const LIMIT = 20_000

const END = mask(bytesOf('88 02 03e8'))

const TAIL = Uint8Array.of(0, 0, 0xff, 0xff)

/** Rows whose outcome hangs on options that the subject does not set, or on takeover, which it does not agree on. */
function applies(vector: Vector): boolean {
  if (vector.role === 'client' || vector.maxMessageSize !== undefined || vector.maxFragments !== undefined) return false
  if (vector.id === 'length-announced-0000000000100001') return false
  if (vector.id === 'pmd-bomb') return false
  return !['pmd-takeover', 'pmd-plain-between', 'pmd-ping-between'].includes(vector.id)
}

/** Whether a message is followed by a failure or a Close that comes with it. */
function breaksOff(vector: Vector): boolean {
  const ends = vector.fails !== undefined || vector.events.at(-1)?.[0] === 'close'
  return ends && vector.events.some(([type]) => type === 'text' || type === 'bytes')
}

const ROWS = VECTORS.filter((vector) => applies(vector) && !breaksOff(vector))
const BROKEN_OFF = VECTORS.filter((vector) => applies(vector) && breaksOff(vector))

function request(vector: Vector): string {
  const path = vector.deflate === undefined ? '/echo' : '/echo-deflate'
  const offer = vector.deflate === undefined ? '' : 'Sec-WebSocket-Extensions: permessage-deflate\r\n'
  return (
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${offer}\r\n`
  )
}

/** What an echo server must do with a row: data it echoes, Pongs, and the code of its Close. */
interface Answer {
  readonly echoes: string[]
  readonly pongs: string[]
  /** Close code; 1005 for a Close without one. */
  close: number
}

function wantedOf(vector: Vector): Answer {
  const answer: Answer = { echoes: [], pongs: [], close: 1000 }
  for (const event of vector.events) {
    if (event[0] === 'text') answer.echoes.push(`text ${hexOf(Buffer.from(event[1]))}`)
    if (event[0] === 'bytes') answer.echoes.push(`bytes ${hexOf(bytesOf(event[1]))}`)
    if (event[0] === 'ping') answer.pongs.push(hexOf(bytesOf(event[1])))
    if (event[0] === 'close') answer.close = event[1]
  }
  if (vector.fails !== undefined) answer.close = VIOLATIONS[vector.fails][0]
  return answer
}

function answerOf(frames: readonly RawFrame[]): Answer {
  const answer: Answer = { echoes: [], pongs: [], close: 0 }
  for (const { opcode, payload, rsv, fin, masked } of frames) {
    if (masked || !fin) throw new Error('A server sent a masked or a fragmented frame')
    const data = rsv === 0x40 ? inflateRawSync(join([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH }) : payload
    if (opcode === 1) answer.echoes.push(`text ${hexOf(data)}`)
    if (opcode === 2) answer.echoes.push(`bytes ${hexOf(data)}`)
    if (opcode === 10) answer.pongs.push(hexOf(data))
    if (opcode === 8) answer.close = payload.length < 2 ? 1005 : Buffer.from(payload).readUInt16BE(0)
  }
  return answer
}

/** The frames, when the bytes do not end inside one. */
function framesIn(bytes: Buffer): RawFrame[] {
  try {
    return rawFrames(bytes)
  } catch {
    return []
  }
}

/** Sends the row and reads until the server ends the connection. */
function converse(port: number, vector: Vector, inPieces: boolean): Promise<Answer> {
  const frames = vector.frames.map((frame) => (vector.literal === true ? bytesOf(frame) : mask(bytesOf(frame))))
  const wanted = wantedOf(vector)
  const ends = vector.fails !== undefined || vector.events.at(-1)?.[0] === 'close'
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    let body = -1
    let sent = !inPieces
    let asked = ends
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`${vector.id}: no end in ${LIMIT} ms; got ${hexOf(received.subarray(Math.max(body, 0)), 80)}`))
    }, LIMIT)
    const settle = (error?: Error): void => {
      clearTimeout(timer)
      socket.destroy()
      if (error !== undefined) reject(new Error(`${vector.id}: ${error.message}`))
      else {
        try {
          resolve(answerOf(rawFrames(received.subarray(body))))
        } catch (thrown) {
          reject(new Error(`${vector.id}: ${(thrown as Error).message}`))
        }
      }
    }
    socket.on('connect', () => {
      if (!inPieces) {
        socket.write(join([Buffer.from(request(vector)), ...frames]))
        return
      }
      socket.write(Buffer.from(request(vector)))
    })
    const sendPieces = async (): Promise<void> => {
      for (const frame of frames) {
        const middle = frame.length >> 1
        for (const piece of [frame.subarray(0, middle), frame.subarray(middle)]) {
          if (piece.length === 0 || socket.destroyed) continue
          socket.write(piece)
          await new Promise(setImmediate)
        }
      }
      sent = true
      askForTheEnd()
    }
    /** Closes once everything that must be answered was, so that no answer is lost to the Close. */
    const askForTheEnd = (): void => {
      if (asked || !sent || body < 0) return
      if (framesIn(received.subarray(body)).length < wanted.echoes.length + wanted.pongs.length) return
      asked = true
      socket.write(END)
    }
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (body < 0) {
        const end = received.indexOf('\r\n\r\n')
        if (end < 0) return
        if (!received.toString('latin1', 0, 12).startsWith('HTTP/1.1 101'))
          settle(new Error(received.toString('latin1', 0, 80)))
        body = end + 4
        if (inPieces) void sendPieces()
      }
      askForTheEnd()
    })
    socket.on('end', () => settle())
    socket.on('error', settle)
  })
}

/** Runs all rows, some at a time. Returns what went wrong. */
async function runAll(port: number, rows: readonly Vector[], inPieces: boolean): Promise<string[]> {
  const wrong: string[] = []
  const queue = [...rows]
  const work = async (): Promise<void> => {
    for (let vector = queue.shift(); vector !== undefined; vector = queue.shift()) {
      try {
        const found = JSON.stringify(await converse(port, vector, inPieces))
        const wanted = JSON.stringify(wantedOf(vector))
        if (found !== wanted) wrong.push(`${vector.id}: wanted ${wanted.slice(0, 200)}, got ${found.slice(0, 200)}`)
      } catch (error) {
        wrong.push((error as Error).message)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return wrong
}

describe.each([...RUNTIMES])('P23 over TCP on %s', (runtime) => {
  let subject: Started
  beforeAll(async () => {
    subject = await startSubject(runtime)
  }, LIMIT)
  afterAll(async () => {
    await subject.stop()
  })

  for (const inPieces of [false, true]) {
    test(`P23 every row ${inPieces ? 'in pieces' : 'in one write with the handshake'}`, async () => {
      expect(await runAll(subject.port, ROWS, inPieces)).toEqual([])
      expect(ROWS.length).toBeGreaterThan(1_000)
      expect(await (await fetch(subject.url)).text()).toBe('ok')
    }, 120_000)
  }

  test('P23 a message is echoed before what follows it in the same packet fails or closes the connection', async () => {
    expect(await runAll(subject.port, BROKEN_OFF, false)).toEqual([])
    expect(BROKEN_OFF.length).toBeGreaterThan(10)
  }, 60_000)
})
