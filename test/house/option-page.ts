/** The tables of docs/security.md, made of the tables that check options, and of the limits that no option changes. */
import { DEFAULT_MAX_HEAD_SIZE } from '../../src/codec/http-head.ts'
import { DRAIN_TIMES, RETRY_AFTER } from '../../src/connection/live-connections.ts'
import type {
  ChoiceRule,
  DetailRule,
  FlagRule,
  FunctionRule,
  NumberRule,
  OptionTable,
} from '../../src/connection/option-table.ts'
import { CONNECTION_OPTIONS, type ConnectionOptions, DEFLATE_OPTIONS } from '../../src/connection/options.ts'
import { bunWebSocketHandler } from '../../src/runtime/bun.ts'
import { DIAL_LIMITS, MAX_REFUSAL_BODY } from '../../src/runtime/client-options.ts'
import { OPEN_LIMIT } from '../../src/runtime/deno.ts'
import { UNCLAIMED } from '../../src/runtime/raw-upgrader.ts'
import { RECONNECT_OPTIONS } from '../../src/runtime/reconnect-loop.ts'
import { ATTACH_OPTIONS } from '../../src/runtime/server-options.ts'
import { ROUTE_OPTIONS } from '../../src/sock/route-options.ts'

type Rule = NumberRule | ChoiceRule<string> | FlagRule | DetailRule<object> | FunctionRule
/** Units that are shorter in a table. */
const SHORT: Readonly<Record<string, string>> = { milliseconds: 'ms', 'zlib levels': '', 'zlib memory levels': '' }

type NamesOf<T> = Record<keyof T, string>

/** What happens at the edge of each option: the Close or the HTTP status, and who feels it. */
const CONNECTION_EDGES: NamesOf<Required<ConnectionOptions>> = {
  maxMessageSize: 'close 1009',
  maxFragments: 'close 1008',
  inboxMessages: 'the socket is paused',
  inboxBytes: 'the socket is paused',
  highWaterMark: '`send` waits, or what `sendPolicy` says',
  maxBufferedAmount: '`send` rejects, close 1013',
  sendPolicy: '`close`: 1013; `drop`: `send` gives `false`',
  pingInterval: 'a Ping is sent',
  pongTimeout: 'dropped, 1006',
  idleTimeout: 'close 1001',
  maxLifetime: 'close 1001',
  closeTimeout: 'the transport is dropped',
  permessageDeflate: 'data that does not inflate: close 1007',
  onPing: 'an error in it: close 1011',
  onPong: 'an error in it: close 1011',
}

const DEFLATE_EDGES: NamesOf<typeof DEFLATE_OPTIONS> = {
  serverNoContextTakeover: '`false` holds a compressor for each connection',
  clientNoContextTakeover: '`false` holds a decompressor for each connection',
  serverMaxWindowBits: 'an offer that asks for less gets less',
  clientMaxWindowBits: 'left out when the client does not let us ask',
  level: '0 does not compress',
  memLevel: '9 takes most memory',
  threshold: '`Infinity` compresses nothing that we send',
}

const ROUTE_EDGES: NamesOf<typeof ROUTE_OPTIONS> = {
  requireSubprotocol: '400',
  handshakeTimeout: '503 with Retry-After',
  maxConnections: '503 with Retry-After',
  maxConnectionsPerKey: '429 with Retry-After',
  connectionKey: '`undefined` counts for nobody; an error in it, or what is no string: 500',
  beforeUpgrade: 'what it returns or throws; any other error: 500',
  onError: 'an error in it is reported with `console.error`',
  errorToClose: '`undefined`: close 1011',
  onClose: 'an error in it is reported with `console.error`',
  onInvalid: 'without it: close 1007',
}

const SERVER_EDGES: NamesOf<typeof ATTACH_OPTIONS> = {
  handshakeTimeout: '503 with Retry-After',
  onError: '500',
}

const DRAIN_EDGES: NamesOf<typeof DRAIN_TIMES> = {
  deadline: 'what is left is dropped, 1006; handlers that still run are counted as `unfinished`',
  spread: 'every Close has been sent; a `spread` beyond `deadline` counts as that',
}

const DIAL_EDGES: NamesOf<typeof DIAL_LIMITS> = {
  connectTimeout: '`HandshakeError` with `status` 0, or that of a refusal whose body does not end',
  maxRedirects: '`HandshakeError` with the status of the redirect',
}

