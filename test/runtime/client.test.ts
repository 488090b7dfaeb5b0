import { join } from 'node:path'
import { inOtherRuntimes } from './other-runtimes.ts'
import './client.contract.ts'

inOtherRuntimes('S15 the client works', join(import.meta.dir, 'client.contract.ts'), 'an abort ends the wait')
