/**
 * The inbox: messages that have arrived and have not been received, and the callers that wait for one.
 *
 * Never holds both at once. It knows how full it is; what that means for the transport is the connection's business.
 */
import type { Clock } from './clock.ts'
import type { Received, ReceiveOptions } from './connection.ts'
import { quietRejection, rejectQuietly } from './rejection.ts'

/** Bytes that each queued message counts for beyond its payload, so that empty messages are bounded too. */
export const MESSAGE_OVERHEAD = 64

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
  /** Clears its timeout and its abort listener, if it has any. */
  unbind: (() => void) | undefined = undefined
  /** The caller that is served after it. */
  next: Waiter | undefined = undefined

  constructor(delivery: Delivery) {
    this.delivery = delivery
    this.promise = new Promise(capture)
    this.resolve = captured
  }

  /**
   * Through a rejected promise, so that a waiter need not keep a second function. A quiet one: Workers of a compatibility
   * date before 2026-03-03 report what is awaited only in the next microtask.
   */
  reject(error: unknown): void {
    this.resolve(quietRejection(error))
  }
}

let captured: Settle

/** One executor for every promise: a closure per message would cost as much as the promise itself. */
function capture(resolve: Settle): void {
  captured = resolve
}

/** Shared by inboxes that have never queued a message. */
const NO_MESSAGES: Received[] = []

export class Inbox {
  /** Messages from `#first` on; the part before it has been taken. */
  #messages: Received[] = NO_MESSAGES
  #first = 0
  /** The callers that wait, a list from the first to the last: mostly there is one. */
  #waiter: Waiter | undefined
  #lastWaiter: Waiter | undefined
  /** Unread bytes, `MESSAGE_OVERHEAD` for each message included. */
  bytes = 0

  /** Unread messages. */
  get length(): number {
    return this.#messages.length - this.#first
  }

  /** The caller that is served next. */
  get waiter(): Waiter | undefined {
    return this.#waiter
  }

  /** Hands a message to the first caller that waits, or keeps it. */
  push(message: Received): void {
    const waiter = this.#nextWaiter()
    if (waiter === undefined) {
      if (this.#messages === NO_MESSAGES) this.#messages = [message]
      else this.#messages.push(message)
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
      this.#messages = NO_MESSAGES
      this.#first = 0
    } else if (this.#first >= 1024) {
      this.#messages = this.#messages.slice(this.#first)
      this.#first = 0
    }
    return message
  }

  /**
   * Adds a caller to the queue. Only when there is no message to take.
   *
   * @param clock for its timeout
   */
  wait(delivery: Delivery, clock: Clock, options?: ReceiveOptions): Waiter {
    const waiter = new Waiter(delivery)
    if (this.#lastWaiter === undefined) this.#waiter = waiter
    else this.#lastWaiter.next = waiter
    this.#lastWaiter = waiter
    if (options !== undefined) this.#bound(waiter, clock, options)
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
      else rejectQuietly(waiter.promise, (reason) => waiter.reject(reason), error())
    }
  }

  #nextWaiter(): Waiter | undefined {
    const waiter = this.#waiter
    if (waiter !== undefined) this.#remove(waiter, undefined)
    return waiter
  }

  /** @param before the caller that is served before it */
  #remove(waiter: Waiter, before: Waiter | undefined): void {
    if (before === undefined) this.#waiter = waiter.next
    else before.next = waiter.next
    if (this.#lastWaiter === waiter) this.#lastWaiter = before
    waiter.unbind?.()
  }

  /** A caller that gives up leaves the queue, and the message is for the next one. */
  #bound(waiter: Waiter, clock: Clock, { timeout = Number.POSITIVE_INFINITY, signal }: ReceiveOptions): void {
    const timedOut = (): void => {
      this.#leave(waiter)
      waiter.resolve(null)
    }
    const aborted = (): void => {
      this.#leave(waiter)
      rejectQuietly(waiter.promise, (reason) => waiter.reject(reason), signal?.reason)
    }
    const timer = timeout === Number.POSITIVE_INFINITY ? undefined : clock.setTimeout(timedOut, timeout)
    signal?.addEventListener('abort', aborted)
    waiter.unbind = () => {
      if (timer !== undefined) clock.clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
    }
  }

  #leave(waiter: Waiter): void {
    let before: Waiter | undefined
    let at = this.#waiter
    for (; at !== undefined && at !== waiter; at = at.next) before = at
    if (at === waiter) this.#remove(waiter, before)
  }
}
