import { join } from 'node:path'
import { inOtherRuntimes } from './other-runtimes.ts'
import './node-clock.contract.ts'

inOtherRuntimes(
  'S18 the clock keeps its promises',
  join(import.meta.dir, 'node-clock.contract.ts'),
  'a cleared one never',
)
