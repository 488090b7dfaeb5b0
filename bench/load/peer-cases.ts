/** Peers that try to take memory: a flood of empty fragments, one that does not read, one that does not stop sending. */
import { Buffer } from 'node:buffer'
import { connect, type Socket } from 'node:net'
import type { BenchServer } from '../server-process.ts'

/** As the list of requirements numbers them: empty fragments; slow reader of 100 MB; slow handler, fast sender. */
export type PeerCase = 'R13' | 'R16' | 'R17'

const PATHS: Readonly<Record<PeerCase, string>> = { R13: '/limits', R16: '/flood', R17: '/slow' }
const EMPTY_FRAGMENTS = 200_000
const FLOOD = 100_000_000
/** Milliseconds. */
const DURATION = 2_000
const SAMPLE = 20

/** Peak of the server's resident memory above that before, and how many bytes it took from the peer. */
export async function attack(server: BenchServer, id: PeerCase): Promise<{ peak: number; sent: number }> {
  // A first connection, so that what is loaded on demand is there.
  const first = await upgraded(server, '/limits')
  first.destroy()
  await Bun.sleep(300)
  const before = server.rss()
  let peak = before
  let ended: unknown
  const sampling = setInterval(() => {
    try {
      peak = Math.max(peak, server.rss())
    } catch (error) {
      ended ??= error
    }
  }, SAMPLE)
  const socket = await upgraded(server, PATHS[id])
  try {
    if (id === 'R16') {
      // A socket that nobody reads: what was received up to here is all it takes.
      socket.pause()
      await Bun.sleep(DURATION)
      return { peak: Math.max(peak, server.rss()) - before, sent: 0 }
    }
    socket.resume()
    const bytes = id === 'R13' ? emptyFragments() : floodOf(FLOOD)
    await Promise.race([written(socket, bytes), Bun.sleep(DURATION)])
    await Bun.sleep(DURATION / 4)
    if (ended !== undefined) throw ended
    return { peak: Math.max(peak, server.rss()) - before, sent: socket.bytesWritten - socket.writableLength }
  } finally {
    clearInterval(sampling)
    socket.destroy()
  }
}

function upgraded(server: BenchServer, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', reject)
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
    let head = ''
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', onData)
      // A server may well reset such a peer.
      socket.off('error', reject).on('error', () => socket.destroy())
      if (head.startsWith('HTTP/1.1 101')) resolve(socket)
      else reject(new Error(head.slice(0, 100)))
    }
    socket.on('data', onData)
  })
}

/** The first fragment of a text and 200,000 continuations, all empty, none the last. */
function emptyFragments(): Buffer[] {
  const continuation = Buffer.from([0x00, 0x80, 1, 2, 3, 4])
  const first = Buffer.from([0x01, 0x80, 1, 2, 3, 4])
  return [first, Buffer.concat(Array.from({ length: EMPTY_FRAGMENTS }, () => continuation))]
}

/** Binary messages of 16 KiB, masked with zeros. */
function floodOf(bytes: number): Buffer[] {
  const size = 16_384
  const message = Buffer.concat([Buffer.from([0x82, 0xfe, size >> 8, size & 0xff, 0, 0, 0, 0]), Buffer.alloc(size)])
  return Array.from({ length: Math.ceil(bytes / message.length) }, () => message)
}

/** Writes as fast as the server takes it. Never resolves when it stops taking. */
async function written(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return
    if (socket.write(piece)) continue
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off('drain', go).off('close', go)
        resolve()
      }
      socket.on('drain', go).on('close', go)
    })
  }
}
