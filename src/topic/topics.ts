/** Topics: who has joined which, and what is published to all of them. */
import type { CloseInfo } from '../codec/errors.ts'
import { compressFault, optionsFault } from '../connection/call-options.ts'
import { ReadyState } from '../connection/connection.ts'
import { asPayload, notSendable } from '../connection/sendable.ts'
import { SharedMessage, type SharedSender } from '../connection/shared-message.ts'
import type { Broker, Published, Subscriber } from './broker.ts'
import { type Member, Members, type PublishReport, type TopicConnection } from './members.ts'
import { MemoryBroker } from './memory-broker.ts'

/** What a topic takes: strings go as text, everything else as binary. */
export type Publishable = string | ArrayBufferView | ArrayBuffer

/** How one message is published. */
export interface PublishOptions {
  /** A connection that does not get it, usually the one that it came from. */
  except?: TopicConnection | undefined
  /** Whether members may compress it, when permessage-deflate was negotiated. @default by its threshold */
  compress?: boolean | undefined
}

/** Settings of `Topics`. */
export interface TopicsOptions {
  /** Called when the broker fails; members of this process are served all the same. @default console.error */
  onError?: ((error: unknown, topic: string) => unknown) | undefined
}

/** One topic, by its name. Handles of the same name are the same topic; one costs nothing and may be kept. */
export interface Topic {
  readonly name: string
  /** Members in this process. */
  readonly size: number
  has(connection: TopicConnection): boolean
  /**
   * Joins a connection until it leaves or ends; joining twice is joining once. One that is closing does not join.
   *
   * @returns a function that makes it leave
   * @throws {TypeError} for what is no connection
   */
  subscribe(connection: TopicConnection): () => void
  /** Makes a connection leave; does nothing for one that has not joined. */
  unsubscribe(connection: TopicConnection): void
  /**
   * Sends a message to every member, here and through the broker. It is encoded once and never waits: for a peer that
   * does not read, the connection's `sendPolicy` and `maxBufferedAmount` decide. A schema of the route is not applied.
   *
   * @returns what became of it at the members of this process
   * @throws {TypeError} for anything that is not `Publishable`, and for an option that is unknown or wrong, by name
   */
  publish(data: Publishable, options?: PublishOptions): PublishReport
}

const NO_OPTIONS: PublishOptions = {}
const PUBLISH_OPTIONS: readonly string[] = ['except', 'compress'] satisfies (keyof PublishOptions)[]
const TOPICS_OPTIONS: readonly string[] = ['onError'] satisfies (keyof TopicsOptions)[]

/** A set of topics that share a broker. */
export class Topics {
  readonly #broker: Broker
  readonly #onError: (error: unknown, topic: string) => unknown
  /** Topics that have members; the others hold no memory. */
  readonly #members = new Map<string, Members>()
  /**
   * Every connection that ever joined, by the promise of its end: that is one and the same for a connection and for
   * whatever wraps it, and is listened to once, however often the connection joins and leaves.
   */
  readonly #connections = new WeakMap<Promise<CloseInfo>, Member>()
  readonly #subscriber: Subscriber = { deliver: (topic, data) => this.#deliver(topic, data) }

  /**
   * @param broker joins these topics with those of other processes
   * @throws {TypeError} for an unknown option or one of the wrong type, by name
   */
  constructor(broker: Broker = new MemoryBroker(), options: TopicsOptions = {}) {
    const wrong = optionsFault('Topics', options, TOPICS_OPTIONS)
    if (wrong !== undefined) throw wrong
    const { onError = logError } = options
    if (typeof onError !== 'function') throw new TypeError(`onError: expected a function, got ${typeof onError}`)
    this.#broker = broker
    this.#onError = onError
  }

  /** How many topics have members. */
  get size(): number {
    return this.#members.size
  }

