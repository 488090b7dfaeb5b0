/** Every server that the contract runs on, as a process, and what each cannot do. */
import { mkdir, rm } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import type { Capabilities } from '../../src/connection/connection.ts'
import { FRAMED_CAPABILITIES } from '../../src/connection/framed.ts'
import { bunHost } from '../../src/runtime/bun.ts'
import { cloudflareHost } from '../../src/runtime/cloudflare.ts'
import { denoHost } from '../../src/runtime/deno.ts'
import { ROOT } from '../subject/runtime.ts'
import { RUNTIMES, type Runtime, startServer } from '../subject/start.ts'
import { refuseStrays } from '../subject/strays.ts'

/** A server that listens. */
export interface Running {
  readonly url: string
  /** Everything written to stderr so far. */
  readonly stderr: string
  /** Rejects when the process had ended before, ends badly, or has said what no process may. */
  stop(): Promise<void>
}

/** One way to run the application. */
export interface ContractServer {
  readonly name: string
  /** The line that starts it. */
  readonly by: string
  /** As `Connection.mode`. */
  readonly mode: string
  readonly capabilities: Capabilities
  /** Options that have no effect. */
  readonly unsupported: readonly string[]
  /** By the beginning of a case's name: why it does not hold here. */
  readonly skips: Readonly<Record<string, string>>
  start(): Promise<Running>
}

const HERE = import.meta.dir
const WORKERD = join(ROOT, 'node_modules', '.bin', 'workerd')

async function startFile(runtime: Runtime, file: string): Promise<Running> {
  const server = await startServer(runtime, join(HERE, file))
  return {
    url: server.url,
    get stderr() {
      return server.stderr
    },
    async stop() {
      const exit = await server.stop()
      if (exit !== 0) throw new Error(`The server on ${runtime} ended with ${exit}:\n${server.stderr}`)
    },
  }
}

function raw(runtime: Runtime): ContractServer {
  return {
    name: { node: 'Node', 'node-current': 'Node, current', bun: 'Bun', deno: 'Deno' }[runtime],
    by: 'serve(app)',
    mode: runtime === 'node-current' ? 'node' : runtime,
    capabilities: FRAMED_CAPABILITIES,
    unsupported: [],
    skips: {},
    start: () => startFile(runtime, 'serve-raw.ts'),
  }
}

const NO_PAUSE = 'the host reads on while nobody receives; above 16 × inboxBytes the connection is closed with 1013'
const NO_PING = 'the host sends no Ping for us: ping rejects'
const NO_LAST_WORD = 'the host ends the connection without a Close'
const NO_TERMINATE = 'the host cannot drop a connection; terminate sends a Close without a code, and does not wait'
const NO_ANSWER = 'the host tells the end when our Close is sent, and not whether it was answered'
const OWN_SOCKET_ONLY = {
  'S14 ': 'a Worker may not send on the socket of another request; a Durable Object may',
  'R29 sock.drain': 'a Worker may not close the socket of another request; a Durable Object may',
}

export const SERVERS: readonly ContractServer[] = [
  ...RUNTIMES.map(raw),
  {
    name: 'Bun.serve',
    by: 'export default { fetch: app.fetch, websocket: sock.websocket }',
    mode: bunHost.mode,
    capabilities: bunHost.capabilities,
    unsupported: bunHost.unsupported,
    skips: {
      'R17 a handler that does not receive for a while': NO_PAUSE,
      'C12 ': NO_ANSWER,
      'R29 sock.drain terminates': NO_ANSWER,
    },
    start: () => startFile('bun', 'serve-bun.ts'),
  },
  {
    name: 'Deno.serve',
    by: 'Deno.serve(app.fetch)',
    mode: denoHost.mode,
    capabilities: denoHost.capabilities,
    unsupported: denoHost.unsupported,
    skips: {
      'R17 a handler that does not receive for a while': NO_PAUSE,
      'H18 cleanup runs once when the handler terminates': NO_TERMINATE,
      'C13 ping measures': NO_PING,
      'P1 ': 'the host takes unmasked frames',
      'P3 ': NO_LAST_WORD,
      'P5 ': NO_LAST_WORD,
    },
    start: () => startFile('deno', 'serve-deno.ts'),
  },
  worker('workerd', '2026-11-01', 'worker.ts', OWN_SOCKET_ONLY),
  worker('workerd, older', '2025-01-01', 'worker.ts', OWN_SOCKET_ONLY),
  worker('workerd, Durable Object', '2026-11-01', 'durable-worker.ts', {
    'H16 a POST': 'the host in front of the object answers a POST itself, with 400',
  }),
]

