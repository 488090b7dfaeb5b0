/** A connection whose messages pass a Standard Schema: what does not fit never reaches the handler. */
import type { Context } from 'hono'
import { CloseCode, QUIET_CLOSE_CODES } from '../codec/close-code.ts'
import { fitReason } from '../codec/close-reason.ts'
import { ConnectionClosed } from '../codec/errors.ts'
import type {
  Connection,
  Received,
  ReceiveOptions,
  Sendable,
  SendableParts,
  SendMessageOptions,
} from '../connection/connection.ts'
import { receiveOptionsFault } from '../connection/receive-options.ts'
import { quiet, quietRejection } from '../connection/rejection.ts'
import type { SharedMessage, SharedSender } from '../connection/shared-message.ts'
import { readableOf, writableOf } from '../connection/streams.ts'
import { ForwardingConnection } from './forwarding.ts'
import { jsonCodec, type MessageCodec } from './message-codec.ts'
import { Patience } from './patience.ts'
import type { RouteOptions } from './route-options.ts'
import type { StandardIssue, StandardResult, StandardSchema } from './standard-schema.ts'

/**
 * The connection that a route's handler gets: `raw` itself when the route has no schema.
 *
 * With a `receive` schema, `receive` and the iterator give what the schema gives, and the other ways to receive are
 * closed, because they would go around it; likewise `send` and `trySend` with a `send` schema.
 */
export function typedConnection(raw: Connection, options: RouteOptions, c: Context): Connection {
  if (options.receive === undefined && options.send === undefined) return raw
  // The handler's type says what its messages are; inside they are unknown.
  return new TypedConnection(raw, options, c) as Connection<unknown, unknown> as Connection
}

type Checked = StandardResult<unknown>

class TypedConnection extends ForwardingConnection implements Connection<unknown, unknown> {
  readonly #options: RouteOptions
  readonly #context: Context
  /** The last `receive` in line; `undefined` when none is. */
  #line: Promise<void> | undefined
  /** The outcome for a message whose `receive` gave up while it was being validated: the next one gets it. */
  #held: Checked | Promise<Checked> | undefined
  /** Set by the message that ended the connection: nothing after it is delivered. */
  #failure: ConnectionClosed | undefined
  /** The last `send` that waits for its schema; `undefined` when none does. */
  #sending: Promise<unknown> | undefined
  #readable: ReadableStream<unknown> | undefined
  #writable: WritableStream<unknown> | undefined

  constructor(raw: Connection, options: RouteOptions, c: Context) {
    super(raw)
    this.#options = options
    this.#context = c
  }

  receive(): Promise<unknown>
  receive(options: ReceiveOptions): Promise<unknown>
  receive(options?: ReceiveOptions): Promise<unknown> {
    const schema = this.#options.receive
    return this.#own(schema === undefined ? this.raw.receive(options ?? {}) : this.#receiveInLine(schema, options))
  }

  /** One `receive` at a time, first come, first served: a slow schema must not change the order. */
  async #receiveInLine(schema: StandardSchema, options: ReceiveOptions | undefined): Promise<unknown> {
    const fault = options === undefined ? undefined : receiveOptionsFault(options)
    if (fault !== undefined) throw fault
    const patience = options === undefined ? undefined : new Patience(options)
    const before = this.#line
    let leave = (): void => {}
    const served = new Promise<void>((resolve) => {
      leave = resolve
    })
    const line = before === undefined ? served : before.then(() => served)
    this.#line = line
    try {
      if (before !== undefined) await waitFor(before, patience)
      return await this.#nextValid(schema, options, patience)
    } catch (error) {
      if (patience?.timedOut && error === patience.signal.reason) return null
      throw error
    } finally {
      patience?.end()
      leave()
      if (this.#line === line) this.#line = undefined
    }
  }

