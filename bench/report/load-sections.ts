/** The sections of what was measured under load: echo, fan-out, permessage-deflate, fairness, handshakes, HTTP. */
import type { BroadcastRow } from '../broadcast.ts'
import type { DeflateRow } from '../deflate.ts'
import type { EchoRow } from '../echo.ts'
import { loadResult, type Result } from '../results.ts'
import type { Figure, Row } from '../rounds.ts'
import { hasFailed } from '../subjects.ts'
import { type Cell, cellOf, count, failures, numberOf, page, ratio, spread, table } from './markdown.ts'
import { barChart } from './svg.ts'

export type Plots = Map<string, string>

const REFERENCE: Readonly<Record<string, string>> = {
  node: 'node ws',
  'node-current': 'node-current ws',
  bun: 'bun native',
  deno: 'deno native',
}
const RUNTIMES: Readonly<Record<string, string>> = {
  node: 'Node',
  'node-current': 'Current Node',
  bun: 'Bun',
  deno: 'Deno',
}
/** A load that used more of its core than this may have been the limit. */
const LOAD_LIMIT = 0.95

export function measured({ environment, took }: Result<unknown>): string {
  const { date, load, commit } = environment
  return `Measured ${date.slice(0, 16).replace('T', ' ')} UTC in ${took} s at ${commit}; load average before it ${load}.`
}

export function echoSection(aside: boolean, plots: Plots): string {
  const result = loadResult<EchoRow>('echo', aside)
  if (result === undefined) return ''
  const parts = ['## Echo', measured(result)]
  const picked = result.rows.filter((row) => row.shape === '50×16×64 B' && row.mode === 'text')
  const good = picked.flatMap(({ subject, figure }) => (hasFailed(figure) ? [] : [{ subject, rate: figure.rate }]))
  if (good.length > 0) {
    const bars = good.map(({ subject, rate }) => ({
      name: subject,
      value: rate,
      label: `${count(rate)}/s`,
      ours: subject.includes('ours'),
    }))
    plots.set('echo', barChart('Echo, 50 connections × 16 in flight × 64 B: messages a second', bars))
    parts.push('![Echo, messages a second](performance/echo.svg)')
  }
  for (const mode of ['text', 'binary'] as const) {
    const rows = result.rows.filter((row) => row.mode === mode)
    if (rows.length === 0) continue
    const shapes = [...new Set(rows.map((row) => row.shape))]
    for (const [runtime, reference] of Object.entries(REFERENCE)) {
      const subjects = [...new Set(rows.map((row) => row.subject))].filter((name) => name.startsWith(`${runtime} `))
      if (subjects.length === 0) continue
      const at = (subject: string, shape: string) =>
        rows.find((row) => row.subject === subject && row.shape === shape)?.figure
      const cells = subjects.map((subject): Cell[] => [
        subject,
        ...shapes.map((shape) =>
          cellOf(
            at(subject, shape),
            (figure) => `${count(figure.rate)} (${ratio(figure.rate / numberOf(at(reference, shape), 'rate'))})`,
          ),
        ),
      ])
      parts.push(
        `### ${RUNTIMES[runtime]}, ${mode}`,
        `Messages a second; in parentheses the ratio to \`${reference}\`.`,
        table(['connections × in flight × size', ...shapes], cells),
      )
    }
  }
  parts.push(
    '### Echo in detail',
    details(result.rows, (row) => `${row.shape} ${row.mode}`),
    failures(result.rows),
  )
  return page(...parts)
}

/** Everything about each row, one table per group. */
function details<T extends Row>(rows: readonly T[], groupOf: (row: T) => string): string {
  const groups = [...new Set(rows.map(groupOf))]
  const tables = groups.map((group) => {
    const cells = rows
      .filter((row) => groupOf(row) === group)
      .map(({ subject, figure }): Cell[] => [
        subject,
        ...(hasFailed(figure) ? ['failed', '', '', '', '', ''] : detail(figure)),
      ])
    return page(
      `**${group}**`,
      table(['', 'per second', 'spread', 'CPU, µs each', 'p50, µs', 'p99, µs', 'p99.9, µs'], cells),
    )
  })
  return page(
    '<details>\n<summary>Rate, spread, processor time of the server, latency</summary>',
    ...tables,
    '</details>',
  )
}

function detail(figure: Figure): Cell[] {
  const limit = figure.loadCpu > LOAD_LIMIT ? ' †' : ''
  return [
    `${count(figure.rate)}${limit}`,
    spread(figure),
    count(figure.cpu),
    count(figure.p50),
    count(figure.p99),
    count(figure.p999),
  ]
}

