/**
 * Keepalive: pings, latency, and the deadlines of a connection (RFC 6455 §5.5.2, §5.5.3).
 *
 * Any byte that arrives counts as life. A peer is never judged by what our own side failed to read: while reading is
 * paused no deadline passes, and a busy event loop gets one more turn to read before the verdict.
 */
import type { Clock, TimerHandle } from './clock.ts'
import { Expiry, type ExpiryTarget } from './expiry.ts'
import type { ResolvedConnectionOptions } from './options.ts'
import { type PromiseWithResolver, promiseWithResolver } from './promise-with-resolver.ts'
import { rejectQuietly } from './rejection.ts'

/** What keepalive asks of its connection. */
export interface KeepaliveTarget {
  /** Whether we do not read at the moment, so that silence says nothing about the peer. */
  readonly readingPaused: boolean
  sendPing(payload: Uint8Array): void
  /** Reading has been paused for a whole ping interval: a little must be read, so that control frames are seen. */
  readAhead(): void
  /** No byte came within `pongTimeout` of a ping. */
  onDead(): void
  onExpired(code: number, reason: string): void
}

interface OutstandingPing {
  readonly payload: Uint8Array
  readonly sentAt: number
  /** Of one that the application has sent. */
  readonly answer: PromiseWithResolver<number> | undefined
}

/** Milliseconds that a turn of the event loop gets to read what has arrived while it was busy. */
const LAST_LOOK = 1

const NO_PINGS: readonly OutstandingPing[] = []

export class Keepalive implements ExpiryTarget {
  /** Set by the connection for every chunk that arrives. */
  alive = false
  /** Set by the connection for every message in either direction. */
  active = false
  latency: number | undefined

  readonly #clock: Clock
  readonly #target: KeepaliveTarget
  readonly #options: ResolvedConnectionOptions
  #beat: TimerHandle
  /** Pings without a Pong, in order; mostly there is none. */
  #outstanding: readonly OutstandingPing[] = NO_PINGS
  #pings = 0
  /** When the last ping was sent, and the oldest one since the last byte arrived. */
  #pingedAt = 0
  #unansweredSince: number | undefined
  /** Only where there is such a deadline. */
  readonly #expiry: Expiry | undefined

  /** What timers call: one set for all connections. */
  static readonly #on = {
    beat: (keepalive: Keepalive): void => keepalive.#onBeat(),
    verdict: (keepalive: Keepalive): void => keepalive.#onVerdict(),
    lastLook: (keepalive: Keepalive): void => keepalive.#onLastLook(),
  }

  /** @param pings whether pings can be sent */
  constructor(clock: Clock, target: KeepaliveTarget, options: ResolvedConnectionOptions, pings: boolean = true) {
    this.#clock = clock
    this.#target = target
    this.#options = options
    this.#beat = pings ? this.#after(options.pingInterval, Keepalive.#on.beat) : undefined
    const expires = Math.min(options.idleTimeout, options.maxLifetime) < Number.POSITIVE_INFINITY
    this.#expiry = expires ? new Expiry(clock, this, options) : undefined
  }

  /** Sends a ping of the application. Resolves to its round trip in milliseconds. */
  ping(payload: Uint8Array | undefined): Promise<number> {
    const bytes = payload === undefined ? this.#nextPayload() : new Uint8Array(payload)
    const answer = promiseWithResolver<number>()
    this.#target.sendPing(bytes)
    this.#outstanding = [...this.#outstanding, { payload: bytes, sentAt: this.#clock.now(), answer }]
    return answer.promise
  }

  /** A Pong answers the ping with its payload, and every one sent before that (§5.5.3). */
  onPong(payload: Uint8Array): void {
    const index = this.#outstanding.findIndex((ping) => equal(ping.payload, payload))
    if (index < 0) return
    const now = this.#clock.now()
    const answered = this.#outstanding.slice(0, index + 1)
    const rest = this.#outstanding.slice(index + 1)
    this.#outstanding = rest.length === 0 ? NO_PINGS : rest
    for (const ping of answered) {
      this.latency = now - ping.sentAt
      ping.answer?.resolve(this.latency)
    }
  }

  /** The connection closes or has ended: no deadline passes any more. */
  stop(): void {
    if (this.#beat !== undefined) this.#clock.clearTimeout(this.#beat)
    this.#beat = undefined
    this.#expiry?.stop()
  }

  /** The connection has ended: pings that wait for their Pong fail. */
  end(error: () => Error): void {
    this.stop()
    const unanswered = this.#outstanding
    this.#outstanding = NO_PINGS
    for (const { answer } of unanswered) {
      if (answer !== undefined) rejectQuietly(answer.promise, answer.reject, error())
    }
  }

  #onBeat(): void {
    const now = this.#clock.now()
    if (this.alive || this.#unansweredSince === undefined) this.#unansweredSince = now
    this.#pingedAt = now
    this.alive = false
    if (this.#target.readingPaused) this.#target.readAhead()
    // What was read may have been the end, or a hook may have made one.
    if (this.#beat === undefined) return
    const payload = this.#nextPayload()
    // Older keepalive pings are dropped: the next Pong is enough.
    const asked = this.#outstanding.filter(({ answer }) => answer !== undefined)
    this.#outstanding = [...asked, { payload, sentAt: now, answer: undefined }]
    this.#target.sendPing(payload)
    const { pingInterval, pongTimeout } = this.#options
    // A pongTimeout longer than pingInterval lets further pings pass before its verdict.
    const patience = Math.max(0, this.#unansweredSince + pongTimeout - now)
    this.#beat =
      patience > pingInterval
        ? this.#after(pingInterval, Keepalive.#on.beat)
        : this.#after(patience, Keepalive.#on.verdict)
  }

  #onVerdict(): void {
    if (this.#survives()) return
    this.#beat = this.#after(LAST_LOOK, Keepalive.#on.lastLook)
  }

  #onLastLook(): void {
    if (!this.#survives()) this.#target.onDead()
  }

  #survives(): boolean {
    if (!this.alive && !this.#target.readingPaused) return false
    this.#unansweredSince = undefined
    const rest = this.#pingedAt + this.#options.pingInterval - this.#clock.now()
    if (rest > 0) this.#beat = this.#after(rest, Keepalive.#on.beat)
    else this.#onBeat()
    return true
  }

  onExpired(code: number, reason: string): void {
    this.#target.onExpired(code, reason)
  }

  #after(delay: number, callback: (keepalive: Keepalive) => void): TimerHandle {
    return delay === Number.POSITIVE_INFINITY ? undefined : this.#clock.setTimeout(callback, delay, this)
  }

  /** A payload that no other ping of this connection has. */
  #nextPayload(): Uint8Array {
    const payload = new Uint8Array(4)
    new DataView(payload.buffer).setUint32(0, ++this.#pings)
    return payload
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
