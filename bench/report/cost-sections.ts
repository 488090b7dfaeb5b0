/** The sections of what things cost: the codec alone, memory, growth, the start. */
import type { CodecRow, ZlibRow } from '../codec-section.ts'
import { sizeName } from '../echo.ts'
import type { MemoryRow } from '../memory.ts'
import { loadResult } from '../results.ts'
import { type ConnectionsRow, type ParsePoint, type ParseRow, slope } from '../scale.ts'
import type { ImportRow, SizeRow } from '../startup.ts'
import { hasFailed } from '../subjects.ts'
import type { TurnRow } from '../turn-section.ts'
import { measured, type Plots } from './load-sections.ts'
import { type Cell, count, failures, kibibytes, numberOf, page, ratio, table } from './markdown.ts'
import { barChart, logLogChart } from './svg.ts'

const MIB = 1 << 20

export function turnSection(aside: boolean): string {
  const result = loadResult<TurnRow>('turn', aside)
  if (result === undefined) return ''
  const columns = result.rows.flatMap(({ subject, figure }) => (hasFailed(figure) ? [] : [{ subject, figure }]))
  const cells = (columns[0]?.figure ?? []).map(({ way, perTurn }): Cell[] => [
    way,
    perTurn,
    ...columns.map(({ figure }) => {
      const one = figure.find((other) => other.way === way && other.perTurn === perTurn)
      return one === undefined ? '–' : count(one.nanoseconds)
    }),
  ])
  return page(
    '## The loop alone',
    measured(result),
    'Nanoseconds of JavaScript for a text message of 64 B, from the chunk that a socket delivers to the write of the answer, in memory and with 50 connections by turns: the least of many batches. The difference to the first two rows is what a handler with `await` costs over callbacks, and the queue, the limits and the closing handshake with it.',
    table(['', 'messages in a chunk', ...columns.map(({ subject }) => subject)], cells),
    failures(result.rows),
  )
}

export function codecSection(aside: boolean): string {
  const result = loadResult<CodecRow | ZlibRow>('codec', aside)
  if (result === undefined) return ''
  const parts = [
    '## The codec alone',
    measured(result),
    'Bytes to messages and messages to bytes, in memory, beside the Receiver and the Sender of `ws` in one process; processor time, all events consumed. The `ws` Sender passes header and payload of unmasked binary frames on as two buffers without a copy, which it leaves to the socket.',
  ]
  for (const row of result.rows) {
    if (row.failed !== undefined) parts.push(`${row.runtime} failed: ${row.failed}`)
    else if (row.kind === 'codec') parts.push(`### Codec on ${row.runtime}`, codecTable(row))
    else
      parts.push(`<details>\n<summary>${row.text.trim().split('\n')[0]}</summary>`, zlibTables(row.text), '</details>')
  }
  return page(...parts)
}

function codecTable({ figures }: CodecRow): string {
  const bytes = (value: number): Cell => (value < 0 ? '–' : count(value))
  const cells = figures.map(({ name, size, ours, ws, oursBytes, wsBytes }): Cell[] => [
    name,
    sizeName(size),
    count(1e6 / ours),
    count(size / ours),
    bytes(oursBytes),
    count(1e6 / ws),
    bytes(wsBytes),
    ratio(ws / ours),
  ])
  return table(
    ['', 'size', 'messages/s', 'MB/s', 'bytes allocated', 'ws: messages/s', 'ws: bytes allocated', 'ours to ws'],
    cells,
  )
}

function zlibTables(text: string): string {
  return text.trim().split('\n').slice(1).join('\n').trim()
}

