/** What the handshake tests share: requests and responses as bytes, and ways to feed them. */
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { HandshakeError, LocalProtocolError } from '../../src/codec/errors.ts'
import type { HandshakeEvent } from '../../src/codec/event.ts'
import type { Extension, FrameHeader, OutboundFragment } from '../../src/codec/extension.ts'
import type { ExtensionParameters, HeaderList } from '../../src/codec/header.ts'

/** Key and accept value of RFC 6455 §1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

export const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** The headers of a request that is accepted. */
export const REQUEST_HEADERS: HeaderList = [
  ['Host', 'example.com'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Key', KEY],
  ['Sec-WebSocket-Version', '13'],
]

/** `headers` with those of `changes` in place of the same name; `null` takes one away. */
export function changed(headers: HeaderList, changes: Readonly<Record<string, string | null>>): HeaderList {
  const kept = headers.filter(([name]) => !Object.keys(changes).some((key) => key.toLowerCase() === name.toLowerCase()))
  return [
    ...kept,
    ...Object.entries(changes).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])),
  ]
}

export function head(startLine: string, headers: HeaderList): string {
  return `${startLine}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

export function requestWire(headers: HeaderList = REQUEST_HEADERS, line = 'GET /chat?a=b HTTP/1.1'): string {
  return head(line, headers)
}

interface Receiver {
  receiveData(data: Uint8Array | null): Iterable<HandshakeEvent>
}

/** Feeds chunks, `null` for the end of the transport, and collects the events. */
export function feed(receiver: Receiver, ...chunks: (string | Uint8Array | null)[]): HandshakeEvent[] {
  const events: HandshakeEvent[] = []
  for (const chunk of chunks) events.push(...receiver.receiveData(typeof chunk === 'string' ? latin1(chunk) : chunk))
  return events
}

/** The splits that every wire is fed in: whole, byte by byte, and cut at every place. */
export function splits(wire: string): Uint8Array[][] {
  const all = latin1(wire)
  const cuts = Array.from(all, (_, i) => [all.slice(0, i), all.slice(i)])
  return [[all], Array.from(all, (byte) => Uint8Array.of(byte)), ...cuts]
}

/** The `HandshakeError` that `run` throws. */
export function refusal(run: () => unknown): HandshakeError {
  const error = thrown(run)
  if (error instanceof HandshakeError) return error
  throw error
}

/** The `LocalProtocolError` that `run` throws. */
export function misuse(run: () => unknown): LocalProtocolError {
  const error = thrown(run)
  if (error instanceof LocalProtocolError) return error
  throw error
}

function thrown(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown')
}

/** Milliseconds of processor time that `run` takes, whatever else the machine does. */
export function processorTime(run: () => void): number {
  const before = process.cpuUsage()
  run()
  return process.cpuUsage(before).user / 1_000
}

/** An extension that negotiates as it is told, and does nothing. */
export class TestExtension implements Extension {
  readonly name: string
  enabled = false
  /** What `accept` or `finalize` was given. */
  given: ExtensionParameters | undefined
  readonly #offers: readonly ExtensionParameters[]
  readonly #answer: ExtensionParameters | null

  constructor(name: string, offers: readonly ExtensionParameters[] = [[]], answer: ExtensionParameters | null = []) {
    this.name = name
    this.#offers = offers
    this.#answer = answer
  }

  offer(): readonly ExtensionParameters[] {
    return this.#offers
  }

  accept(offer: ExtensionParameters): ExtensionParameters | null {
    this.given = offer
    this.enabled = this.#answer !== null
    return this.#answer
  }

  finalize(answer: ExtensionParameters): boolean {
    this.given = answer
    this.enabled = this.#answer !== null
    return this.enabled
  }

  start(): void {}

  inboundHeader(_header: FrameHeader): number {
    return 0
  }

  inboundPayload(data: Uint8Array): Uint8Array {
    return data
  }

  inboundComplete(): Uint8Array {
    return new Uint8Array(0)
  }

  outbound(_opcode: number, payload: Uint8Array): OutboundFragment {
    return { rsv: 0, payload }
  }

  dispose(): void {}
}