  async #nextValid(schema: StandardSchema, options: ReceiveOptions | undefined, patience?: Patience): Promise<unknown> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#held === undefined) {
        const message = await this.raw.receive({ timeout: options?.timeout, signal: patience?.signal })
        if (message === null) return null
        this.#held = this.#check(schema, message)
      }
      const checking = this.#held
      const result = checking instanceof Promise ? await this.#settled(checking, patience) : checking
      this.#held = undefined
      if (result.issues === undefined) return result.value
      await this.#refuse(result.issues)
    }
  }

  #check(schema: StandardSchema, message: Received): Checked | Promise<Checked> {
    let value: unknown
    try {
      value = this.#codec().decode(message)
    } catch (error) {
      return { issues: [{ message: error instanceof Error ? error.message : String(error) }] }
    }
    return schema['~standard'].validate(value)
  }

  /** The outcome of an asynchronous schema. Giving up leaves the message where it is; an error of the schema does not. */
  async #settled(checking: Promise<Checked>, patience: Patience | undefined): Promise<Checked> {
    try {
      return await waitFor(checking, patience)
    } catch (error) {
      if (!patience?.signal.aborted || error !== patience.signal.reason) this.#held = undefined
      throw error
    }
  }

  async #refuse(issues: readonly StandardIssue[]): Promise<void> {
    if (this.#options.onInvalid !== undefined) {
      await this.#options.onInvalid(issues, this as Connection<unknown, unknown>, this.#context)
      return
    }
    const code = CloseCode.INVALID_FRAME_PAYLOAD_DATA
    const reason = fitReason(describe(issues))
    void this.raw.close(code, reason)
    this.#failure = new ConnectionClosed({ code, reason, wasClean: false, initiator: 'local' }, this)
  }

  /** No generator, whose `return` would wait for a `next` that is pending. Leaving the loop does not close. */
  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return {
      next: () => quiet(this.#nextResult()),
      return: () => Promise.resolve({ value: undefined, done: true }),
    }
  }

  async #nextResult(): Promise<IteratorResult<unknown>> {
    try {
      return { value: await this.receive(), done: false }
    } catch (error) {
      if (!(error instanceof ConnectionClosed) || error.connection !== this || !QUIET_CLOSE_CODES.includes(error.code))
        throw error
      return { value: undefined, done: true }
    }
  }

  send(value: unknown, options?: SendMessageOptions): Promise<boolean> {
    const schema = this.#options.send
    if (schema === undefined) return this.#own(this.raw.send(value as Sendable, options))
    const result = schema['~standard'].validate(value)
    if (!(result instanceof Promise) && this.#sending === undefined) {
      return this.#own(this.raw.send(this.#encode(result), options))
    }
    const before = this.#sending
    const sent = this.#sendAfter(before, result, options)
    this.#sending = sent
    const done = (): void => {
      if (this.#sending === sent) this.#sending = undefined
    }
    sent.then(done, done)
    return this.#own(sent)
  }

  /** In the order of the calls, whichever schema answers first. */
  async #sendAfter(
    before: Promise<unknown> | undefined,
    result: Checked | Promise<Checked>,
    options: SendMessageOptions | undefined,
  ): Promise<boolean> {
    const [checked] = await Promise.allSettled([result, before])
    if (checked.status === 'rejected') throw checked.reason
    return await this.raw.send(this.#encode(checked.value), options)
  }

  trySend(value: unknown, options?: SendMessageOptions): boolean {
    const schema = this.#options.send
    if (schema === undefined) return this.raw.trySend(value as Sendable, options)
    const result = schema['~standard'].validate(value)
    if (result instanceof Promise) {
      void quiet(result)
      return false
    }
    const data = this.#encode(result)
    return this.#sending === undefined && this.raw.trySend(data, options)
  }

  #encode(result: Checked): Sendable {
    if (result.issues === undefined) return this.#codec().encode(result.value)
    throw new TypeError(`send got a value that does not fit its schema: ${describe(result.issues)}`, {
      cause: result.issues,
    })
  }

  #codec(): MessageCodec {
    return this.#options.codec ?? jsonCodec
  }

  receiveText(): Promise<string>
  receiveText(options?: ReceiveOptions): Promise<string | null>
  receiveText(options?: ReceiveOptions): Promise<string | null> {
    return this.#around('receive', 'receiveText') ?? this.#own(this.raw.receiveText(options))
  }

  receiveBytes(): Promise<Uint8Array<ArrayBuffer>>
  receiveBytes(options?: ReceiveOptions): Promise<Uint8Array<ArrayBuffer> | null>
  receiveBytes(options?: ReceiveOptions): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#around('receive', 'receiveBytes') ?? this.#own(this.raw.receiveBytes(options))
  }

  receiveJson(options?: ReceiveOptions): Promise<unknown> {
    return this.#around('receive', 'receiveJson') ?? this.#own(this.raw.receiveJson(options))
  }

  receiveStream(): Promise<ReadableStream<string> | ReadableStream<Uint8Array>>
  receiveStream(options?: ReceiveOptions): Promise<ReadableStream<string> | ReadableStream<Uint8Array> | null>
  receiveStream(options?: ReceiveOptions): Promise<ReadableStream<string> | ReadableStream<Uint8Array> | null> {
    return this.#around('receive', 'receiveStream') ?? this.#own(this.raw.receiveStream(options))
  }

  sendStream(parts: SendableParts, options?: SendMessageOptions): Promise<boolean> {
    return this.#around('send', 'sendStream') ?? this.#own(this.raw.sendStream(parts, options))
  }

  sendJson(value: unknown, options?: SendMessageOptions): Promise<boolean> {
    return this.#around('send', 'sendJson') ?? this.#own(this.raw.sendJson(value, options))
  }

  /** A rejection when the way goes around a schema that the route has. */
  #around(direction: 'receive' | 'send', method: string): Promise<never> | undefined {
    if (this.#options[direction] === undefined) return undefined
    return quietRejection(new TypeError(`${method} goes around the schema of this route; use ${direction}`))
  }

  /** The same promise for the handler: its `ConnectionClosed` is that of this object, and ignoring it crashes nothing. */
  #own<T>(work: Promise<T>): Promise<T> {
    return quiet(
      work.catch((error: unknown) => {
        throw error instanceof ConnectionClosed && error.connection === this.raw
          ? new ConnectionClosed(error, this)
          : error
      }),
    )
  }

  ping(payload?: string | Uint8Array): Promise<number> {
    return this.#own(this.raw.ping(payload))
  }

  /** A topic sends what was encoded once for all its members. */
  sendShared(message: SharedMessage): boolean {
    return (this.raw as Connection & SharedSender).sendShared(message)
  }

  get readable(): ReadableStream<unknown> {
    this.#readable ??= readableOf(this as Connection<unknown, unknown> as Connection)
    return this.#readable
  }
  get writable(): WritableStream<unknown> {
    this.#writable ??= writableOf(this as Connection<unknown, unknown> as Connection)
    return this.#writable as WritableStream<unknown>
  }
}

function waitFor<T>(work: Promise<T>, patience: Patience | undefined): Promise<T> {
  return patience === undefined ? work : patience.wait(work)
}

/** The first issue, after its path as one would write it in code: `items[2].name: expected a string`. */
function describe(issues: readonly StandardIssue[]): string {
  const issue = issues[0]
  if (issue === undefined) return 'invalid message'
  let path = ''
  for (const segment of issue.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment
    if (typeof key === 'number') path += `[${key}]`
    else path += path === '' ? String(key) : `.${String(key)}`
  }
  return path === '' ? issue.message : `${path}: ${issue.message}`
}
