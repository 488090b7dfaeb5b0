/** The tables of docs/runtimes.md, made of what the contract's servers say of themselves. */

import { loadResult } from '../../bench/results.ts'
import type { Capabilities } from '../../src/connection/connection.ts'
import { casesFor } from '../contract/runtime.contract.ts'
import { type ContractServer, SERVERS } from '../contract/servers.ts'

/** In the words of a user. */
const CAPABILITY_NAMES: Readonly<Record<keyof Capabilities, string>> = {
  receiveBackpressure: 'a full inbox stops the peer',
  sendBackpressure: '`send` waits for a slow peer',
  ping: '`ping` and `latency`',
  closeCodes: 'every close code can be sent',
  deflateOptions: '`permessageDeflate`',
  fragments: 'messages in fragments',
  messageSizeLimit: '`maxMessageSize` before the message is in memory',
  responseHeaders: 'headers of middleware on the 101',
}

const isRaw = ({ unsupported }: ContractServer): boolean => unsupported.length === 0
const HOSTED = SERVERS.filter((server) => !isRaw(server))
/** The four raw servers are one column: they do the same. */
const COLUMNS: readonly [head: string, of: ContractServer][] = [
  ['`serve(app)`', SERVERS.find(isRaw) as ContractServer],
  ...HOSTED.filter(({ mode }, index) => HOSTED.findIndex((other) => other.mode === mode) === index).map(
    (server): [string, ContractServer] => [server.name, server],
  ),
]

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function capabilities(): string {
  const rows = Object.entries(CAPABILITY_NAMES).map(([name, words]) => [
    `\`${name}\`: ${words}`,
    ...COLUMNS.map(([, { capabilities: can }]) => (can[name as keyof Capabilities] ? 'yes' : 'no')),
  ])
  return table(['`ws.capabilities`', ...COLUMNS.map(([head]) => head)], rows)
}

function servers(): string {
  return table(
    ['server', 'started by', '`ws.mode`', 'cases that hold', 'left out'],
    SERVERS.map((server) => {
      const cases = casesFor(server)
      const left = cases.filter(({ skip }) => skip !== undefined).length
      return [server.name, `\`${server.by}\``, `\`${server.mode}\``, `${cases.length - left}`, `${left}`]
    }),
  )
}

function options(): string {
  return table(
    ['host', 'options without effect'],
    COLUMNS.slice(1).map(([head, { unsupported }]) => [head, unsupported.map((name) => `\`${name}\``).join(', ')]),
  )
}

/** What is left out, with its reason, once for all servers that share it. */
function leftOut(): string {
  const rows = new Map<string, { name: string; skip: string; where: string[] }>()
  for (const server of SERVERS) {
    for (const { name, skip } of casesFor(server)) {
      if (skip === undefined) continue
      const row = rows.get(`${name}: ${skip}`) ?? { name, skip, where: [] }
      row.where.push(server.name)
      rows.set(`${name}: ${skip}`, row)
    }
  }
  return table(
    ['case', 'not on', 'because'],
    [...rows.values()].map(({ name, skip, where }) => [name, where.join('; '), skip]),
  )
}

/** A server of `bun run bench http`, as its result has it. */
interface Measured {
  readonly subject: string
  readonly figure: { readonly rate?: number; readonly p99?: number }
}

/** Plain HTTP of the same Hono application, raw and hosted, as measured last. */
function http(): string {
  const result = loadResult<Measured>('http', false)
  if (result === undefined) return 'No figures yet: `bun run bench http` measures them, `bun run docs` puts them here.'
  const rows = result.rows.flatMap(({ subject, figure: { rate } }) =>
    rate === undefined ? [] : [[subject, Math.round(rate).toLocaleString('en-US')]],
  )
  const { machine, date, load, commit } = result.environment
  return `${table(['server', 'requests per second'], rows)}\n\n${machine}; ${date.slice(0, 10)}, load ${load}, ${commit}.`
}

/** Every table, by the name of its place in the page. */
export const RUNTIME_TABLES: Readonly<Record<string, () => string>> = {
  servers,
  capabilities,
  options,
  leftOut,
  http,
}

/** The page with every table anew. Throws when a table has no place. */
export function withRuntimeTables(page: string): string {
  let text = page
  for (const [name, make] of Object.entries(RUNTIME_TABLES)) {
    const start = `<!-- runtimes: ${name} -->`
    const end = `<!-- end: ${name} -->`
    const from = text.indexOf(start)
    const to = text.indexOf(end, from)
    if (from === -1 || to === -1) throw new Error(`docs/runtimes.md has no place for the table ${name}`)
    text = `${text.slice(0, from + start.length)}\n\n${make()}\n\n${text.slice(to)}`
  }
  return text
}
