/** The broker within one process, and the default: it joins all topics that are given the same one. */
import { WebSocketError } from '../codec/errors.ts'
import type { Broker, Published, Subscriber } from './broker.ts'

const DONE: Promise<void> = Promise.resolve()

/** A broker for topics of one process. */
export class MemoryBroker implements Broker {
  readonly #subscribers = new Map<string, Set<Subscriber>>()
  #closed = false

  /** How many topics have subscribers. */
  get size(): number {
    return this.#subscribers.size
  }

  publish(topic: string, data: Published, from?: Subscriber): Promise<void> {
    if (this.#closed) return closedBroker()
    const subscribers = this.#subscribers.get(topic)
    if (subscribers === undefined || subscribers.size === (from !== undefined && subscribers.has(from) ? 1 : 0)) {
      return DONE
    }
    const others = [...subscribers].filter((subscriber) => subscriber !== from)
    const own = typeof data === 'string' ? data : new Uint8Array(data)
    queueMicrotask(() => {
      for (const other of others) {
        if (this.#subscribers.get(topic)?.has(other)) other.deliver(topic, own)
      }
    })
    return DONE
  }

  subscribe(topic: string, subscriber: Subscriber): Promise<void> {
    if (this.#closed) return closedBroker()
    const subscribers = this.#subscribers.get(topic)
    if (subscribers === undefined) this.#subscribers.set(topic, new Set([subscriber]))
    else subscribers.add(subscriber)
    return DONE
  }

  unsubscribe(topic: string, subscriber: Subscriber): Promise<void> {
    const subscribers = this.#subscribers.get(topic)
    if (subscribers?.delete(subscriber) && subscribers.size === 0) this.#subscribers.delete(topic)
    return DONE
  }

  close(): Promise<void> {
    this.#closed = true
    this.#subscribers.clear()
    return DONE
  }
}

function closedBroker(): Promise<never> {
  return Promise.reject(new WebSocketError('The broker is closed'))
}
