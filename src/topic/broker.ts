/**
 * The broker port: carries published messages from one set of topics to all others, also between processes.
 *
 * Delivery is at most once. One contract suite, test/contract/broker.contract.ts, proves every implementation.
 */

/** A message on its way between topics: text, or bytes that nobody writes into any more. */
export type Published = string | Uint8Array

/** Where a broker delivers: one for each set of topics, and its identity. Never throws. */
export interface Subscriber {
  deliver(topic: string, data: Published): void
}

/**
 * Topic names are opaque: any string, compared as it is. No character is a wildcard.
 *
 * An implementation MUST
 * - deliver a message once to every subscriber of its topic but the one that published it;
 * - deliver text as the same text and bytes as the same bytes, empty ones included;
 * - deliver the messages of one publisher on one topic in the order of the `publish` calls;
 * - carry out the calls of one subscriber for one topic in their order, whether or not the caller awaits them;
 * - take `subscribe` twice as once, and `unsubscribe` or `close` without need as done;
 * - forget a topic when its last subscriber leaves;
 * - report every failure as a rejection of the call that failed.
 *
 * It MUST NOT
 * - call a subscriber before the `publish` that caused it has returned;
 * - keep or change the array given to `publish` after the call has returned: it is the caller's again;
 * - deliver to a subscriber after its `unsubscribe` has returned, unless it subscribed again, or to anyone after `close`;
 * - throw from a call instead of rejecting.
 */
export interface Broker {
  /**
   * Hands a message to the topic's other subscribers.
   *
   * @param from the publisher, who does not get it back
   * @returns resolves when the broker has taken it, which says nothing of its arrival
   */
  publish(topic: string, data: Published, from?: Subscriber): Promise<void>
  /** @returns resolves when every message that is published from then on will be delivered */
  subscribe(topic: string, subscriber: Subscriber): Promise<void>
  /** @returns resolves when the broker has forgotten the subscriber */
  unsubscribe(topic: string, subscriber: Subscriber): Promise<void>
  /** Releases everything. `publish` and `subscribe` reject from then on. */
  close(): Promise<void>
}
