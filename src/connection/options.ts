/**
 * Every option of a connection: type, unit, default, range.
 *
 * The table at the end is what checks options at the call and what docs/security.md is made of. All limits are on by
 * default; unlimited is spelled `Infinity`.
 */
import { DEFLATE_DEFAULTS, DEFLATE_RANGES, type DeflateOptions } from '../codec/deflate-parameters.ts'
import {
  checkOptions,
  type Defaults,
  defaultsOf,
  type Filled,
  type NumberRule,
  type OptionTable,
} from './option-table.ts'

export type { DeflateOptions } from '../codec/deflate-parameters.ts'

/** What to do with a message for a peer that does not read (`sendPolicy`). */
export type SendPolicy = 'wait' | 'close' | 'drop'

/** What may be said about a connection. Every option has a default; wrong values are refused at the call. */
export interface ConnectionOptions {
  /**
   * Largest message that is received, in bytes after decompression. A longer one fails the connection with 1009
   * (RFC 6455 §7.4.1): checked on the frame header, before memory is spent, and again on every inflated piece.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxMessageSize?: number | undefined
  /** Most fragments that a message may have; one more fails the connection with 1008. @default 131_072 */
  maxFragments?: number | undefined
  /** Unread messages above which the socket is paused, as for `inboxBytes`. @default 16 */
  inboxMessages?: number | undefined
  /**
   * Unread bytes above which the socket is paused, until half of them have been received. A text counts by its
   * UTF-16 code units, and 64 are added for each message.
   *
   * One more chunk, of 64 KiB as a rule, is read before the pause. What has been read is parsed up to 16 times this
   * size, so that a Ping among it is answered and a Close seen while the handler is busy. A Ping or Close that the peer
   * sent behind more than that waits: while the inbox stays full, one chunk is read each `pingInterval`, 16 at most,
   * and none when `pingInterval` is `Infinity`. So a handler that does not receive holds about 16 × `inboxBytes` +
   * 1 MiB, or one message if that is larger, and a peer that is slower to be answered is not failed for it.
   *
   * @default 65_536
   */
  inboxBytes?: number | undefined
  /**
   * Unsent bytes above which `send` waits. The socket has a mark of its own, of 16 or 64 KiB, below which nothing waits.
   *
   * @default 65_536
   */
  highWaterMark?: number | undefined
  /**
   * Unsent bytes above which a further message is not queued: `send` rejects and the connection is closed with 1013.
   * Reached only by a caller that does not await `send`.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBufferedAmount?: number | undefined
  /**
   * What `send` does above `highWaterMark`: `wait` until the peer has read, `close` the connection with 1013, or
   * `drop` this message and resolve to `false`.
   *
   * @default 'wait'
   */
  sendPolicy?: SendPolicy | undefined
  /** Milliseconds between pings. `Infinity`: none. @default 20_000 */
  pingInterval?: number | undefined
  /** Milliseconds after a ping within which any byte must arrive, else the connection fails with 1006. @default 20_000 */
  pongTimeout?: number | undefined
  /**
   * Milliseconds without a message in either direction after which we close with 1001, at the latest an eighth later.
   *
   * @default Infinity
   */
  idleTimeout?: number | undefined
  /** Milliseconds after which we close with 1001, whatever happens. @default Infinity */
  maxLifetime?: number | undefined
  /** Milliseconds that our Close waits for the peer's before the transport is dropped. @default 10_000 */
  closeTimeout?: number | undefined
  /** permessage-deflate (RFC 7692): `true` for its defaults. @default false */
  permessageDeflate?: boolean | DeflateOptions | undefined
  /** Called with the payload of every Ping received; it has been answered already. */
  onPing?: ((payload: Uint8Array) => void) | undefined
  /** Called with the payload of every Pong received. */
  onPong?: ((payload: Uint8Array) => void) | undefined
}

/** Connection options with every default filled in. */
export type ResolvedConnectionOptions = Filled<Omit<ConnectionOptions, 'onPing' | 'onPong'>> &
  Pick<ConnectionOptions, 'onPing' | 'onPong'>

const bytes = {
  kind: 'number',
  unit: 'bytes',
  min: 1,
  max: Number.MAX_SAFE_INTEGER,
  integer: true,
  unlimited: true,
} as const
/** A runtime's timer takes at most 2^31 - 1 milliseconds: beyond it fires at once. */
export const milliseconds = {
  kind: 'number',
  unit: 'milliseconds',
  min: 1,
  max: 2_147_483_647,
  integer: false,
  unlimited: true,
} as const

function count(unit: string): Omit<NumberRule, 'default' | 'doc'> {
  return { kind: 'number', unit, min: 1, max: Number.MAX_SAFE_INTEGER, integer: true, unlimited: true }
}

function within(unit: string, min: number, max: number): Omit<NumberRule, 'default' | 'doc'> {
  return { kind: 'number', unit, min, max, integer: true, unlimited: false }
}

