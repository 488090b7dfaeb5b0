/** Web streams over a connection: backpressure of the stream becomes backpressure of the connection. */
import { CloseCode } from '../codec/close-code.ts'
import { ConnectionClosed } from '../codec/errors.ts'
import type { Connection, Received, Sendable } from './connection.ts'

/**
 * Messages as a stream. Pulling is `receive`; a normal end closes the stream, any other errors it. Cancelling closes with
 * 1000, or with 1011 when it has a reason, as that of a pipe whose other end has failed.
 */
export function readableOf(connection: Connection): ReadableStream<Received> {
  const messages = connection[Symbol.asyncIterator]()
  return new ReadableStream<Received>(
    {
      async pull(controller) {
        const { value, done } = await messages.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel(reason) {
        await connection.close(reason === undefined ? CloseCode.NORMAL_CLOSURE : CloseCode.INTERNAL_ERROR)
      },
    },
    { highWaterMark: 0 },
  )
}

/** A stream whose writes are `send`. Closing it closes with 1000; aborting it, or a write that fails, with 1011. */
export function writableOf(connection: Connection): WritableStream<Sendable> {
  return new WritableStream<Sendable>(
    {
      start(controller) {
        void connection.closed.then((info) => controller.error(new ConnectionClosed(info, connection)))
      },
      async write(message) {
        try {
          await connection.send(message)
        } catch (error) {
          // The stream is of no more use: nobody else would close.
          void connection.close(CloseCode.INTERNAL_ERROR)
          throw error
        }
      },
      async close() {
        await connection.close()
      },
      async abort() {
        await connection.close(CloseCode.INTERNAL_ERROR)
      },
    },
    { highWaterMark: 1 },
  )
}

/** A message that is here as a whole, as a stream of one part. */
export function singlePartStream(message: string | Uint8Array): ReadableStream<string> | ReadableStream<Uint8Array> {
  const stream = new ReadableStream<string | Uint8Array>({
    start(controller) {
      if (message.length > 0) controller.enqueue(message)
      controller.close()
    },
  })
  return stream as ReadableStream<string> | ReadableStream<Uint8Array>
}

/** The parts of one message while they arrive. */
export class PartStream {
  readonly stream: ReadableStream<string> | ReadableStream<Uint8Array>
  #controller!: ReadableStreamDefaultController<Received>
  #cancelled = false

  /** @param onPull the reader wants more: parsing may go on */
  constructor(onPull: () => void) {
    const stream = new ReadableStream<Received>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: onPull,
        cancel: () => {
          this.#cancelled = true
          onPull()
        },
      },
      { highWaterMark: 1 },
    )
    this.stream = stream as ReadableStream<string> | ReadableStream<Uint8Array>
  }

  /** Whether the reader has room for another part. A reader that cancelled lets the rest of the message pass unread. */
  get wantsMore(): boolean {
    return this.#cancelled || (this.#controller.desiredSize ?? 0) > 0
  }

  push(part: Received, last: boolean): void {
    if (this.#cancelled) return
    if (part.length > 0) this.#controller.enqueue(part)
    // `enqueue` asks for more at once, and what is parsed then may end the connection.
    if (last && !this.#cancelled) this.#controller.close()
  }

  /** The connection ended inside the message, or closes and cannot wait for the reader: the rest passes unread. */
  fail(error: Error): void {
    if (!this.#cancelled) this.#controller.error(error)
    this.#cancelled = true
  }
}