export function broadcastSection(aside: boolean): string {
  const result = loadResult<BroadcastRow>('broadcast', aside)
  if (result === undefined) return ''
  const shapes = [...new Set(result.rows.map((row) => row.shape))]
  const subjects = [...new Set(result.rows.map((row) => row.subject))]
  const at = (subject: string, shape: string) =>
    result.rows.find((row) => row.subject === subject && row.shape === shape)?.figure
  const of = (cell: (figure: Figure) => Cell): Cell[][] =>
    subjects.map((subject) => [subject, ...shapes.map((shape) => cellOf(at(subject, shape), cell))])
  return page(
    '## Broadcast',
    measured(result),
    'One member of a topic publishes, all members get it: `ws` by a loop over its clients, crossws by its topics, Bun.serve by its native publish. Members × messages in flight × size; with one in flight, the next goes out when all have the one before.',
    'Deliveries a second († the load used all of its core, so it may have been the limit):',
    table(
      ['members × in flight × size', ...shapes],
      of(({ rate, loadCpu }) => `${count(rate)}${loadCpu > LOAD_LIMIT ? ' †' : ''}`),
    ),
    'Processor time of the server per delivery, µs:',
    table(
      ['members × in flight × size', ...shapes],
      of(({ cpu }) => count(cpu)),
    ),
    failures(result.rows),
  )
}

export function deflateSection(aside: boolean): string {
  const result = loadResult<DeflateRow>('deflate', aside)
  if (result === undefined) return ''
  const cells = result.rows.map(({ subject, figure, shape, size, takeover }): Cell[] => [
    subject,
    shape,
    takeover ? 'yes' : 'no',
    ...(hasFailed(figure)
      ? ['failed', '', '', '']
      : [count(figure.rate), count(figure.cpu), ratio(size / figure.replyBytes), count(figure.p99)]),
  ])
  return page(
    '## permessage-deflate',
    measured(result),
    'Echo of JSON texts that differ from one another. Level 6 and a window of 15 bits; Bun.serve has no option for its level. Deno has no permessage-deflate of its own. Memory per connection stands under [Memory](#memory).',
    table(
      ['', 'connections × in flight × size', 'takeover', 'messages/s', 'CPU, µs each', 'compression', 'p99, µs'],
      cells,
    ),
    failures(result.rows),
  )
}

export function fairnessSection(aside: boolean): string {
  const result = loadResult<Row>('fairness', aside)
  if (result === undefined) return ''
  const cells = result.rows.map(({ subject, figure }): Cell[] => [
    subject,
    ...(hasFailed(figure)
      ? ['failed', '', '', '']
      : [count(figure.quietP50), count(figure.quietP99), count(figure.p50), count(figure.p99)]),
  ])
  return page(
    '## Fairness',
    measured(result),
    'One quiet connection with a message of 64 B in flight beside 50 busy ones with 64 × 1 KiB each. All share one core, so a turn of the server through the busy ones is the least that a quiet one can wait.',
    table(['', 'quiet p50, µs', 'quiet p99, µs', 'busy p50, µs', 'busy p99, µs'], cells),
    failures(result.rows),
  )
}

export function handshakeSection(aside: boolean): string {
  const handshake = loadResult<Row>('handshake', aside)
  const http = loadResult<Row>('http', aside)
  const parts: string[] = []
  const rows = (result: Result<Row>): Cell[][] =>
    result.rows.map(({ subject, figure }) => [
      subject,
      ...(hasFailed(figure)
        ? ['failed', '', '', '']
        : [count(figure.rate), spread(figure), count(figure.cpu), count(figure.p99)]),
    ])
  const head = ['', 'per second', 'spread', 'CPU, µs each', 'p99, µs']
  if (handshake !== undefined) {
    parts.push(
      '## Handshakes',
      measured(handshake),
      'Upgrades through a Hono application with `cors`, a middleware that only calls `next`, and `secureHeaders`, on 50 connections; each is closed with 1000 at once, and that is part of the figure.',
      table(head, rows(handshake)),
      failures(handshake.rows),
    )
  }
  if (http !== undefined) {
    parts.push(
      '## Plain HTTP',
      measured(http),
      'GETs of a short text through the same application, on 50 kept connections. A raw server stands on `node:http`; a hosted one is the host itself.',
      table(head, rows(http)),
      failures(http.rows),
    )
  }
  return page(...parts)
}
