/** Options that a host cannot honour: said once, by name. */
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/options.ts'
import type { Host } from './host.ts'

const reported = new Set<string>()
/** Options that have been looked at, and for which host: those of a route come with each of its upgrades. */
const seen = new WeakMap<ConnectionOptions, string>()

/** Warns of every option that is set, to anything but its default, and has no effect on this host. */
export function reportUnsupported(host: Pick<Host, 'mode' | 'unsupported'>, options: ConnectionOptions): void {
  if (seen.get(options) === host.mode) return
  seen.set(options, host.mode)
  for (const name of host.unsupported) {
    const rule = CONNECTION_OPTIONS[name as keyof ConnectionOptions]
    const value = options[name as keyof ConnectionOptions]
    if (value === undefined || value === rule.default || reported.has(`${host.mode} ${name}`)) continue
    reported.add(`${host.mode} ${name}`)
    console.warn(`fetch-sock: the option ${name} has no effect on ${host.mode}; see docs/runtimes.md`)
  }
}
