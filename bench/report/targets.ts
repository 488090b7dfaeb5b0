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

export function targets(aside: boolean): string {
  const echo = loadResult<EchoRow>('echo', aside)?.rows ?? []
  const broadcast = loadResult<BroadcastRow>('broadcast', aside)?.rows ?? []
  const deflate = loadResult<DeflateRow>('deflate', aside)?.rows ?? []
  const handshake = loadResult<Row>('handshake', aside)?.rows ?? []

  const rate = (shape: string, ours: string, other: string, wanted: number, label: string): Target => {
    const of = (name: string): number =>
      numberOf(echo.find((row) => row.shape === shape && row.subject === name && row.mode === 'text')?.figure, 'rate')
    return { label, value: of(ours) / of(other), wanted }
  }
  const against = (shape: string, wanted: readonly [number | null, number | null, number | null]): Target[][] =>
    (['node', 'bun', 'deno'] as const).map((runtime, i) => {
      const target = wanted[i] ?? null
      if (target === null) return [rate(shape, 'deno ours', 'deno control', 0.9, 'of control')]
      const peer = runtime === 'node' ? 'ws' : 'native'
      return [rate(shape, `${runtime} ours`, `${runtime} ${peer}`, target, `× ${peer}`)]
    })
  const lone = against('50×1×64 B', [1.05, 0.92, 0.8]).map((cell, i) => {
    const runtime = ['node', 'bun', 'deno'][i] as string
    return [...cell, rate('50×1×64 B', `${runtime} ours`, `${runtime} control`, i === 2 ? 0.9 : 0.92, 'of control')]
  })
  const latency = ['node', 'bun', 'deno'].map((runtime): Target[] => {
    const of = (name: string): number =>
      numberOf(echo.find((row) => row.shape === '1×1×64 B' && row.subject === name)?.figure, 'p50')
    const value = of(`${runtime} ours`) / of(`${runtime} control`)
    return [{ label: "of control's p50", value, wanted: 1.03, most: true }]
  })
  const fanOut = (shape: string, key: 'rate' | 'cpu', what: string): Target[][] => {
    const of = (name: string): number =>
      numberOf(broadcast.find((row) => row.shape === shape && row.subject === name)?.figure, key)
    const compared = (ours: string, peer: string): number =>
      key === 'rate' ? of(ours) / of(peer) : of(peer) / of(ours)
    return [
      [{ label: `× ws, ${what}`, value: compared('node ours', 'node ws'), wanted: 3 }],
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
    ['50×16×64 B', against('50×16×64 B', [8, 1, 5])],
    ['50×16×1 KiB', against('50×16×1 KiB', [5, 1, 3.5])],
    ['10×4×16 KiB', against('10×4×16 KiB', [2.5, 1.1, null])],
    ['4×1×1 MiB, text', against('4×1×1 MiB', [1.5, 1, null])],
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
    table(['shape', 'Node, to `ws`', 'Bun, to Bun.serve', 'Deno, to Deno.upgradeWebSocket'], cells),
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
