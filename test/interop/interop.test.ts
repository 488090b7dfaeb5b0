/** Clients and servers of other makes, each as a process of its own, against ours. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command, type Runtime } from '../subject/runtime.ts'
import { type Started, startServer } from '../subject/start.ts'
import { refuseStrays } from '../subject/strays.ts'
import { AUTHORITY } from './authority.ts'
import { expected, type How, SIZES } from './suite.ts'

const LIMIT = 60_000

interface Client {
  readonly name: 'ours' | 'built-in' | 'ws'
  readonly runtime: Runtime
  /** Whether it can be told to offer permessage-deflate, or never does, or always does. */
  readonly deflate: 'choice' | 'always' | 'never'
  readonly parts: boolean
}

interface ServerOf {
  readonly name: string
  readonly file: string
  readonly runtime: Runtime
  readonly deflate: boolean
  /** Whether it can send a message in fragments. */
  readonly parts: boolean
  /** As in `StartOptions`. */
  readonly mayStray?: string
}

const OUR_CLIENTS: readonly Client[] = (['node', 'bun', 'deno'] as const).map((runtime) => ({
  name: 'ours',
  runtime,
  deflate: 'choice',
  parts: true,
}))
const OTHER_CLIENTS: readonly Client[] = [
  { name: 'ws', runtime: 'node', deflate: 'choice', parts: true },
  { name: 'built-in', runtime: 'node-current', deflate: 'always', parts: false },
  { name: 'built-in', runtime: 'bun', deflate: 'always', parts: false },
  { name: 'built-in', runtime: 'deno', deflate: 'never', parts: false },
]
const OUR_SERVERS: readonly ServerOf[] = (['node', 'bun', 'deno'] as const).map((runtime) => ({
  name: `our server on ${runtime}`,
  file: 'our-server.ts',
  runtime,
  deflate: true,
  parts: true,
}))
const NOT_OURS = 'what a server of another make says is for its makers to mend'
const OTHER_SERVERS: readonly ServerOf[] = [
  { name: 'ws', file: 'ws-server.ts', runtime: 'node', deflate: true, parts: true, mayStray: NOT_OURS },
  { name: 'Bun.serve', file: 'bun-server.ts', runtime: 'bun', deflate: true, parts: false, mayStray: NOT_OURS },
  { name: 'Deno.serve', file: 'deno-server.ts', runtime: 'deno', deflate: false, parts: false, mayStray: NOT_OURS },
]

const ca = join(tmpdir(), `fetch-sock-ca-${process.pid}.pem`)

beforeAll(() => {
  writeFileSync(ca, AUTHORITY)
})
afterAll(() => {
  rmSync(ca)
})

async function run({ name, runtime }: Client, url: string, how: How): Promise<string[]> {
  const argv = await command(runtime, join(import.meta.dir, 'client-app.ts'), [name, url, JSON.stringify(how)])
  const child = Bun.spawn(argv, {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, NODE_EXTRA_CA_CERTS: ca, DENO_CERT: ca },
  })
  const [output, errors] = await Promise.all([child.stdout, child.stderr].map((stream) => new Response(stream).text()))
  if ((await child.exited) !== 0) throw new Error(`${name} on ${runtime}: ${output}${errors}`)
  if (name === 'ours') refuseStrays(`Our client on ${runtime}`, errors ?? '')
  return JSON.parse(output ?? '') as string[]
}

function meets(server: ServerOf, clients: readonly Client[]): void {
  describe(`${server.name} and`, () => {
    let plain: Started
    let secure: Started

    beforeAll(async () => {
      const file = join(import.meta.dir, server.file)
      const { mayStray } = server
      ;[plain, secure] = await Promise.all([
        startServer(server.runtime, file, { mayStray }),
        startServer(server.runtime, file, { mayStray, args: ['tls'] }),
      ])
    }, LIMIT)
    afterAll(async () => {
      await Promise.all([plain.stop(), secure.stop()])
    })

    for (const client of clients) {
      const who = client.name === 'ours' ? `our client on ${client.runtime}` : `${client.name} on ${client.runtime}`
      const choices = client.deflate === 'choice' ? [false, true] : [client.deflate === 'always']
      for (const deflate of choices) {
        test(
          `S15 ${who}${deflate ? ', offering permessage-deflate' : ''}`,
          async () => {
            const how = { deflate, sizes: SIZES, partsBack: server.parts }
            const lines = await run(client, plain.wsUrl, how)
            expect(lines).toEqual(expected({ ...how, deflate: deflate && server.deflate, parts: client.parts }))
          },
          LIMIT,
        )
      }
      test(
        `S15 ${who}, wss with a CA of its own`,
        async () => {
          const deflate = client.deflate === 'always'
          const how = { deflate, sizes: [0, 65_536], partsBack: server.parts }
          const lines = await run(client, secure.wsUrl.replace('127.0.0.1', 'localhost'), how)
          expect(lines).toEqual(expected({ ...how, deflate: deflate && server.deflate, parts: client.parts }))
        },
        LIMIT,
      )
    }
  })
}

for (const server of OTHER_SERVERS) meets(server, OUR_CLIENTS)
for (const server of OUR_SERVERS) meets(server, [...OUR_CLIENTS, ...OTHER_CLIENTS])
