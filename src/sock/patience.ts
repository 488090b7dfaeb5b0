/** How long one call may wait, whatever it waits for: until its timeout or its signal. */
import type { ReceiveOptions } from '../connection/connection.ts'

/** The patience of one call; `end` it when the call is over. */
export class Patience {
  /** Aborts when there is none left. */
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #given: AbortSignal | undefined
  readonly #timer: ReturnType<typeof setTimeout> | undefined
  #timedOut = false

  /** @param options checked */
  constructor({ timeout = Number.POSITIVE_INFINITY, signal }: ReceiveOptions) {
    this.signal = this.#controller.signal
    this.#given = signal
    if (timeout !== Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(() => {
        this.#timedOut = true
        this.#controller.abort()
      }, timeout)
    }
    if (signal?.aborted) this.#forward()
    else signal?.addEventListener('abort', this.#forward, { once: true })
  }

  /** Whether it was the timeout that used it up. */
  get timedOut(): boolean {
    return this.#timedOut
  }

  /** The outcome of `work`, unless patience ends first: then it rejects with the signal's reason. */
  async wait<T>(work: Promise<T>): Promise<T> {
    const { signal } = this
    signal.throwIfAborted()
    let stop: (() => void) | undefined
    const over = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
    })
    try {
      return await Promise.race([work, over])
    } finally {
      if (stop !== undefined) signal.removeEventListener('abort', stop)
    }
  }

  /** Lets go of the timer and the signal. */
  end(): void {
    clearTimeout(this.#timer)
    this.#given?.removeEventListener('abort', this.#forward)
  }

  readonly #forward = (): void => this.#controller.abort(this.#given?.reason)
}
