/** The members of one topic: a dense list, because a publish goes through all of them. */
import type { Connection } from '../connection/connection.ts'
import type { SharedMessage, SharedSender } from '../connection/shared-message.ts'

/** What a topic asks of a connection; every `Connection` has it, whatever its messages are. */
export type TopicConnection = Pick<Connection<unknown, never>, 'closed' | 'connected' | 'readyState' | 'trySend'>

/** One connection in all topics that it has joined. */
export interface Member {
  readonly connection: TopicConnection
  readonly sender: SharedSender
  /** Names of its topics. */
  readonly topics: Set<string>
}

/** What became of a published message at the members of this process, as counts of connections. */
export interface PublishReport {
  /** It was queued to be sent. */
  readonly sent: number
  /** It was left out, because the peer does not read and the connection's `sendPolicy` is `drop`. */
  readonly dropped: number
  /** The connection had ended, or was ended with 1013 because its peer does not read. */
  readonly closed: number
}

export class Members {
  #list: Member[] = []
  readonly #places = new Map<Member, number>()
  #sending = 0

  get size(): number {
    return this.#list.length
  }

  has(member: Member): boolean {
    return this.#places.has(member)
  }

  add(member: Member): void {
    if (this.#places.has(member)) return
    this.#detach()
    this.#places.set(member, this.#list.length)
    this.#list.push(member)
  }

  delete(member: Member): void {
    const place = this.#places.get(member)
    if (place === undefined) return
    this.#detach()
    this.#places.delete(member)
    const last = this.#list.pop()
    if (last === undefined || last === member) return
    this.#list[place] = last
    this.#places.set(last, place)
  }

  /** Queues a message at every member but one. Never waits. */
  send(message: SharedMessage, except: Member | undefined): PublishReport {
    const list = this.#list
    let sent = 0
    let dropped = 0
    let closed = 0
    this.#sending++
    for (let place = 0; place < list.length; place++) {
      const member = list[place] as Member
      if (member === except) continue
      if (isQueued(message, member)) sent++
      else if (member.connection.connected) dropped++
      else closed++
    }
    this.#sending--
    return { sent, dropped, closed }
  }

  /** A connection that ends while it is sent to may make others leave: the list being gone through stays as it is. */
  #detach(): void {
    if (this.#sending > 0) this.#list = this.#list.slice()
  }
}

/** A connection that is not ours may throw: the members behind it get the message all the same. */
function isQueued(message: SharedMessage, { sender }: Member): boolean {
  try {
    return sender.sendShared(message)
  } catch (error) {
    console.error('A member of a topic failed to send:', error)
    return false
  }
}
