/** The clock of native servers whose timers belong to the process: of Bun and Deno. On Cloudflare each has its request. */
import type { Clock } from '../connection/clock.ts'
import { hostClock } from './host-clock.ts'
import { sharingTimers } from './shared-timer.ts'

export const serverClock: Clock = sharingTimers(hostClock)
