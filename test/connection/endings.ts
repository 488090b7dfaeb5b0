/** How a connection can end, as a table: what ends it, what was pending, and what must come of both. */
import type { CloseInfo } from '../../src/codec/errors.ts'
import type { ConnectionOptions } from '../../src/connection/options.ts'

/** What was pending when it ended. */
export const PENDING = ['nothing', 'receive', 'iteration', 'send', 'sendStream', 'ping', 'stream'] as const
/**
 * - `receive`: a call of `receive`
 * - `iteration`: the next step of `for await`
 * - `send`: a send that waits because the peer does not read
 * - `sendStream`: a message whose source gives no further part
 * - `ping`: a Ping without its Pong
 * - `stream`: the next part of a message that is received in parts
 */
export type Pending = (typeof PENDING)[number]

/** One way to end. */
export interface Ending {
  /** What happens. */
  readonly name: string
  /** Who does it: our handler, the peer, a timer of ours, or our server. */
  readonly by: 'handler' | 'peer' | 'timer' | 'server'
  /** Options that bring it about. */
  readonly options?: ConnectionOptions
  /** Whether the peer answers a Close of ours. @default true */
  readonly answered?: boolean
  /** How the connection ends, `null`: it does not. A reason as a pattern where it is only said to a human. */
  readonly info: Expected | null
  /** The same when the peer does not read, and so never sees a Close of ours. @default info */
  readonly unread?: Expected
  /** Whether iteration ends without an error. */
  readonly quiet: boolean
}

/** A `CloseInfo` whose reason may be a pattern. */
export type Expected = Omit<CloseInfo, 'reason'> & { readonly reason: string | RegExp }

/** Milliseconds of the timers below: long enough for every cell to get ready on a busy machine. */
export const TIMER = 3000
/** Milliseconds that a Close waits for its answer. */
export const CLOSE_TIMEOUT = 1000

function local(code: number, reason: string | RegExp, wasClean: boolean): Expected {
  return { code, reason, wasClean, initiator: 'local' }
}

const UNANSWERED = local(1006, '', false)
const BROKEN: Expected = { code: 1006, reason: '', wasClean: false, initiator: 'transport' }

export const ENDINGS: readonly Ending[] = [
  {
    name: 'we close with 1000',
    by: 'handler',
    info: local(1000, '', true),
    unread: UNANSWERED,
    quiet: true,
  },
  {
    name: 'we close with 4000',
    by: 'handler',
    info: local(4000, 'ours', true),
    unread: UNANSWERED,
    quiet: false,
  },
  {
    name: 'the peer closes with 1000',
    by: 'peer',
    info: { code: 1000, reason: '', wasClean: true, initiator: 'remote' },
    quiet: true,
  },
  {
    name: 'the peer closes with 4001',
    by: 'peer',
    info: { code: 4001, reason: 'theirs', wasClean: true, initiator: 'remote' },
    quiet: false,
  },
  {
    name: 'the peer closes without a code',
    by: 'peer',
    info: { code: 1005, reason: '', wasClean: true, initiator: 'remote' },
    quiet: true,
  },
  {
    name: 'the peer breaks the protocol',
    by: 'peer',
    info: local(1002, /reserved/i, false),
    quiet: false,
  },
  {
    name: 'the peer says that we broke the protocol',
    by: 'peer',
    info: { code: 1002, reason: 'you did', wasClean: true, initiator: 'remote' },
    quiet: false,
  },
  {
    name: 'the peer sends too much',
    by: 'peer',
    info: local(1009, /maxMessageSize/, false),
    quiet: false,
  },
  {
    name: 'no life within pongTimeout',
    by: 'timer',
    options: { pingInterval: TIMER / 2, pongTimeout: TIMER / 2 },
    info: local(1006, 'Ping timeout', false),
    quiet: false,
  },
  {
    name: 'idleTimeout',
    by: 'timer',
    options: { idleTimeout: TIMER },
    info: local(1001, 'Idle timeout', true),
    unread: UNANSWERED,
    quiet: true,
  },
  {
    name: 'maxLifetime',
    by: 'timer',
    options: { maxLifetime: TIMER },
    info: local(1001, 'Maximum lifetime reached', true),
    unread: UNANSWERED,
    quiet: true,
  },
  {
    name: 'R29 the peer never answers our Close',
    by: 'handler',
    answered: false,
    info: UNANSWERED,
    quiet: false,
  },
  { name: 'R19 the peer ends TCP', by: 'peer', info: BROKEN, quiet: false },
  { name: 'R36 the peer resets TCP', by: 'peer', info: BROKEN, quiet: false },
  { name: 'we terminate', by: 'handler', info: UNANSWERED, quiet: false },
  { name: 'the signal of receive aborts', by: 'handler', info: null, quiet: false },
  {
    name: 'the server drains',
    by: 'server',
    info: local(1001, '', true),
    unread: UNANSWERED,
    quiet: true,
  },
  {
    name: 'R10 the handler throws',
    by: 'handler',
    info: local(1011, '', true),
    unread: UNANSWERED,
    quiet: false,
  },
]

