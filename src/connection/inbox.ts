/**
 * The inbox: messages that have arrived and have not been received, and the callers that wait for one.
 *
 * Never holds both at once. It knows how full it is; what that means for the transport is the connection's business.
 */
import type { Clock, TimerHandle } from './clock.ts'
import type { Received, ReceiveOptions } from './connection.ts'
import { rejectQuietly } from './rejection.ts'

/** Bytes that an unread message counts for beyond its payload, so that a flood of empty ones is bounded as well. */
const MESSAGE_OVERHEAD = 64

/** How a waiting caller gets its message. */
export const Delivery = {
  /** As `receive` does: the message itself, `null` on timeout. */
  VALUE: 0,
  /** As an iterator does: `{ value, done }`. */
  RESULT: 1,
  /** As `receiveStream` does: in parts. */
  STREAM: 2,
} as const
export type Delivery = (typeof Delivery)[keyof typeof Delivery]

type Settle = (value: unknown) => void

/** A caller that waits. */
export class Waiter {
  readonly delivery: Delivery
  readonly promise: Promise<unknown>
  readonly resolve: Settle
  readonly reject: Settle
  timer: TimerHandle = undefined
  signal: AbortSignal | undefined = undefined
  abort: (() => void) | undefined = undefined

  constructor(delivery: Delivery) {
    this.delivery = delivery
    this.promise = new Promise(capture)
    this.resolve = captured.resolve
    this.reject = captured.reject
  }
}

const captured: { resolve: Settle; reject: Settle } = { resolve: ignore, reject: ignore }

/** One executor for every promise: a closure per message would cost as much as the promise itself. */
function capture(resolve: Settle, reject: Settle): void {
  captured.resolve = resolve
  captured.reject = reject
}

function ignore(): void {}

export class Inbox {
  readonly #clock: Clock
  /** Messages from `#first` on; the part before it has been taken. */
  #messages: Received[] = []
  #first = 0
  #waiters: Waiter[] = []
  /** Unread bytes, `MESSAGE_OVERHEAD` for each message included. */
  bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Unread messages. */
  get length(): number {
    return this.#messages.length - this.#first
  }

  /** The caller that is served next. */
  get waiter(): Waiter | undefined {
    return this.#waiters.length === 0 ? undefined : this.#waiters[0]
  }

  /** Hands a message to the first caller that waits, or keeps it. */
  push(message: Received): void {
    const waiter = this.#waiters.length === 0 ? undefined : this.#nextWaiter()
    if (waiter === undefined) {
      this.#messages.push(message)
      this.bytes += message.length + MESSAGE_OVERHEAD
    } else {
      waiter.resolve(waiter.delivery === Delivery.RESULT ? { value: message, done: false } : message)
    }
  }

  /** Takes the oldest unread message, or `undefined`. */
  shift(): Received | undefined {
    if (this.#first === this.#messages.length) return undefined
    const message = this.#messages[this.#first] as Received
    this.#messages[this.#first++] = ''
    this.bytes -= message.length + MESSAGE_OVERHEAD
    if (this.#first === this.#messages.length) {
      this.#messages.length = 0
      this.#first = 0
    } else if (this.#first >= 1024) {
      this.#messages = this.#messages.slice(this.#first)
      this.#first = 0
    }
    return message
  }

  /** Adds a caller to the queue. Only when there is no message to take. */
  wait(delivery: Delivery, options?: ReceiveOptions): Waiter {
    const waiter = new Waiter(delivery)
    this.#waiters.push(waiter)
    if (options !== undefined) this.#bound(waiter, options)
    return waiter
  }

  /** Takes the first caller out of the queue, for a delivery in parts. */
  takeWaiter(): Waiter {
    return this.#nextWaiter() as Waiter
  }

  /** The connection has ended and no message is left: settles every caller that waits. */
  end(error: () => Error, quiet: boolean): void {
    for (let waiter = this.#nextWaiter(); waiter !== undefined; waiter = this.#nextWaiter()) {
      if (quiet && waiter.delivery === Delivery.RESULT) waiter.resolve({ value: undefined, done: true })
      else rejectQuietly(waiter.promise, waiter.reject, error())
    }
  }

  #nextWaiter(): Waiter | undefined {
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) this.#unbind(waiter)
    return waiter
  }

  /** A caller that gives up leaves the queue, and the message is for the next one. */
  #bound(waiter: Waiter, options: ReceiveOptions): void {
    const { timeout, signal } = options
    if (timeout !== undefined && timeout !== Number.POSITIVE_INFINITY) {
      waiter.timer = this.#clock.setTimeout(() => {
        this.#leave(waiter)
        waiter.resolve(null)
      }, timeout)
    }
    if (signal !== undefined) {
      waiter.signal = signal
      waiter.abort = () => {
        this.#leave(waiter)
        waiter.reject(signal.reason)
      }
      signal.addEventListener('abort', waiter.abort)
    }
  }

  #leave(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter)
    if (index >= 0) this.#waiters.splice(index, 1)
    this.#unbind(waiter)
  }

  #unbind(waiter: Waiter): void {
    if (waiter.timer !== undefined) this.#clock.clearTimeout(waiter.timer)
    if (waiter.abort !== undefined) waiter.signal?.removeEventListener('abort', waiter.abort)
    waiter.timer = undefined
    waiter.abort = undefined
  }
}
