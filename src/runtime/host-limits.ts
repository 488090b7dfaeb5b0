/** Options that a host cannot honour: said once, by name. */
import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection/options.ts'
import type { Host } from './host.ts'

const reported = new Set<string>()

/** Warns of every option that is set, to anything but its default, and has no effect on this host. */
export function reportUnsupported(host: Pick<Host, 'mode' | 'unsupported'>, options: ConnectionOptions): void {
  for (const name of host.unsupported) {
    const rule = CONNECTION_OPTIONS[name as keyof ConnectionOptions]
    const value = options[name as keyof ConnectionOptions]
    if (value === undefined || value === rule.default || reported.has(`${host.mode} ${name}`)) continue
    reported.add(`${host.mode} ${name}`)
    console.warn(`fetch-sock: the option ${name} has no effect on ${host.mode}; see docs/runtimes.md`)
  }
}
