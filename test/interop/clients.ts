/** The clients that meet servers: ours, the `ws` package, and the `WebSocket` that the runtime brings. */
import { connect } from 'fetch-sock/client'
import { AUTHORITY } from './authority.ts'
import type { Dial, Peer } from './suite.ts'

const MAX_MESSAGE_SIZE = 64 * 1024 * 1024

export const ours: Dial = async (url, { deflate, subprotocols }) => {
  const ws = await connect(url, {
    permessageDeflate: deflate,
    subprotocols,
    maxMessageSize: MAX_MESSAGE_SIZE,
    tls: { ca: AUTHORITY },
  })
  return {
    protocol: ws.protocol,
    extensions: ws.extensions,
    send: (data) => void ws.send(data),
    sendParts: (parts) => void ws.sendStream(inTurn(parts)),
    next: () => ws.receive(),
    close: (code, reason) => void ws.close(code, reason),
    closed: ws.closed,
  }
}

async function* inTurn(parts: readonly string[]): AsyncGenerator<string> {
  yield* parts
}

/** The interface that `ws` and the runtimes share. */
interface StandardSocket {
  binaryType: string
  readonly protocol: string
  readonly extensions: string
  send(data: string | Uint8Array, options?: { fin: boolean }): void
  close(code: number, reason: string): void
  addEventListener(type: string, listener: (event: never) => void): void
}

function peerOf(socket: StandardSocket, hasParts: boolean): Promise<Peer> {
  socket.binaryType = 'arraybuffer'
  const messages: (string | Uint8Array)[] = []
  let wake = (): void => {}
  let isClosed = false
  return new Promise((resolve, reject) => {
    const closed = new Promise<{ code: number; reason: string; wasClean: boolean }>((settle) => {
      socket.addEventListener('close', ({ code, reason, wasClean }: CloseEvent) => {
        isClosed = true
        wake()
        settle({ code, reason, wasClean })
      })
    })
    socket.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) => {
      messages.push(typeof data === 'string' ? data : new Uint8Array(data))
      wake()
    })
    socket.addEventListener('error', (event: unknown) => {
      reject(new Error(`No connection: ${String((event as { message?: unknown }).message)}`))
    })
    socket.addEventListener('open', () =>
      resolve({
        protocol: socket.protocol,
        extensions: socket.extensions,
        send: (data) => socket.send(data),
        ...(hasParts && {
          sendParts: (parts: readonly string[]) => {
            for (const [index, part] of parts.entries()) socket.send(part, { fin: index === parts.length - 1 })
          },
        }),
        async next() {
          while (messages.length === 0) {
            if (isClosed) throw new Error('The connection has ended')
            await new Promise<void>((go) => {
              wake = go
            })
          }
          return messages.shift() as string | Uint8Array
        },
        close: (code, reason) => socket.close(code, reason),
        closed,
      }),
    )
  })
}

export const builtIn: Dial = (url, { subprotocols }) => {
  const Host = globalThis.WebSocket as unknown as new (url: string, protocols: string[]) => StandardSocket
  return peerOf(new Host(url, subprotocols), false)
}

export const wsPackage: Dial = async (url, { deflate, subprotocols }) => {
  const { WebSocket } = await import('../../node_modules/ws/wrapper.mjs')
  const socket = new WebSocket(url, subprotocols, { perMessageDeflate: deflate, ca: AUTHORITY })
  return peerOf(socket as unknown as StandardSocket, true)
}
