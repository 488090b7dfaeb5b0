import { join } from 'node:path'
import { inOtherRuntimes } from './other-runtimes.ts'
import './accept.contract.ts'

inOtherRuntimes('S17 accept works', join(import.meta.dir, 'accept.contract.ts'), 'a Duplex that is no socket')
