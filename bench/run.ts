/**
 *     bun run bench [section …] [--short] [--only 'node ours,node ws'] [--shapes 50x16x64,…] [--rounds N]
 *     bun run bench report
 *
 * Without a section all are run, about 45 minutes; `--short` takes less than 3 and leaves out `profile`. Every section
 * writes its result to bench/results as soon as it is done, and the page docs/performance.md is made of what is there;
 * `report` makes the page alone. A short run, or one with `--only` or `--shapes`, goes to .tmp instead, so that it
 * replaces nothing.
 */
import process from 'node:process'
import { broadcast } from './broadcast.ts'
import { codec } from './codec-section.ts'
import { deflate } from './deflate.ts'
import { echo } from './echo.ts'
import { fairness } from './fairness.ts'
import { handshake, http } from './handshake.ts'
import { memory } from './memory.ts'
import { type Plan, planOf } from './plan.ts'
import { profile } from './profile.ts'
import { writeReport } from './report.ts'
import { describeEnvironment, saveResult } from './results.ts'
import { scale } from './scale.ts'
import { startup } from './startup.ts'
import { turn } from './turn-section.ts'

const SECTIONS: Readonly<Record<string, (plan: Plan) => Promise<readonly unknown[]>>> = {
  echo,
  profile,
  broadcast,
  deflate,
  codec,
  turn,
  memory,
  handshake,
  http,
  startup,
  scale,
  fairness,
}
/** Milliseconds after which no further section begins. */
const PATIENCE = 55 * 60_000

// What escapes a section ends neither the run nor the results of the others.
process.on('uncaughtException', (error) => console.error('Uncaught:', error))
process.on('unhandledRejection', (error) => console.error('Unhandled:', error))

const argv = process.argv.slice(2)
const plan = planOf(argv)
const named = argv.filter((word) => word in SECTIONS)
const unknown = argv.find(
  (word) => /^[a-z]/.test(word) && !(word in SECTIONS) && !isValue(word) && !/^(all|report)$/.test(word),
)
if (unknown !== undefined) {
  console.error(`No section is named ${unknown}; there are ${Object.keys(SECTIONS).join(', ')}, all and report`)
  process.exit(2)
}
const failed: string[] = []
if (!argv.includes('report')) {
  const begun = Date.now()
  for (const section of named.length > 0 ? named : sectionsOf(plan)) {
    if (Date.now() - begun > PATIENCE) {
      failed.push(`${section} (no time left)`)
      continue
    }
    await runSection(section)
  }
  console.error(`All took ${Math.round((Date.now() - begun) / 1_000)} s`)
}
const page = await writeReport(plan.aside)
console.error(`The page is ${page}`)
if (failed.length > 0) console.error(`Failed: ${failed.join(', ')}`)
process.exit(failed.length > 0 ? 1 : 0)

async function runSection(section: string): Promise<void> {
  const environment = describeEnvironment()
  const begun = Date.now()
  try {
    const rows = await (SECTIONS[section] as (plan: Plan) => Promise<readonly unknown[]>)(plan)
    const took = Math.round((Date.now() - begun) / 1_000)
    await saveResult({ section, short: plan.aside, environment, took, rows })
    console.error(`## ${section} took ${took} s`)
  } catch (error) {
    failed.push(section)
    console.error(`## ${section} failed:`, error)
  }
}

/** A profile is no look: it wants samples. */
function sectionsOf({ short }: Plan): string[] {
  return Object.keys(SECTIONS).filter((section) => !(short && section === 'profile'))
}

/** Whether a word is what follows an option. */
function isValue(word: string): boolean {
  const before = argv[argv.indexOf(word) - 1]
  return before === '--only' || before === '--shapes' || before === '--rounds'
}
