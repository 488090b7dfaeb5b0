/** What a wrapped connection has in common with the connection inside: everything but its messages. */
import type { CloseInfo, Initiator } from '../codec/errors.ts'
import type { Capabilities, Connection, ReadyState } from '../connection/connection.ts'

/** Every member that a wrapper passes on as it is. */
type Forwarded = Pick<
  Connection,
  | 'id'
  | 'protocol'
  | 'extensions'
  | 'url'
  | 'request'
  | 'mode'
  | 'remoteAddress'
  | 'capabilities'
  | 'data'
  | 'readyState'
  | 'connected'
  | 'bufferedAmount'
  | 'latency'
  | 'closed'
  | 'signal'
  | 'code'
  | 'reason'
  | 'wasClean'
  | 'initiator'
  | 'close'
  | 'terminate'
> &
  AsyncDisposable

/** The base of a wrapper. */
export abstract class ForwardingConnection implements Forwarded {
  protected readonly raw: Connection

  constructor(raw: Connection) {
    this.raw = raw
  }

  get id(): string {
    return this.raw.id
  }
  get protocol(): string {
    return this.raw.protocol
  }
  get extensions(): string {
    return this.raw.extensions
  }
  get url(): string {
    return this.raw.url
  }
  get request(): Request | undefined {
    return this.raw.request
  }
  get mode(): string {
    return this.raw.mode
  }
  get remoteAddress(): string | undefined {
    return this.raw.remoteAddress
  }
  get capabilities(): Capabilities {
    return this.raw.capabilities
  }
  get data(): unknown {
    return this.raw.data
  }
  set data(value: unknown) {
    this.raw.data = value
  }
  get readyState(): ReadyState {
    return this.raw.readyState
  }
  get connected(): boolean {
    return this.raw.connected
  }
  get bufferedAmount(): number {
    return this.raw.bufferedAmount
  }
  get latency(): number | undefined {
    return this.raw.latency
  }
  get closed(): Promise<CloseInfo> {
    return this.raw.closed
  }
  get signal(): AbortSignal {
    return this.raw.signal
  }
  get code(): number | undefined {
    return this.raw.code
  }
  get reason(): string | undefined {
    return this.raw.reason
  }
  get wasClean(): boolean | undefined {
    return this.raw.wasClean
  }
  get initiator(): Initiator | undefined {
    return this.raw.initiator
  }

  close(code?: number, reason?: string): Promise<CloseInfo> {
    return this.raw.close(code, reason)
  }
  terminate(): void {
    this.raw.terminate()
  }
  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.raw[Symbol.asyncDispose]()
  }
}
