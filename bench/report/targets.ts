/** The targets, and what was reached, in one table: behind is written as plainly as ahead. */
import type { BroadcastRow } from '../broadcast.ts'
import type { DeflateRow } from '../deflate.ts'
import type { EchoRow } from '../echo.ts'
import { loadResult } from '../results.ts'
import type { Row } from '../rounds.ts'
import { type Cell, numberOf, page, ratio, table } from './markdown.ts'

/** One ratio that has a target. */
interface Target {
  readonly label: string
  readonly value: number
  readonly wanted: number
  /** Whether the target is a ceiling. */
  readonly most?: true
}

type Kind = 'node' | 'bun' | 'deno'

const COLUMNS: readonly { runtime: string; kind: Kind; peer: string; title: string }[] = [
  { runtime: 'node', kind: 'node', peer: 'ws', title: 'Node, to `ws`' },
  { runtime: 'node-current', kind: 'node', peer: 'ws', title: 'Current Node, to `ws`' },
  { runtime: 'bun', kind: 'bun', peer: 'native', title: 'Bun, to Bun.serve' },
  { runtime: 'deno', kind: 'deno', peer: 'native', title: 'Deno, to Deno.upgradeWebSocket' },
]
/** Targets to the control. */
const OF_CONTROL: Readonly<Record<Kind, number>> = { node: 0.92, bun: 0.92, deno: 0.9 }

export function targets(aside: boolean): string {
  const echo = loadResult<EchoRow>('echo', aside)?.rows ?? []
  const broadcast = loadResult<BroadcastRow>('broadcast', aside)?.rows ?? []
  const deflate = loadResult<DeflateRow>('deflate', aside)?.rows ?? []
  const handshake = loadResult<Row>('handshake', aside)?.rows ?? []

  const figureOf = (shape: string, subject: string, key: 'rate' | 'p50'): number =>
    numberOf(echo.find((row) => row.shape === shape && row.subject === subject && row.mode === 'text')?.figure, key)
  /** A row of echo: ours to the peer of each column, to the control where a column has no target to its peer. */
  const against = (shape: string, wanted: Readonly<Record<Kind, number | null>>): Target[][] =>
    COLUMNS.map(({ runtime, kind, peer }) => {
      const target = wanted[kind]
      const value = (other: string): number =>
        figureOf(shape, `${runtime} ours`, 'rate') / figureOf(shape, `${runtime} ${other}`, 'rate')
      return target === null
        ? [{ label: 'of control', value: value('control'), wanted: OF_CONTROL[kind] }]
        : [{ label: `× ${peer}`, value: value(peer), wanted: target }]
    })
  const toControl = against('50×1×64 B', { node: null, bun: null, deno: null })
  const lone = against('50×1×64 B', { node: 1.05, bun: 0.92, deno: 0.8 }).map((cell, i) => [
    ...cell,
    ...(toControl[i] as Target[]),
  ])
  const latency = COLUMNS.map(({ runtime }): Target[] => {
    const of = (name: string): number => figureOf('1×1×64 B', `${runtime} ${name}`, 'p50')
    return [{ label: "of control's p50", value: of('ours') / of('control'), wanted: 1.03, most: true }]
  })
  const fanOut = (shape: string, key: 'rate' | 'cpu', what: string): Target[][] => {
    const of = (name: string): number =>
      numberOf(broadcast.find((row) => row.shape === shape && row.subject === name)?.figure, key)
    const compared = (ours: string, peer: string): number =>
      key === 'rate' ? of(ours) / of(peer) : of(peer) / of(ours)
    return [
      [{ label: `× ws, ${what}`, value: compared('node ours', 'node ws'), wanted: 3 }],
      [],
      [{ label: `× native, ${what}`, value: compared('bun ours', 'bun native'), wanted: 0.9 }],
      [],
    ]
  }
  const squeezed = (takeover: boolean): Target[][] => {
    const of = (name: string): number =>
      numberOf(
        deflate.find((row) => row.shape === '50×16×128 B' && row.subject === name && row.takeover === takeover)?.figure,
        'cpu',
      )
    return [
      [{ label: '× ws', value: of('node ws') / of('node ours'), wanted: 4 }],
      [],
      [{ label: '× native', value: of('bun native') / of('bun ours'), wanted: 0.8 }],
      [],
    ]
  }
  const upgrades = (ours: string, peer: string, wanted: number, label: string): Target => {
    const of = (name: string): number => numberOf(handshake.find((row) => row.subject === name)?.figure, 'rate')
    return { label, value: of(ours) / of(peer), wanted }
  }

  const rows: [string, Target[][]][] = [
    ['1×1×64 B, p50', latency],
    ['50×1×64 B', lone],
    ['50×16×64 B', against('50×16×64 B', { node: 8, bun: 1, deno: 5 })],
    ['50×16×1 KiB', against('50×16×1 KiB', { node: 5, bun: 1, deno: 3.5 })],
    ['10×4×16 KiB', against('10×4×16 KiB', { node: 2.5, bun: 1.1, deno: null })],
    ['4×1×1 MiB, text', against('4×1×1 MiB', { node: 1.5, bun: 1, deno: null })],
    ['broadcast 1→1,000, 64 B, one in flight', fanOut('1000×1×64 B', 'rate', 'deliveries/s')],
    ['the same, by processor time', fanOut('1000×1×64 B', 'cpu', 'CPU')],
    ['broadcast 1→1,000, 64 B, 16 in flight', fanOut('1000×16×64 B', 'rate', 'deliveries/s')],
    ['the same, by processor time', fanOut('1000×16×64 B', 'cpu', 'CPU')],
    ['deflate 50×16×128 B, no takeover, CPU', squeezed(false)],
    ['deflate 50×16×128 B, takeover, CPU', squeezed(true)],
    [
      'upgrades/s behind three middleware',
      [
        [upgrades('node ours', 'node @hono/node-server + ws', 1.2, '× @hono/node-server + ws')],
        [],
        [upgrades('bun ours hosted', 'bun hono/bun', 0.9, 'hosted × hono/bun')],
        [upgrades('deno ours hosted', 'deno hono/deno', 0.9, 'hosted × hono/deno')],
      ],
    ],
  ]
  const cells = rows.map(([name, columns]): Cell[] => [
    name,
    ...columns.map((column) => column.map(written).join('<br>') || '–'),
  ])
  const all = rows.flatMap(([, columns]) => columns.flat()).filter(({ value }) => Number.isFinite(value))
  if (all.length === 0) return ''
  const behind = all.filter((target) => !isMet(target)).length
  return page(
    '## Targets',
    `Ratios of medians in one run: ours raw to the peer, or to the control that echoes bytes with no codec. Above 1 is faster than the peer. ${behind} of ${all.length} are short of their target, in bold; the reasons stand under [What was tried](#what-was-tried).`,
    table(['shape', ...COLUMNS.map(({ title }) => title)], cells),
  )
}

function isMet({ value, wanted, most }: Target): boolean {
  return most ? value <= wanted : value >= wanted
}

function written(target: Target): string {
  const { label, value, wanted, most } = target
  const wants = `(${most ? '≤' : '≥'} ${wanted})`
  if (!Number.isFinite(value)) return `not measured ${wants}`
  const reached = isMet(target) ? ratio(value) : `**${ratio(value)}**`
  return `${reached} ${label} ${wants}`
}