const RECONNECT_EDGES: NamesOf<typeof RECONNECT_OPTIONS> = {
  minDelay: 'the wait is random between 0 and its bound',
  maxDelay: 'the bound grows no further',
  maxAttempts: 'the last error is thrown',
  onRetry: 'an error in it is thrown',
}

/** What has no option of ours. */
const FIXED: readonly [limit: string, value: string, edge: string][] = [
  [
    '`Retry-After` of a 503 or 429 of ours: a cap is full, a handshake took too long, or a drain has begun',
    `${RETRY_AFTER} s`,
    'the client may try again; `reconnect` keeps to its own waits',
  ],
  [
    "Time that other 'upgrade' listeners beside ours have to take a request that the application does not accept",
    `${grouped(UNCLAIMED)} ms`,
    'the answer of the application is sent',
  ],
  [
    'Time from the 101 to the open socket on `Deno.serve`',
    `${grouped(OPEN_LIMIT)} ms`,
    'the connection is dropped, and its handler never starts',
  ],
  [
    'Longest message on `Bun.serve`, whatever `maxMessageSize` says; `{ ...sock.websocket, maxPayloadLength }` sets another',
    `${grouped(bunWebSocketHandler.maxPayloadLength)} bytes`,
    'the peer sees 1009, the handler 1006',
  ],
  ['Head of the answer to `connect`', `${grouped(DEFAULT_MAX_HEAD_SIZE)} bytes`, '`HandshakeError` with `status` 0'],
  ['Body of a refusal that `connect` keeps', `${grouped(MAX_REFUSAL_BODY)} bytes`, 'the rest is not read'],
]

/** Every table, by the name of its place in the page. */
export const OPTION_TABLES: Readonly<Record<string, string>> = {
  connection: table(CONNECTION_OPTIONS, CONNECTION_EDGES),
  deflate: table(DEFLATE_OPTIONS, DEFLATE_EDGES),
  route: table(ROUTE_OPTIONS, ROUTE_EDGES),
  server: table(ATTACH_OPTIONS, SERVER_EDGES),
  drain: table(DRAIN_TIMES, DRAIN_EDGES),
  connect: table(DIAL_LIMITS, DIAL_EDGES),
  reconnect: table(RECONNECT_OPTIONS, RECONNECT_EDGES),
  fixed: markdownTable(['limit', 'value', 'at the edge'], FIXED),
}

/** Puts the tables in their places: between `<!-- options: name -->` and `<!-- end -->`. */
export function withTables(page: string): string {
  const left = new Set(Object.keys(OPTION_TABLES))
  const filled = page.replace(/(<!-- options: (\w+) -->)[\s\S]*?(<!-- end -->)/g, (_, start, name: string, end) => {
    if (!left.delete(name)) throw new Error(`docs/security.md has no one place for the options of ${name}`)
    return `${start}\n\n${OPTION_TABLES[name]}\n\n${end}`
  })
  if (left.size > 0) throw new Error(`docs/security.md has no place for the options of ${[...left].join(', ')}`)
  return filled
}

function table<T>(rules: OptionTable<T>, edges: Readonly<Record<string, string>>): string {
  const rows = Object.entries(rules as Record<string, Rule>).map(([name, rule]) => [
    `\`${name}\``,
    rule.doc,
    defaultOf(rule),
    rangeOf(rule),
    edges[name] ?? '',
  ])
  return markdownTable(['option', 'what it says', 'default', 'may be', 'at the edge'], rows)
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function defaultOf(rule: Rule): string {
  switch (rule.kind) {
    case 'number':
      if (rule.default === Number.POSITIVE_INFINITY) return '`Infinity`'
      return `${grouped(rule.default)} ${SHORT[rule.unit] ?? rule.unit}`.trimEnd()
    case 'function':
      return 'none'
    case 'choice':
      return `\`'${rule.default}'\``
    default:
      return `\`${rule.default}\``
  }
}

function rangeOf(rule: Rule): string {
  switch (rule.kind) {
    case 'number': {
      const { min, max, integer, unlimited } = rule
      const range = max === Number.MAX_SAFE_INTEGER ? `from ${grouped(min)}` : `${grouped(min)} to ${grouped(max)}`
      return `${range}${integer ? '' : ', fractions too'}${unlimited ? ', or `Infinity`' : ''}`
    }
    case 'choice':
      return rule.choices.map((choice) => `\`'${choice}'\``).join(', ')
    case 'flag':
      return '`true`, `false`'
    case 'detail':
      return '`true`, `false`, or an object'
    case 'function':
      return 'a function'
  }
}

/** `1048576` as `1,048,576`. */
function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
