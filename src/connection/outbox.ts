/**
 * The outbox: encoded frames on their way to the transport, and the callers that wait for room.
 *
 * Frames are held until the handler waits for a message, 64 KiB have gathered, or the turn ends, whichever comes
 * first: a batch of answers costs one write. The one answer of a handler that sends one for each message is not held:
 * the wait would come at once.
 */
import { type FrameEncoder, giveBack } from '../codec/frame-encoder.ts'
import type { Clock } from './clock.ts'
import { type PromiseWithResolver, promiseWithResolver } from './promise-with-resolver.ts'
import { rejectQuietly } from './rejection.ts'
import type { ByteTransport } from './transport.ts'

/** Bytes that are written at once even when more may follow in this turn. */
const FLUSH_AT = 1 << 16

/** What `send` returns when there is room: one promise for all, because one per message would cost more than the frame. */
const SENT: Promise<boolean> = Promise.resolve(true)

export class Outbox {
  readonly #frames: FrameEncoder
  readonly #transport: ByteTransport
  readonly #clock: Clock
  readonly #highWaterMark: number
  #scheduled = false
  /** Frames since the handler last waited for a message. */
  #sent = 0
  /** Whether it was one before that. The hop to the end of a turn is dear (`bun run bench echo --shapes 50x1x64`). */
  #sendsOne = false
  /** Whether the transport asked to wait and has not drained since. */
  #full = false
  /** The wait for room, one for all who wait: a published message may find thousands before it. */
  #room: PromiseWithResolver<boolean> | undefined

  constructor(frames: FrameEncoder, transport: ByteTransport, clock: Clock, highWaterMark: number) {
    this.#frames = frames
    this.#transport = transport
    this.#clock = clock
    this.#highWaterMark = highWaterMark
  }

  /** Bytes that have not left for the operating system. */
  get bufferedAmount(): number {
    return this.#frames.pending + this.#transport.bufferedAmount
  }

  /** Whether a further message would have to wait. */
  get congested(): boolean {
    return this.#full && this.bufferedAmount > this.#highWaterMark
  }

  /**
   * Frames were encoded: sees to it that they leave.
   *
   * @param waits whether to wait for room
   * @param last whether the handler has received all that is here
   * @returns resolves when there is room for more, or at once
   */
  commit(waits: boolean = true, last: boolean = false): Promise<boolean> {
    const isAnswer = ++this.#sent === 1 && this.#sendsOne && last
    if (isAnswer || this.#frames.pending >= FLUSH_AT) this.flush()
    else this.#schedule()
    return waits && this.congested ? this.#wait() : SENT
  }

  /** The handler waits for a message. */
  onWait(): void {
    if (this.#sent > 0) this.#sendsOne = this.#sent === 1
    this.#sent = 0
    this.flush()
  }

  /** Writes what is pending. */
  flush(): void {
    if (this.#frames.pending === 0) return
    const range = this.#frames.takeRange()
    if (range === undefined) {
      const pieces = this.#frames.take()
      this.#full = !this.#transport.writeAll(pieces)
      // The last one first: what stands before it in the slab is then the end of what is written.
      if (this.#transport.bufferedAmount === 0) pieces.toReversed().forEach(giveBack)
    } else {
      this.#full = !this.#transport.write(range)
      if (this.#transport.bufferedAmount === 0) giveBack(range)
    }
  }

  onDrain(): void {
    this.#full = false
    const room = this.#room
    this.#room = undefined
    room?.resolve(true)
  }

  /** The connection has ended: nobody gets room any more. */
  end(error: () => Error): void {
    const room = this.#room
    this.#room = undefined
    if (room !== undefined) rejectQuietly(room.promise, room.reject, error())
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // Early: a handler sends from a microtask, and what does not may go in a write of its own.
    this.#clock.afterTurn(() => {
      this.#scheduled = false
      this.flush()
    }, true)
  }

  #wait(): Promise<boolean> {
    this.#room ??= promiseWithResolver()
    return this.#room.promise
  }
}
