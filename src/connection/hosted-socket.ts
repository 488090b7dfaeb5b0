/**
 * The hosted socket port: a WebSocket that the host frames, with messages and not bytes on it.
 *
 * An implementation throws nothing but what `send` says: what the host refuses is the end of the connection, told by
 * `onClose`.
 */

import type { Received } from './connection.ts'

/** Where a hosted socket tells what happens. */
export interface HostedSocketEvents {
  onMessage(data: Received): void
  onPing(payload: Uint8Array): void
  onPong(payload: Uint8Array): void
  /**
   * The end. May come while `close` runs.
   *
   * @param wasClean whether the peer has sent a Close; otherwise the code says nothing
   */
  onClose(code: number, reason: string, wasClean: boolean): void
}

/** One socket of a host. */
export interface HostedSocket {
  /** As in the WHATWG WebSocket interface, live. */
  readonly readyState: number
  /** Bytes that were sent and have not left; 0 where the host does not tell. */
  readonly bufferedAmount: number
  readonly remoteAddress: string | undefined
  /** Called once. Nothing that came before is lost. */
  attach(events: HostedSocketEvents): void
  /** @throws {WebSocketError} when the host refuses the message on an open connection, with the host's error as `cause` */
  send(data: string | Uint8Array, compress: boolean | undefined): void
  ping(payload: Uint8Array): void
  close(code: number, reason: string): void
  /** Drops the connection; where a host cannot, closes it without waiting. */
  terminate(): void
  /**
   * Calls back once when some of `bufferedAmount` may have left.
   *
   * @param looks how often it did so before, in this wait
   */
  onceDrained(callback: () => void, looks: number): void
}
