/** What every server must do, as named cases. A server may leave one out, with a reason. */
import { expect } from 'bun:test'
import { Peer } from '../sock/peer.ts'
import { SCENARIOS, type Scenario } from '../sock/scenarios.ts'
import { RUNTIME_CASES } from './runtime-cases.ts'
import type { ContractServer } from './servers.ts'

/** A case, and why a server leaves it out. */
export interface ContractCase extends Scenario {
  readonly skip: string | undefined
}

/** The contract for one server. */
export function casesFor(server: ContractServer): ContractCase[] {
  const facts: Scenario = {
    name: 'H17 ws.mode and ws.capabilities say what this server can do',
    async run(url) {
      const peer = await Peer.dial(`${url}/contract/facts`)
      const { remoteAddress, ...told } = JSON.parse(await peer.next())
      expect(told).toEqual({ mode: server.mode, capabilities: server.capabilities, readyState: 1, connected: true })
      expect([undefined, '127.0.0.1', '::ffff:127.0.0.1']).toContain(remoteAddress)
      await peer.close()
    },
  }
  return [facts, ...RUNTIME_CASES, ...SCENARIOS].map((scenario) => ({
    ...scenario,
    skip: reasonOf(server, scenario.name),
  }))
}

function reasonOf(server: ContractServer, name: string): string | undefined {
  return Object.entries(server.skips).find(([start]) => name.startsWith(start))?.[1]
}

/** Skips that fit no case: a reason without a test. */
export function idleSkips(server: ContractServer): string[] {
  const names = casesFor(server).map(({ name }) => name)
  return Object.keys(server.skips).filter((start) => !names.some((name) => name.startsWith(start)))
}