export function memorySection(aside: boolean, plots: Plots): string {
  const result = loadResult<MemoryRow>('memory', aside)
  if (result === undefined) return ''
  const parts = [
    '## Memory',
    measured(result),
    "Resident memory as the kernel counts it. Per idle connection: after each has echoed one message, less that before the first; without compression the median of five servers (of 10,000 connections, for Node's ours and ws). The rows *--no-opt* run Node without V8's optimizer, whose work over the first thousand upgrades otherwise counts for them.",
  ]
  const idle = result.rows.filter((row) => row.kind === 'idle')
  const columns = [...new Set(idle.map((row) => `${row.connections} ${row.deflate}`))]
  const subjects = [...new Set(idle.map((row) => row.subject))]
  const cells = subjects.map((subject): Cell[] => [
    subject,
    ...columns.map((column) => {
      const figure = idle.find(
        (row) => row.subject === subject && `${row.connections} ${row.deflate}` === column,
      )?.figure
      return figure === undefined ? '–' : hasFailed(figure) ? 'failed' : kibibytes(figure.bytes)
    }),
  ])
  const heads = columns.map((column) => {
    const [connections, ...deflate] = column.split(' ')
    return `${Number(connections).toLocaleString('en-US')}, ${deflate[0] === 'none' ? 'plain' : `deflate, ${deflate.join(' ')}`}`
  })
  parts.push('KiB per idle connection:', table(['connections', ...heads], cells))
  const most = Math.max(...idle.map((row) => row.connections))
  const bars = idle.flatMap(({ subject, connections, deflate, figure }) =>
    connections === most && deflate === 'none' && !hasFailed(figure)
      ? [
          {
            name: subject,
            value: figure.bytes,
            label: `${kibibytes(figure.bytes)} KiB`,
            ours: subject.includes('ours'),
          },
        ]
      : [],
  )
  if (bars.length > 0) {
    plots.set('memory', barChart(`Resident memory per idle connection, ${most.toLocaleString('en-US')} of them`, bars))
    parts.push('![Memory per idle connection](performance/memory.svg)')
  }

  const cases = result.rows.filter((row) => row.kind === 'case')
  const attacked = [...new Set(cases.map((row) => row.subject))].map((subject): Cell[] => [
    subject,
    ...(['R13', 'R16', 'R17'] as const).map((id) => {
      const figure = cases.find((row) => row.subject === subject && row.id === id)?.figure
      return figure === undefined ? '–' : hasFailed(figure) ? 'failed' : count(figure.peak / MIB)
    }),
  ])
  parts.push(
    'Most resident memory above that before, MiB, with one peer that tries to take it; the others do what their users would write, since they have nothing to wait on:',
    table(
      ['', '200,000 empty fragments', '100 MB sent to a peer that does not read', 'fast sender, slow handler'],
      attacked,
    ),
  )

  const churned = result.rows.filter((row) => row.kind === 'churn')
  const first = churned[0]
  if (first !== undefined) {
    const rounds = churned.map(({ subject, collected, figure }): Cell[] => {
      const name = collected ? `${subject}, collected` : subject
      if (hasFailed(figure)) return [name, 'failed', '', '', '', '', '', '', '']
      const { rss, handles, heap } = figure
      const at = (values: readonly number[], i: number): number => values.at(i) ?? Number.NaN
      return [
        name,
        ...[at(rss, 0), at(rss, 1), Math.max(...rss), at(rss, -1)].map((bytes) => count(bytes / MIB)),
        collected ? count(at(heap, 0) / MIB) : '–',
        count(at(heap, -1) / MIB),
        at(handles, 0),
        at(handles, -1),
      ]
    })
    parts.push(
      `${first.connections.toLocaleString('en-US')} connections opened, used and closed, ten times; resident memory and live heap in MiB, and open files. Left alone, a runtime collects when it sees fit. In the rows *collected* the server was asked for full collections after each round, before it was looked at; the live heap is always what is left after such collections. *upgrade control* is the 'upgrade' event of \`node:http\` with an echo of a few lines and no library: what the runtime keeps by itself.`,
      table(
        [
          '',
          'RSS after round 1',
          'round 2',
          'the most',
          'the last',
          'live heap after round 1',
          'the last',
          'files after round 1',
          'the last',
        ],
        rounds,
      ),
    )
  }
  parts.push(failures(result.rows))
  return page(...parts)
}

