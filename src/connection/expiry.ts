/** The deadlines that a peer does not move by being alive: idle timeout and maximum lifetime. */
import { CloseCode } from '../codec/close-code.ts'
import type { Clock, TimerHandle } from './clock.ts'
import type { ResolvedConnectionOptions } from './options.ts'

/** What they ask of whoever has them. */
export interface ExpiryTarget {
  /** Set for every message in either direction, cleared by each look. */
  active: boolean
  onExpired(code: number, reason: string): void
}

/** Looks per `idleTimeout`: a timer for each message would cost more than the message. */
const IDLE_LOOKS = 8

export class Expiry {
  readonly #clock: Clock
  readonly #target: ExpiryTarget
  readonly #lookEvery: number
  #idle: TimerHandle
  readonly #life: TimerHandle
  /** Looks in a row that found no message. */
  #quietLooks = 0

  /** What timers call: one set for all connections. */
  static readonly #on = {
    idleLook: (expiry: Expiry): void => expiry.#onIdleLook(),
    lifetime: (expiry: Expiry): void => expiry.#onLifetime(),
  }

  constructor(clock: Clock, target: ExpiryTarget, { idleTimeout, maxLifetime }: ResolvedConnectionOptions) {
    this.#clock = clock
    this.#target = target
    this.#lookEvery = idleTimeout / IDLE_LOOKS
    this.#idle = this.#after(this.#lookEvery, Expiry.#on.idleLook)
    this.#life = this.#after(maxLifetime, Expiry.#on.lifetime)
  }

  /** No deadline passes any more. */
  stop(): void {
    if (this.#idle !== undefined) this.#clock.clearTimeout(this.#idle)
    if (this.#life !== undefined) this.#clock.clearTimeout(this.#life)
  }

  #onIdleLook(): void {
    this.#quietLooks = this.#target.active ? 0 : this.#quietLooks + 1
    this.#target.active = false
    if (this.#quietLooks === IDLE_LOOKS) this.#target.onExpired(CloseCode.GOING_AWAY, 'Idle timeout')
    else this.#idle = this.#after(this.#lookEvery, Expiry.#on.idleLook)
  }

  #onLifetime(): void {
    this.#target.onExpired(CloseCode.GOING_AWAY, 'Maximum lifetime reached')
  }

  #after(delay: number, callback: (expiry: Expiry) => void): TimerHandle {
    return delay === Number.POSITIVE_INFINITY ? undefined : this.#clock.setTimeout(callback, delay, this)
  }
}
