/** How long and how much: what the command line asks of every section. */
import type { Timing } from './load/load.ts'
import type { Subject } from './subjects.ts'

export interface Plan {
  /** A tenth of the time: fewer subjects, shapes and rounds. Its figures are a look, not a record. */
  readonly short: boolean
  /** Whether the results are kept apart from those that the documentation is made of. */
  readonly aside: boolean
  readonly timing: Timing
  readonly rounds: number
  /** Of echoes of 64 B: they take little time, and one round tells less than its figure says. */
  readonly smallRounds: number
  /** Whether a subject was asked for, by `--only`. */
  readonly only: (subject: Subject) => boolean
  /** As `--shapes` names them, for echo alone. */
  readonly shapes: readonly string[] | undefined
}

export function planOf(argv: readonly string[]): Plan {
  const short = argv.includes('--short')
  const names = argument(argv, '--only')?.split(',')
  const shapes = argument(argv, '--shapes')?.split(',')
  const rounds = argument(argv, '--rounds')
  return {
    short,
    aside: short || names !== undefined || shapes !== undefined,
    timing: short ? { seconds: 0.3, warmup: 0.2 } : { seconds: 0.9, warmup: 1.2 },
    rounds: Number(rounds ?? (short ? 1 : 3)),
    smallRounds: Number(rounds ?? (short ? 1 : 5)),
    only: ({ name }) => names === undefined || names.includes(name),
    shapes,
  }
}

function argument(argv: readonly string[], option: string): string | undefined {
  const at = argv.indexOf(option)
  return at < 0 ? undefined : argv[at + 1]
}