function worker(name: string, date: string, file: string, skips: Readonly<Record<string, string>>): ContractServer {
  return {
    name,
    by: `export default app, compatibility date ${date}`,
    mode: cloudflareHost.mode,
    capabilities: cloudflareHost.capabilities,
    unsupported: cloudflareHost.unsupported,
    skips: {
      ...skips,
      'R17 a handler that does not receive for a while': NO_PAUSE,
      'H18 cleanup runs once when the handler terminates': NO_TERMINATE,
      'H15 a plain GET on the path of a route alone': 'the host leaves the header Upgrade out of an answer',
      'R27 the 426 of an old version': 'the host leaves the header Upgrade out of an answer',
      'R1 a client that vanishes during a slow hook':
        'the host does not say that the client has left; the handler starts, and ends',
      'C13 ping measures': NO_PING,
      'R19 ': 'the host looks after silent peers itself',
      'P1 ': 'the host takes unmasked frames',
      'P3 ': 'the host replaces what is no UTF-8',
      'P5 ': NO_LAST_WORD,
      'P9 ': 'the host takes every code',
      'H11 the AsyncLocalStorage': 'the host has AsyncLocalStorage only where a compatibility flag says so',
    },
    start: () => startWorkerd(date, join(HERE, file)),
  }
}

/**
 * Bundles a Worker as a user would. Builtins of Node stay imports: a bundler may put its own in their place.
 *
 * @returns the code
 */
export async function bundleWorker(file: string): Promise<string> {
  const external = [...builtinModules, 'node:*']
  const built = await Bun.build({ entrypoints: [file], target: 'browser', conditions: ['workerd'], external })
  const code = await built.outputs[0]?.text()
  if (code === undefined) throw new Error(`Nothing was built from ${file}`)
  return code
}

/** A Worker that exports the class of a Durable Object. */
const DURABLE = /export \{[^}]*\bRoom\b/
const DURABLE_CONFIG = `durableObjectNamespaces = [(className = "Room", uniqueKey = "room")],
    durableObjectStorage = (inMemory = void)`

/**
 * A Worker in workerd, without the tools around it.
 *
 * @param port 0 for any
 */
export async function startWorkerd(
  date: string,
  file: string = join(HERE, 'worker.ts'),
  port: number = 0,
): Promise<Running> {
  const folder = join(ROOT, '.tmp', `worker-${process.pid}-${date}-${Math.random().toString(36).slice(2)}`)
  await mkdir(folder, { recursive: true })
  const code = await bundleWorker(file)
  await Bun.write(join(folder, 'worker.js'), code)
  await Bun.write(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker.js", esModule = embed "worker.js")],
    bindings = [(name = "BOUND", text = "yes")${DURABLE.test(code) ? ', (name = "ROOM", durableObjectNamespace = "Room")' : ''}],
    compatibilityDate = "${date}",
    ${DURABLE.test(code) ? DURABLE_CONFIG : ''}
  ))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
`,
  )
  const child = Bun.spawn([WORKERD, 'serve', join(folder, 'config.capnp'), '--control-fd=1'], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const running = { url: '', stderr: '' }
  const errors = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) running.stderr += text
  })()
  const listening = await new Promise<number>((resolve, reject) => {
    let said = ''
    const read = async (): Promise<void> => {
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        said += text
        const found = /"event":"listen".*"port":(\d+)/.exec(said)?.[1]
        if (found !== undefined) resolve(Number(found))
      }
      reject(new Error(`workerd ended before it listened: ${said}${running.stderr}`))
    }
    void read().catch(reject)
  })
  return {
    url: `http://127.0.0.1:${listening}`,
    get stderr() {
      return running.stderr
    },
    async stop() {
      // On SIGTERM it waits for its connections.
      child.kill('SIGKILL')
      await child.exited
      await errors
      await rm(folder, { recursive: true, force: true })
      refuseStrays(`workerd, ${date}, ${file}`, running.stderr)
    },
  }
}
