import { join } from 'node:path'
import { inOtherRuntimes } from './other-runtimes.ts'
import './accept-websocket.contract.ts'

inOtherRuntimes(
  'S17 acceptWebSocket works',
  join(import.meta.dir, 'accept-websocket.contract.ts'),
  'a WebSocket that is open already',
)
