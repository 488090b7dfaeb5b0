/** Where the time goes, one table per runtime: parts of the server by the processor time of a message. */
import type { EchoRow } from '../echo.ts'
import { PARTS } from '../profile/parts.ts'
import type { ProfileFigure, ProfileRow } from '../profile.ts'
import { loadResult } from '../results.ts'
import { hasFailed } from '../subjects.ts'
import { measured } from './load-sections.ts'
import { type Cell, count, failures, numberOf, page, table } from './markdown.ts'

const RUNTIMES: Readonly<Record<string, string>> = { node: 'Node', bun: 'Bun', deno: 'Deno' }

export function profileSection(aside: boolean): string {
  const result = loadResult<ProfileRow>('profile', aside)
  if (result === undefined) return ''
  const controls = loadResult<EchoRow>('echo', aside)?.rows ?? []
  const parts = [
    '## Where the time goes',
    measured(result),
    'Echo of text by `ours`, the server under the profiler of its own runtime (`--cpu-prof`, a sample each millisecond). Percent of the processor time of the process, and in parentheses the microseconds of it that a message takes. Idle time is left out.',
    [
      '- **Self time.** What is native, or a small function of the runtime, counts for the function that called it when it has no row of its own: `subarray` for the encoder, say.',
      '- **Outside JavaScript** is the time of the main thread that the scheduler counted and no frame stands for: the event loop and, on every runtime, the `read` of the socket. Profilers call it idle, `(program)` or nothing.',
      '- **Other threads** compile, collect garbage, and write down the samples. JavaScriptCore has no frame for garbage collection; on Bun it counts for who allocated, or stands here.',
      '- **`control`** is the processor time of a message of that size in the control row under [Echo](#echo), without a profiler: sockets and nothing else.',
    ].join('\n'),
  ]
  const shapes = [...new Set(result.rows.map((row) => row.shape))]
  for (const subject of [...new Set(result.rows.map((row) => row.subject))]) {
    const runtime = subject.split(' ')[0] as string
    const figures = shapes.map(
      (shape) => result.rows.find((row) => row.subject === subject && row.shape === shape)?.figure,
    )
    const of = (cell: (figure: ProfileFigure) => Cell): Cell[] =>
      figures.map((figure) => (figure === undefined || hasFailed(figure) ? '–' : cell(figure)))
    const control = shapes.map((shape) => {
      const row = controls.find((row) => row.subject === `${runtime} control` && row.shape === shape)
      return count(numberOf(row?.figure, 'cpu'))
    })
    parts.push(
      `### ${RUNTIMES[runtime]}, by parts`,
      table(
        ['connections × in flight × size', ...shapes],
        [
          ...PARTS.map((part): Cell[] => [part, ...of((figure) => share(figure, part))]),
          ['all, µs a message', ...of(({ cpu }) => count(cpu))],
          ['`control`, µs a message', ...control],
        ],
      ),
    )
  }
  parts.push(failures(result.rows))
  return page(...parts)
}

function share({ cpu, parts }: ProfileFigure, part: string): Cell {
  const value = parts[part] ?? 0
  const percent = (value / cpu) * 100
  if (value === 0) return '–'
  return `${percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} % (${count(value)})`
}
