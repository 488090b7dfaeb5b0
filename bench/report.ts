/**
 * docs/performance.md and its plots, from the results that are kept. What stands from the heading `What was tried` on is
 * written by hand, and stays as it is.
 */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../test/subject/runtime.ts'
import { codecSection, memorySection, scaleSection, startupSection, turnSection } from './report/cost-sections.ts'
import {
  broadcastSection,
  deflateSection,
  echoSection,
  fairnessSection,
  handshakeSection,
  type Plots,
} from './report/load-sections.ts'
import { page, table } from './report/markdown.ts'
import { profileSection } from './report/profile-section.ts'
import { targets } from './report/targets.ts'
import { type Environment, loadResult } from './results.ts'

const BY_HAND = '## What was tried'
const SECTIONS = [
  'echo',
  'profile',
  'broadcast',
  'deflate',
  'codec',
  'turn',
  'memory',
  'handshake',
  'http',
  'startup',
  'scale',
  'fairness',
]

/**
 * @param aside whether the page is made of a short run's results, and kept apart as they are
 * @returns where the page is
 */
export async function writeReport(aside: boolean): Promise<string> {
  const folder = aside ? join(ROOT, '.tmp', 'bench-results') : join(ROOT, 'docs')
  const file = join(folder, 'performance.md')
  const plots: Plots = new Map()
  const text = page(
    '# Performance',
    introduction(),
    environmentOf(aside),
    targets(aside),
    echoSection(aside, plots),
    profileSection(aside),
    broadcastSection(aside),
    deflateSection(aside),
    fairnessSection(aside),
    handshakeSection(aside),
    memorySection(aside, plots),
    turnSection(aside),
    codecSection(aside),
    scaleSection(aside, plots),
    startupSection(aside),
    writtenByHand(join(ROOT, 'docs', 'performance.md')),
  )
  await mkdir(join(folder, 'performance'), { recursive: true })
  await writeFile(file, `${text.trimEnd()}\n`)
  for (const [name, svg] of plots) await writeFile(join(folder, 'performance', `${name}.svg`), svg)
  return file
}

function introduction(): string {
  return page(
    'This page is made by `bun run bench report` from the results in `bench/results`, all but its last section.',
    [
      '```sh',
      'bun run bench                # everything, about 45 minutes, and this page',
      'bun run bench echo http      # some sections',
      'bun run bench profile        # where the time goes: ours under the profiler of each runtime',
      'bun run bench --short        # a look in 3 minutes; results and page go to .tmp, not here',
      "bun run bench echo --only 'node ours,node ws' --shapes 50x16x64",
      'bun run bench report         # this page from what is kept',
      '```',
    ].join('\n'),
    'It wants Linux, two cores with nothing else to do, `taskset`, and a C compiler for the load generators.',
    [
      '- **One process per figure.** Each server is a fresh process pinned to one core; the load is a C program on the other core that sends frames masked beforehand and counts replies, after a warm-up of 1.2 s in which code is compiled. It compares the first replies of every connection byte by byte, and a wrong one fails the row.',
      '- **Rounds by turns.** Rounds go through the subjects in alternating order. A figure is the median of its rounds; the spread is the greatest less the least, in percent of it.',
      '- **`control` rows** echo bytes through the sockets of the runtime with no codec at all: the ceiling of anything written in JavaScript there, and proof that the load is not the limit.',
      '- **`codec` rows** are `fetch-sock/codec` with callbacks on the same sockets, and nothing else: no handler that waits, no queue, no limits of ours, no closing handshake. What a loop of `await` over this codec could reach at most.',
      '- **`ours`** is the `for await` loop of the README behind Hono, on our codec over the raw sockets of the runtime. **`ours hosted`** is the same application on Bun.serve or Deno.serve, which frame for it.',
      '- **`node`** is the oldest Node that is supported, **`node-current`** the newest, with ours, `ws` and the control alone.',
      '- **Peers** are written as their own documentation shows, with callbacks: `ws` (on Bun, `ws` is Bun’s own), `@hono/node-server` with `ws`, `hono/bun`, `hono/deno`, crossws; **`native`** is Bun.serve or Deno.upgradeWebSocket bare.',
      '- **No setting** is used that the documentation does not give its users: a larger `maxMessageSize` where messages are larger than the default, and `permessageDeflate` where it is measured.',
      '- **CPU** is the processor time of all threads of the server, as the scheduler counts it. Latency is from the write of a message to its reply, as the load sees it.',
      '- **†** marks a figure whose load used all of its core: the server may do more.',
    ].join('\n'),
  )
}

function environmentOf(aside: boolean): string {
  const found = SECTIONS.map((section) => loadResult(section, aside)?.environment).find((one) => one !== undefined)
  if (found === undefined) return 'No results are kept yet.'
  const { machine, versions }: Environment = found
  const names = Object.entries(versions).map(([name, version]) => [name, version])
  return page(
    '## Machine and versions',
    `${machine}. Load averages and dates stand with each section.`,
    table(['', 'version'], names),
  )
}

function writtenByHand(file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const at = text.indexOf(`\n${BY_HAND}\n`)
  return at < 0
    ? `${BY_HAND}\n\nBy hand: what each change gave, and for every row that is behind, where its time goes.`
    : text.slice(at + 1).trimEnd()
}