export function scaleSection(aside: boolean, plots: Plots): string {
  const result = loadResult<ConnectionsRow | ParseRow>('scale', aside)
  if (result === undefined) return ''
  const connections = result.rows.filter((row) => row.kind === 'connections')
  const counts = [...new Set(connections.map((row) => row.connections))]
  const subjects = [...new Set(connections.map((row) => row.subject))]
  const pointsOf = (subject: string): ParsePoint[] =>
    connections
      .filter((row) => row.subject === subject)
      .map((row) => ({ x: row.connections, microseconds: numberOf(row.figure, 'cpu') }))
      .filter(({ microseconds }) => Number.isFinite(microseconds))
  const asSeries = (name: string, points: readonly ParsePoint[]) => ({
    name: `${name} (slope ${slope(points).toFixed(2)})`,
    points: points.map(({ x, microseconds }) => [x, microseconds] as const),
  })
  const drawn = subjects
    .map((subject) => asSeries(subject, pointsOf(subject)))
    .filter(({ points }) => points.length > 1)
  const parts = [
    '## Growth',
    measured(result),
    'Slopes are exponents, by least squares on logarithms: 0 costs the same however many there are, 1 is linear.',
  ]
  if (drawn.length > 0) {
    plots.set(
      'connections',
      logLogChart('Echo of 64 B, one in flight: processor time of a message', 'connections', 'µs per message', drawn),
    )
    parts.push('![Processor time per message against connections](performance/connections.svg)')
  }
  const cells = subjects.map((subject): Cell[] => {
    const points = pointsOf(subject)
    return [
      subject,
      ...counts.map((value) => count(points.find(({ x }) => x === value)?.microseconds ?? Number.NaN)),
      points.length > 1 ? slope(points).toFixed(2) : '–',
    ]
  })
  parts.push(
    'Processor time of the server per message, µs, by connections:',
    table(['', ...counts.map((value) => value.toLocaleString('en-US')), 'slope'], cells),
    failures(connections),
  )
  const parsed = result.rows.filter((row) => row.kind === 'parse')
  const good = parsed.flatMap(({ runtime, figure }) => (hasFailed(figure) ? [] : [{ runtime, ...figure }]))
  if (good.length > 0) {
    plots.set(
      'parse-size',
      logLogChart(
        'Time to parse one message, by its size',
        'bytes',
        'µs',
        good.map(({ runtime, size }) => asSeries(runtime, size)),
      ),
    )
    plots.set(
      'parse-fragments',
      logLogChart(
        'Time to parse one message, by its fragments of 16 bytes',
        'fragments',
        'µs',
        good.map(({ runtime, fragments }) => asSeries(runtime, fragments)),
      ),
    )
    parts.push(
      '![Time to parse against size](performance/parse-size.svg)',
      '![Time to parse against fragments](performance/parse-fragments.svg)',
    )
  }
  parts.push(failures(parsed.map(({ runtime, figure }) => ({ subject: runtime, figure }))))
  return page(...parts)
}

export function startupSection(aside: boolean): string {
  const result = loadResult<ImportRow | SizeRow>('startup', aside)
  if (result === undefined) return ''
  const imports = result.rows.filter((row) => row.kind === 'import')
  const sizes = result.rows.filter((row) => row.kind === 'size')
  const names = [...new Set(imports.map((row) => row.name))]
  const cells = names.map((name): Cell[] => {
    const size = sizes.find((row) => row.name === name)
    return [
      `\`${name}\``,
      ...(['node', 'bun', 'deno'] as const).map((runtime) => {
        const figure = imports.find((row) => row.name === name && row.runtime === runtime)?.figure
        return figure === undefined ? '–' : hasFailed(figure) ? 'failed' : figure.milliseconds.toFixed(1)
      }),
      size === undefined ? '–' : kibibytes(size.own),
      size === undefined ? '–' : kibibytes(size.whole),
    ]
  })
  return page(
    '## Start',
    measured(result),
    'Milliseconds to import in a fresh process, medians; KiB minified and gzipped, of the own code and with every package that it imports.',
    table(['', 'Node, ms', 'Bun, ms', 'Deno, ms', 'own code, KiB', 'with packages, KiB'], cells),
    failures(imports.map(({ name, runtime, figure }) => ({ subject: `${name} on ${runtime}`, figure }))),
  )
}
