/** Where the time goes, one table per runtime: parts of the server by the processor time of a message. */
import { PARTS, SOCKET_WRITE } from '../profile/parts.ts'
import type { ProfileFigure, ProfileRow } from '../profile.ts'
import { loadResult } from '../results.ts'
import { hasFailed } from '../subjects.ts'
import { measured } from './load-sections.ts'
import { type Cell, count, failures, page, table } from './markdown.ts'

const RUNTIMES: Readonly<Record<string, string>> = { node: 'Node', bun: 'Bun', deno: 'Deno' }

export function profileSection(aside: boolean): string {
  const result = loadResult<ProfileRow>('profile', aside)
  if (result === undefined) return ''
  const parts = [
    '## Where the time goes',
    measured(result),
    'Echo of text by `ours`, each server under the profiler of its own runtime (`--cpu-prof`, a sample each millisecond). Percent of the processor time of the process, and in parentheses the microseconds of it that a message takes. Idle time is left out.',
    [
      '- **Self time.** What is native, or a small function of the runtime, counts for the function that called it when it has no row of its own: `subarray` for the encoder, say.',
      '- **Outside JavaScript** is the time of the main thread that the scheduler counted and no frame stands for: the event loop and, on every runtime, the `read` of the socket. Profilers call it idle, `(program)` or nothing.',
      '- **Other threads** compile, collect garbage, and write down the samples. JavaScriptCore has no frame for garbage collection; on Bun it counts for who allocated, or stands here.',
      '- **Deno** runs its queue of microtasks from native code, so that it stands outside JavaScript there. What V8 inlined counts for its own file on Node, by the line of the bundle; on Deno for the function around it.',
      '- **A row that was disturbed**, in which the server had less than 90 % of its core, is measured again, at most twice.',
      '- **`control`** is what the same bytes cost with no codec, under the same profiler: sockets and nothing else.',
    ].join('\n'),
  ]
  const shapes = [...new Set(result.rows.map((row) => row.shape))]
  for (const [runtime, name] of Object.entries(RUNTIMES)) {
    const of = (subject: string, cell: (figure: ProfileFigure) => Cell): Cell[] =>
      shapes.map((shape) => {
        const row = result.rows.find((row) => row.subject === `${runtime} ${subject}` && row.shape === shape)
        return row === undefined || hasFailed(row.figure) ? '–' : cell(row.figure)
      })
    parts.push(
      `### ${name}, by parts`,
      table(
        ['connections × in flight × size', ...shapes],
        [
          ...PARTS.map((part): Cell[] => [part, ...of('ours', (figure) => share(figure, part))]),
          ['all, µs a message', ...of('ours', ({ cpu }) => count(cpu))],
          ['`control`: all, µs a message', ...of('control', ({ cpu }) => count(cpu))],
          [
            `\`control\`: ${SOCKET_WRITE}, µs a message`,
            ...of('control', (figure) => count(figure.parts[SOCKET_WRITE] ?? 0)),
          ],
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
