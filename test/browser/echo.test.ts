/**
 * Chromium's own WebSocket against our server on every runtime: messages both ways, in the clear and over TLS. Not on the
 * hosted servers, where framing and TLS are the host's.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { startServer, startSubject } from '../subject/start.ts'
import { executablePath, launch } from './chromium.ts'

const CONTRACT = join(import.meta.dir, '..', 'contract', 'serve-raw.ts')
const MIB = 1024 * 1024
const SIZES = [0, 1, 125, 126, 65_535, 65_536, MIB]

describe.skipIf(executablePath === null)('Chromium', () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(async () => {
    await browser.close()
  })

  describe.each(['node', 'bun', 'deno'] as const)('and %s', (runtime) => {
    test.each([
      ['/echo', [...SIZES, 16 * MIB]],
      ['/echo-deflate', SIZES],
    ])('S4 %s gives back text and binary of every length', async (path, sizes) => {
      await using subject = await startSubject(runtime)
      const page = await browser.newPage()
      // A page of the same origin: no other may connect.
      await page.goto(subject.url)
      const outcome = await page.evaluate(echo, { url: `${subject.wsUrl}${path}`, sizes })
      await page.close()
      expect(outcome.same).toEqual(sizes.map((size) => `${size}: text true, binary true`))
      expect(outcome.extensions.startsWith('permessage-deflate')).toBe(path === '/echo-deflate')
      expect(outcome.close).toEqual({ code: 3000, reason: 'bye', wasClean: true })
    })

    test('S4 S7 over wss text and binary of every length come back, and the close is clean', async () => {
      await using server = await startServer(runtime, CONTRACT, { args: ['https'] })
      expect(server.wsUrl).toStartWith('wss://')
      // The certificate is its own authority, which no browser knows.
      const page = await browser.newPage({ ignoreHTTPSErrors: true })
      await page.goto(server.url)
      const outcome = await page.evaluate(echo, { url: `${server.wsUrl}/echo`, sizes: SIZES })
      await page.close()
      expect(outcome.same).toEqual(SIZES.map((size) => `${size}: text true, binary true`))
      expect(outcome.close).toEqual({ code: 3000, reason: 'bye', wasClean: true })
    })

    test('S4 WebSocketStream: messages both ways through its streams, and its close', async () => {
      await using subject = await startSubject(runtime)
      const page = await browser.newPage()
      await page.goto(subject.url)
      const outcome = await page.evaluate(streamEcho, `${subject.wsUrl}/echo`)
      await page.close()
      expect(outcome).toEqual({ same: 64, close: { closeCode: 3001, reason: 'done' } })
    })
  })
})

interface Task {
  readonly url: string
  readonly sizes: readonly number[]
}

interface Outcome {
  readonly same: readonly string[]
  readonly extensions: string
  readonly close: { readonly code: number; readonly reason: string; readonly wasClean: boolean }
}

/** Runs in the page. */
async function echo({ url, sizes }: Task): Promise<Outcome> {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  const closed = new Promise<CloseEvent>((resolve) => {
    socket.onclose = resolve
  })
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve()
    socket.onerror = () => reject(new Error(`No connection to ${url}`))
  })
  const answerTo = (message: string | Uint8Array<ArrayBuffer>): Promise<unknown> => {
    const answer = new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(data)
      socket.onerror = () => reject(new Error(`The connection broke at ${message.length}`))
    })
    socket.send(message)
    return answer
  }
  const same: string[] = []
  for (const size of sizes) {
    // Nine bytes of UTF-8, in characters of one to four bytes.
    const text = 'a€😀z'.repeat(size / 9) + 'x'.repeat(size % 9)
    const bytes = new Uint8Array(size)
    for (let index = 0; index < size; index++) bytes[index] = index * 31 + (index >> 8)
    const back = await answerTo(bytes)
    const view = back instanceof ArrayBuffer ? new Uint8Array(back) : new Uint8Array(size + 1)
    let isBinarySame = view.length === size
    for (let index = 0; index < size; index++) isBinarySame &&= view[index] === bytes[index]
    same.push(`${size}: text ${(await answerTo(text)) === text}, binary ${isBinarySame}`)
  }
  socket.close(3000, 'bye')
  const { code, reason, wasClean } = await closed
  return { same, extensions: socket.extensions, close: { code, reason, wasClean } }
}

interface StreamOutcome {
  readonly same: number
  readonly close: { readonly closeCode?: number; readonly reason?: string }
}

/** The interface of Chromium that the library of types does not have. */
interface WebSocketStreamLike {
  readonly opened: Promise<{
    readonly readable: ReadableStream<string | Uint8Array>
    readonly writable: WritableStream<string | Uint8Array>
  }>
  readonly closed: Promise<{ readonly closeCode?: number; readonly reason?: string }>
  close(info: { closeCode: number; reason: string }): void
}

/** Runs in the page. Writes ahead of what it reads, so that both sides have to wait. */
async function streamEcho(url: string): Promise<StreamOutcome> {
  const Stream = (globalThis as unknown as { WebSocketStream: new (url: string) => WebSocketStreamLike })
    .WebSocketStream
  const stream = new Stream(url)
  const { readable, writable } = await stream.opened
  const writer = writable.getWriter()
  const reader = readable.getReader()
  const message = (index: number): string => `${index} ${'x'.repeat(100_000)}`
  const writing = (async () => {
    for (let index = 0; index < 64; index++) await writer.write(message(index))
  })()
  let same = 0
  for (let index = 0; index < 64; index++) if ((await reader.read()).value === message(index)) same++
  await writing
  stream.close({ closeCode: 3001, reason: 'done' })
  const { closeCode, reason } = await stream.closed
  return {
    same,
    close: { ...(closeCode === undefined ? {} : { closeCode }), ...(reason === undefined ? {} : { reason }) },
  }
}
