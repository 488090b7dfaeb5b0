/** Figures of several rounds as one. */
import type { LoadResult } from './load/load.ts'

/** The middle one; of an even number, the upper of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

/** Each figure by itself, with the rates of all rounds. */
export function medianOf(rounds: readonly LoadResult[]): LoadResult & { readonly rates: readonly number[] } {
  const of = (key: keyof LoadResult): number => median(rounds.map((round) => round[key]))
  return {
    rate: of('rate'),
    cpu: of('cpu'),
    loadCpu: of('loadCpu'),
    p50: of('p50'),
    p99: of('p99'),
    p999: of('p999'),
    quietP50: of('quietP50'),
    quietP99: of('quietP99'),
    replyBytes: of('replyBytes'),
    rates: rounds.map((round) => round.rate),
  }
}
