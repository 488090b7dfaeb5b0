/** Rounds through the subjects, in alternating order: whoever is first is not always first. */
import type { LoadResult } from './load/load.ts'
import { medianOf } from './median.ts'
import type { BenchServer } from './server-process.ts'
import { type Failure, hasFailed, type Subject, withServer } from './subjects.ts'

const MOST_FAILURES = 2

/** One measurement of a subject; each begins with a fresh process. */
export interface Job {
  readonly subject: Subject
  /** Further arguments of the subject. */
  readonly args?: readonly string[]
  readonly measure: (server: BenchServer) => Promise<LoadResult>
  /** At most so many rounds. */
  readonly rounds?: number | undefined
}

export interface Figure extends LoadResult {
  /** Of every round. */
  readonly rates: readonly number[]
}

/** What one subject reached, or why there is nothing. */
export interface Row {
  readonly subject: string
  readonly figure: Figure | Failure
}

/** Every job `rounds` times; a figure is the median of its rounds that did not fail. */
export async function inTurns(title: string, jobs: readonly Job[], rounds: number): Promise<Row[]> {
  const results = new Map<Job, (LoadResult | Failure)[]>(jobs.map((job) => [job, []]))
  for (let round = 0; round < rounds; round++) {
    for (const job of round % 2 === 0 ? jobs : [...jobs].reverse()) {
      if (round >= (job.rounds ?? rounds)) continue
      const before = results.get(job) ?? []
      // One failure may be the machine's; more would be waited for again and again.
      if (before.filter(hasFailed).length < MOST_FAILURES) {
        before.push(await withServer(job.subject, job.measure, job.args))
      }
    }
  }
  return jobs.map((job) => {
    const all = results.get(job) ?? []
    const good = all.filter((result): result is LoadResult => !hasFailed(result))
    const figure = good.length > 0 ? medianOf(good) : (all.find(hasFailed) ?? { failed: 'not run' })
    console.error(`${title} | ${job.subject.name} | ${said(figure)}`)
    return { subject: job.subject.name, figure }
  })
}

function said(figure: Figure | Failure): string {
  if (hasFailed(figure)) return 'failed'
  const { rate, rates, cpu, p50, p99, p999, loadCpu } = figure
  const spread = `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`
  return `${Math.round(rate)}/s (${spread}) | ${cpu.toFixed(2)} µs | p50 ${p50} p99 ${p99} p99.9 ${p999} µs | load ${Math.round(loadCpu * 100)} %`
}