/** The reason of the abort above. */
export const ABORT_REASON = 'enough'

/** One cell: what must come of it. */
export interface Cell {
  readonly ending: Ending
  readonly pending: Pending
  readonly title: string
  readonly info: Expected | null
  /** `rejects` with the `ConnectionClosed` of this end, `done` for an iteration, `aborted`, or still `pending`. */
  readonly outcome: 'rejects' | 'done' | 'aborted' | 'pending' | 'none'
}

export const CELLS: readonly Cell[] = ENDINGS.flatMap((ending) =>
  PENDING.map((pending) => ({
    ending,
    pending,
    title: `S8 S23 ${ending.name}; pending: ${pending}`,
    info: pending === 'send' ? (ending.unread ?? ending.info) : ending.info,
    outcome: outcomeOf(ending, pending),
  })),
)

function outcomeOf({ info, quiet }: Ending, pending: Pending): Cell['outcome'] {
  if (pending === 'nothing') return 'none'
  if (info === null) return pending === 'receive' ? 'aborted' : 'pending'
  return pending === 'iteration' && quiet ? 'done' : 'rejects'
}

/** Options of a cell's connection. */
export function optionsOf({ options }: Ending): ConnectionOptions {
  return {
    pingInterval: Number.POSITIVE_INFINITY,
    closeTimeout: CLOSE_TIMEOUT,
    maxMessageSize: 1_000_000,
    maxBufferedAmount: 256 * 1024 * 1024,
    ...options,
  }
}

/** First byte and payload of the frame with which a peer ends a connection. */
const PEER_FRAMES: Readonly<Record<string, readonly [firstByte: number, payload: string]>> = {
  'the peer closes with 1000': [0x88, '\x03\xe8'],
  'the peer closes with 4001': [0x88, '\x0f\xa1theirs'],
  'the peer closes without a code': [0x88, ''],
  'the peer breaks the protocol': [0xc2, ''],
  'the peer says that we broke the protocol': [0x88, '\x03\xeayou did'],
}

/**
 * The frame as the peer sends it, one character for each byte; `undefined`: none.
 *
 * @param masked with a key of zeros, as a client does
 */
export function peerFrame({ name }: Ending, pending: Pending, masked: boolean = true): string | undefined {
  const bit = masked ? 0x80 : 0
  const key = masked ? '\0\0\0\0' : ''
  if (name === 'the peer sends too much') {
    // Of a message in parts it is the next fragment that is too much.
    return `${String.fromCharCode(pending === 'stream' ? 0x80 : 0x82, bit | 127)}\0\0\0\0\x7f\xff\xff\xff${key}`
  }
  const frame = PEER_FRAMES[name]
  if (frame === undefined) return undefined
  return `${String.fromCharCode(frame[0], bit | frame[1].length)}${key}${frame[1]}`
}
