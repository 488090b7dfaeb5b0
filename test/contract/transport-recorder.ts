/** A `TransportListener` that records what it hears and lets a test wait for it, on any runtime. */
import assert from 'node:assert/strict'
import type { ByteTransport, TransportEnd, TransportListener } from '../../src/connection/transport.ts'

type Heard = 'data' | 'drain' | 'end' | `close ${TransportEnd}`

/** How long a case waits for what must come, in milliseconds. */
const PATIENCE = 10_000

export class Recorder implements TransportListener {
  /** What was called, in order; neighbouring `data` are one. */
  readonly heard: Heard[] = []
  readonly chunks: Uint8Array[] = []
  received = 0
  /** Set while the test is inside a call of the transport, where nothing may be heard. */
  calling = ''
  reentered = ''
  /** What to do, besides recording, when something is heard. */
  react: (heard: Heard, chunk?: Uint8Array) => void = () => {}
  #waiting: (() => void)[] = []

  onData(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.received += chunk.length
    this.#hear('data', chunk)
  }

  onDrain(): void {
    this.#hear('drain')
  }

  onEnd(): void {
    this.#hear('end')
  }

  onClose(how: TransportEnd): void {
    this.#hear(`close ${how}`)
  }

  count(heard: Heard | 'close'): number {
    return this.heard.filter((one) => one === heard || (heard === 'close' && one.startsWith('close'))).length
  }

  get closed(): boolean {
    return this.count('close') > 0
  }

  /** Everything received, joined. */
  bytes(): Uint8Array {
    return Buffer.concat(this.chunks)
  }

  /** Runs a call of the transport during which this listener must hear nothing. */
  quietly<T>(name: string, call: () => T): T {
    this.calling = name
    try {
      return call()
    } finally {
      this.calling = ''
    }
  }

  /** Resolves as soon as `condition` holds; checked at once and after everything heard. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE
    while (!condition()) {
      const left = deadline - performance.now()
      if (left <= 0) assert.fail(`${what} did not happen; heard ${this.heard.join(', ') || 'nothing'}`)
      await this.#next(Math.min(left, 50))
    }
  }

  async untilClosed(): Promise<void> {
    await this.until('onClose', () => this.closed)
  }

  #next(atMost: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, atMost)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #hear(heard: Heard, chunk?: Uint8Array): void {
    if (this.calling !== '') this.reentered = `${heard} inside ${this.calling}`
    if (heard !== 'data' || this.heard.at(-1) !== 'data') this.heard.push(heard)
    this.react(heard, chunk)
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

/** Attaches a new recorder. */
export function record(transport: ByteTransport): Recorder {
  const recorder = new Recorder()
  transport.attach(recorder)
  return recorder
}

/** Lets the runtime do what it has to do: some turns of its loop, I/O included. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Resolves when `measure` has given the same figure for a while: how a stalled stream is recognised. */
export async function steady(measure: () => number): Promise<number> {
  let last = measure()
  for (let same = 0; same < 20; ) {
    await turns(2)
    const now = measure()
    same = now === last ? same + 1 : 0
    last = now
  }
  return last
}

/** `length` bytes that differ from place to place, so that a byte lost, doubled or moved shows. */
export function pattern(length: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) {
    const at = start + i
    bytes[i] = (at ^ (at >>> 8) ^ (at >>> 16)) & 0xff
  }
  return bytes
}

/** Fails when `received` is not `pattern(length)`. */
export function assertPattern(received: Uint8Array, length: number): void {
  assert.equal(received.length, length)
  assert.ok(Buffer.from(received.buffer, received.byteOffset, length).equals(pattern(length)), 'the bytes differ')
}
