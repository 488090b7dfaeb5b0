/** The transport contract on sockets of every runtime: here on Bun, in processes of their own on the others. */
import { join } from 'node:path'
import { inOtherRuntimes } from './other-runtimes.ts'
import './duplex.contract.ts'

inOtherRuntimes(
  'S17 R36 sockets keep the transport contract',
  join(import.meta.dir, 'duplex.contract.ts'),
  'upgraded tls destroy',
)