/** Every parameter of permessage-deflate: unit, range, default. */
export const DEFLATE_OPTIONS: OptionTable<DeflateOptions> = {
  serverNoContextTakeover: {
    kind: 'flag',
    default: DEFLATE_DEFAULTS.serverNoContextTakeover,
    doc: 'Keep no context between messages that the server sends.',
  },
  clientNoContextTakeover: {
    kind: 'flag',
    default: DEFLATE_DEFAULTS.clientNoContextTakeover,
    doc: 'Ask the client to keep no context between messages that it sends.',
  },
  serverMaxWindowBits: {
    ...within('bits', ...DEFLATE_RANGES.serverMaxWindowBits),
    default: DEFLATE_DEFAULTS.serverMaxWindowBits,
    doc: "Window of the server's compressor, as a power of two.",
  },
  clientMaxWindowBits: {
    ...within('bits', ...DEFLATE_RANGES.clientMaxWindowBits),
    default: DEFLATE_DEFAULTS.clientMaxWindowBits,
    doc: "Window of the client's compressor, as a power of two, asked for when the client lets us.",
  },
  level: {
    ...within('zlib levels', ...DEFLATE_RANGES.level),
    default: DEFLATE_DEFAULTS.level,
    doc: 'How hard zlib tries.',
  },
  memLevel: {
    ...within('zlib memory levels', ...DEFLATE_RANGES.memLevel),
    default: DEFLATE_DEFAULTS.memLevel,
    doc: 'How much memory zlib takes to compress.',
  },
  threshold: {
    ...bytes,
    min: DEFLATE_RANGES.threshold[0],
    default: DEFLATE_DEFAULTS.threshold,
    doc: 'Messages shorter than this are sent as they are.',
  },
}

/** Every option of a connection: unit, range, default. */
export const CONNECTION_OPTIONS: OptionTable<ConnectionOptions> = {
  maxMessageSize: {
    ...bytes,
    default: 1_048_576,
    doc: 'Largest message that is received, after decompression; a longer one fails the connection with 1009.',
  },
  maxFragments: {
    ...count('fragments'),
    default: 131_072,
    doc: 'Most fragments that a message may have; one more fails the connection with 1008.',
  },
  inboxMessages: {
    ...count('messages'),
    default: 16,
    doc: 'Unread messages above which the socket is paused.',
  },
  inboxBytes: { ...bytes, default: 65_536, doc: 'Unread bytes above which the socket is paused.' },
  highWaterMark: { ...bytes, default: 65_536, doc: 'Unsent bytes above which `send` waits.' },
  maxBufferedAmount: {
    ...bytes,
    default: 16_777_216,
    doc: 'Unsent bytes above which a further message is refused and the connection closed with 1013.',
  },
  sendPolicy: {
    kind: 'choice',
    choices: ['wait', 'close', 'drop'],
    default: 'wait',
    doc: 'What `send` does above `highWaterMark`: wait, close the connection with 1013, or drop the message.',
  },
  pingInterval: { ...milliseconds, default: 20_000, doc: 'Time between pings.' },
  pongTimeout: {
    ...milliseconds,
    default: 20_000,
    doc: 'Time after a ping within which any byte must arrive, else the connection fails with 1006.',
  },
  idleTimeout: {
    ...milliseconds,
    default: Number.POSITIVE_INFINITY,
    doc: 'Time without a message in either direction after which we close with 1001.',
  },
  maxLifetime: {
    ...milliseconds,
    default: Number.POSITIVE_INFINITY,
    doc: 'Time after which we close with 1001, whatever happens.',
  },
  closeTimeout: {
    ...milliseconds,
    min: 0,
    default: 10_000,
    doc: "Time that our Close waits for the peer's before the transport is dropped.",
  },
  permessageDeflate: {
    kind: 'detail',
    options: DEFLATE_OPTIONS,
    default: false,
    doc: 'permessage-deflate (RFC 7692): `true` for its defaults, or its parameters.',
  },
  onPing: { kind: 'function', default: undefined, doc: 'Called with the payload of every Ping received.' },
  onPong: { kind: 'function', default: undefined, doc: 'Called with the payload of every Pong received.' },
}

const DEFAULTS: Defaults<ConnectionOptions> = defaultsOf(CONNECTION_OPTIONS)

/**
 * Merges options over the defaults. Later layers win; `undefined` does not override. An object of
 * `permessageDeflate` replaces an earlier one as a whole.
 *
 * @throws {TypeError} for an unknown option or a value of the wrong type
 * @throws {RangeError} for a value out of range, or a `highWaterMark` above `maxBufferedAmount`
 */
export function resolveConnectionOptions(...layers: (ConnectionOptions | undefined)[]): ResolvedConnectionOptions {
  const resolved: Record<string, unknown> = { ...DEFAULTS }
  for (const layer of layers) {
    if (layer === undefined) continue
    checkOptions(CONNECTION_OPTIONS, layer)
    for (const [name, value] of Object.entries(layer)) if (value !== undefined) resolved[name] = value
  }
  const options = resolved as unknown as ResolvedConnectionOptions
  if (options.highWaterMark > options.maxBufferedAmount) {
    throw new RangeError(
      `highWaterMark (${options.highWaterMark} bytes) must not exceed maxBufferedAmount (${options.maxBufferedAmount} bytes)`,
    )
  }
  return options
}
