/** The parts of the `ws` package that read and write frames, loaded by path: a bare `ws` is Bun's own. */
import type { Buffer } from 'node:buffer'
import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'

export interface WsReceiverOptions {
  readonly isServer: boolean
  readonly maxPayload?: number
  readonly maxFragments?: number
  readonly allowSynchronousEvents?: boolean
}

/** Emits `message` (data, isBinary), `ping`, `pong` and `conclude` (code, reason). */
export type WsReceiver = Writable

interface SendOptions {
  readonly binary: boolean
  readonly fin: boolean
  readonly mask: boolean
  readonly compress: boolean
}

export interface WsSender {
  send(data: string | Buffer, options: SendOptions, done: () => void): void
  ping(data: Buffer, mask: boolean, done: () => void): void
  pong(data: Buffer, mask: boolean, done: () => void): void
  close(code: number | undefined, reason: string | undefined, mask: boolean, done: () => void): void
}

/** What a sender needs of a socket. */
export interface WsSenderSocket {
  cork(): void
  uncork(): void
  write(chunk: Uint8Array | string): unknown
}

const load = createRequire(import.meta.url)

export const WsReceiver = load('../../node_modules/ws/lib/receiver.js') as new (
  options: WsReceiverOptions,
) => WsReceiver
export const WsSender = load('../../node_modules/ws/lib/sender.js') as new (socket: WsSenderSocket) => WsSender

const { kStatusCode } = load('../../node_modules/ws/lib/constants.js') as { kStatusCode: symbol }

/** Close code that an error of a receiver asks for. */
export function closeCodeOf(error: Error): number {
  return (error as unknown as Record<symbol, number>)[kStatusCode] ?? -1
}