  /** The topic of this name. */
  topic(name: string): Topic {
    if (typeof name !== 'string') throw new TypeError(`A topic's name must be a string; got a ${typeof name}`)
    const membersOf = (): Members | undefined => this.#members.get(name)
    const memberOf = (connection: TopicConnection): Member | undefined => this.#connections.get(endOf(connection))
    return {
      name,
      get size(): number {
        return membersOf()?.size ?? 0
      },
      has: (connection): boolean => {
        const member = memberOf(connection)
        return member !== undefined && (membersOf()?.has(member) ?? false)
      },
      subscribe: (connection): (() => void) => {
        this.#join(name, connection)
        return () => this.#leave(name, memberOf(connection))
      },
      unsubscribe: (connection) => this.#leave(name, memberOf(connection)),
      publish: (data, options) => this.#publish(name, data, options),
    }
  }

  #join(name: string, connection: TopicConnection): void {
    const closed = endOf(connection)
    if (connection.readyState >= ReadyState.CLOSING) return
    const member = this.#memberFor(connection, closed)
    const members = this.#members.get(name) ?? this.#open(name)
    members.add(member)
    member.topics.add(name)
  }

  #leave(name: string, member: Member | undefined): void {
    const members = this.#members.get(name)
    if (members === undefined || member === undefined) return
    members.delete(member)
    member.topics.delete(name)
    if (members.size > 0) return
    this.#members.delete(name)
    void this.#ask(name, () => this.#broker.unsubscribe(name, this.#subscriber))
  }

  #open(name: string): Members {
    const members = new Members()
    this.#members.set(name, members)
    void this.#ask(name, () => this.#broker.subscribe(name, this.#subscriber))
    return members
  }

  #memberFor(connection: TopicConnection, closed: Promise<CloseInfo>): Member {
    const known = this.#connections.get(closed)
    if (known !== undefined) return known
    const member: Member = { connection, sender: senderOf(connection), topics: new Set() }
    this.#connections.set(closed, member)
    void closed.then(() => {
      for (const name of member.topics) this.#leave(name, member)
    })
    return member
  }

  #publish(name: string, data: Publishable, options: PublishOptions = NO_OPTIONS): PublishReport {
    const wrong =
      options === NO_OPTIONS
        ? undefined
        : (optionsFault('publish', options, PUBLISH_OPTIONS) ?? compressFault(options.compress))
    if (wrong !== undefined) throw wrong
    const { except, compress } = options
    const payload = asPayload(data)
    if (payload === undefined || payload instanceof Blob) throw notSendable(data)
    const left = except === undefined ? undefined : this.#connections.get(endOf(except, 'except'))
    const report = this.#send(name, new SharedMessage(payload, compress), left)
    void this.#ask(name, () => this.#broker.publish(name, payload, this.#subscriber))
    return report
  }

  #deliver(name: string, data: Published): void {
    this.#send(name, new SharedMessage(data))
  }

  #send(name: string, message: SharedMessage, except?: Member): PublishReport {
    return this.#members.get(name)?.send(message, except) ?? { sent: 0, dropped: 0, closed: 0 }
  }

  /** Calls the broker at once. One that throws is one that rejects, and neither it nor `onError` harms anybody else. */
  async #ask(name: string, call: () => Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      await this.#report(error, name)
    }
  }

  async #report(error: unknown, name: string): Promise<void> {
    try {
      await this.#onError(error, name)
    } catch (failure) {
      logError(error, name)
      console.error('onError of the topics failed:', failure)
    }
  }
}

/**
 * By which a connection is known.
 *
 * @throws {TypeError} for what is no connection: taken for a stranger, it would be overlooked
 */
function endOf(connection: TopicConnection, name = 'connection'): Promise<CloseInfo> {
  const closed = (connection as TopicConnection | null | undefined)?.closed
  if (typeof closed?.then === 'function') return closed
  throw new TypeError(`${name}: expected a connection, got ${connection === null ? 'null' : typeof connection}`)
}

/** How a connection sends what is shared; one that is not ours sends it as its own message. */
function senderOf(connection: TopicConnection & Partial<SharedSender>): SharedSender {
  if (typeof connection.sendShared === 'function') return connection as SharedSender
  // Whatever its type says: a topic knows no schema.
  return { sendShared: ({ data, compress }) => connection.trySend(data as never, { compress }) }
}

function logError(error: unknown, topic: string): void {
  console.error(`The broker failed for topic ${JSON.stringify(topic)}:`, error)
}
