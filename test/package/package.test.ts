/** The package as users get it: packed, checked, and imported by every runtime. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import metadata from '../../package.json' with { type: 'json' }
import { executable, machineNode, ROOT, RUNTIMES, type Runtime } from '../subject/runtime.ts'

const LIMIT = 120_000
const ENTRY_POINTS: string[] = Object.keys(metadata.exports)
  .filter((name) => name !== './package.json')
  .map((name) => name.replace('.', 'fetch-sock'))

/** What each entry point must have; more may be there. */
const EXPECTED: Record<string, string[]> = {
  'fetch-sock': ['Sock', 'ConnectionClosed', 'WebSocketError', 'CloseCode'],
  'fetch-sock/server': ['serve'],
  'fetch-sock/client': ['connect'],
  'fetch-sock/testing': ['connectInMemory', 'memoryTransportPair'],
  'fetch-sock/codec': ['Protocol', 'CloseCode', 'ProtocolError'],
}

let folder = ''
let tarball = ''
/** A project that has the package installed. */
let consumer = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fetch-sock-'))
  const tree = join(folder, 'tree')
  await copyTree(tree)
  const [packed] = JSON.parse(await run(['npm', 'pack', '--json', '--pack-destination', folder], tree))
  tarball = join(folder, packed.filename)
  consumer = join(folder, 'consumer')
  await install(consumer)
}, LIMIT)

afterAll(async () => {
  if (folder !== '') await rm(folder, { recursive: true })
})

describe('the packed tarball', () => {
  test('holds the build, the source, the licence and the pages, and nothing else', async () => {
    const files = (await run(['tar', '-tzf', tarball])).trim().split('\n')
    expect(files).toContain('package/dist/index.js')
    expect(files).toContain('package/dist/index.d.ts')
    expect(files).toContain('package/src/index.ts')
    const pages = ['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md'].map((name) => `package/${name}`)
    const other = files.filter((name) => !/^package\/(dist|src)\/.*\.(js|d\.ts|ts|map)$/.test(name))
    expect(other.sort()).toEqual(pages.sort())
  })

  test(
    'contents publint',
    async () => {
      const output = await run([machineNode(), packageFile('publint', 'src/cli.js'), 'run', tarball, '--strict'])
      expect(output).toContain('All good!')
    },
    LIMIT,
  )

  test(
    'contents Are The Types Wrong',
    async () => {
      const attw = packageFile('@arethetypeswrong/cli', 'dist/index.js')
      const flags = ['--profile', 'esm-only', '--no-definitely-typed', '--no-emoji', '--format', 'json']
      const report = JSON.parse(await run([machineNode(), attw, tarball, ...flags]))
      expect(Object.keys(report.analysis.entrypoints).sort()).toEqual(
        ['.', './client', './codec', './package.json', './server', './testing'].sort(),
      )
      expect(report.analysis.types).toEqual({ kind: 'included' })
    },
    LIMIT,
  )

  test(
    'type-checks in a strict project that resolves as Node does, its declarations included',
    async () => {
      const lines = ENTRY_POINTS.map((name, index) => `export * as e${index} from '${name}'`)
      await Bun.write(join(consumer, 'consumer.ts'), `${lines.join('\n')}\n${CONSUMER}`)
      const flags = '--noEmit --strict --skipLibCheck false --module nodenext --target es2023 --types node'
      expect(await run([packageFile('typescript', 'bin/tsc'), ...flags.split(' '), 'consumer.ts'], consumer)).toBe('')
    },
    LIMIT,
  )
})

describe('every entry point of the tarball', () => {
  for (const runtime of RUNTIMES) {
    test(
      `loads on ${runtime}`,
      async () => {
        const file = join(consumer, 'load.mjs')
        const loads = ENTRY_POINTS.map((name) => `'${name}': Object.keys(await import('${name}'))`)
        await Bun.write(file, `console.log(JSON.stringify({ ${loads.join(', ')} }))\n`)
        const loaded = JSON.parse(await run([...launch(runtime), file], consumer))
        for (const name of ENTRY_POINTS) {
          expect({ name, exports: loaded[name] }).toEqual({
            name,
            exports: expect.arrayContaining(EXPECTED[name] ?? ['nothing expected']),
          })
        }
      },
      LIMIT,
    )
  }

  test('runs on the Node that is the oldest we support, and on a newer one', async () => {
    const versions = await Promise.all([
      run([executable('node'), '--version']),
      run([executable('node-current'), '--version']),
    ])
    const [oldest = 0, newest = 0] = versions.map((version) => Number(/^v(\d+)/.exec(version)?.[1]))
    expect(oldest).toBeGreaterThanOrEqual(20)
    expect(newest).toBeGreaterThan(oldest)
  })
})

const CONSUMER = `
import { Hono } from 'hono'
import { ConnectionClosed, Sock, upgrade } from 'fetch-sock'
import { serve } from 'fetch-sock/server'
const app = new Hono()
const sock = new Sock(app)
sock.route('/echo', async (ws) => {
  for await (const message of ws) await ws.send(message)
})
app.get(
  '/rooms/:room',
  async (_c, next) => next(),
  upgrade((ws, c) => {
    const room: string = c.req.param('room')
    return ws.send(room)
  }),
)
const server = await serve(app, { port: 0 })
export const url: string = server.url
export const closed: boolean = new Error() instanceof ConnectionClosed
`

function launch(runtime: Runtime): string[] {
  return runtime === 'deno' ? [executable(runtime), 'run', '-A', '--quiet'] : [executable(runtime)]
}

function packageFile(name: string, file: string): string {
  return join(ROOT, 'node_modules', name, file)
}

/** What packing needs, apart from the repository: the build of this test is nobody else's. */
async function copyTree(target: string): Promise<void> {
  await mkdir(target)
  const names = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'LICENSE', 'CHANGELOG.md']
  await Promise.all(names.map((name) => cp(join(ROOT, name), join(target, name), { recursive: true })))
  await symlink(join(ROOT, 'node_modules'), join(target, 'node_modules'))
}

/** Unpacks the tarball where an installation would put it, beside the packages it depends on. */
async function install(target: string): Promise<void> {
  const packages = join(target, 'node_modules')
  await mkdir(join(packages, 'fetch-sock'), { recursive: true })
  await run(['tar', '-xzf', tarball, '--strip-components', '1', '-C', join(packages, 'fetch-sock')])
  await mkdir(join(packages, '@hono'))
  for (const name of ['hono', '@hono/node-server', '@types']) {
    await symlink(packageFile(name, ''), join(packages, name))
  }
  const dependencies = { 'fetch-sock': '*', hono: '*' }
  await Bun.write(join(target, 'package.json'), JSON.stringify({ type: 'module', private: true, dependencies }))
  await Bun.write(join(target, 'deno.json'), JSON.stringify({ nodeModulesDir: 'manual', lock: false }))
}

/** Runs a command with the machine's own Node first on PATH. @returns its stdout @throws when it fails */
async function run(argv: string[], cwd: string = ROOT): Promise<string> {
  const path = [dirname(machineNode()), process.env.PATH].join(delimiter)
  const child = Bun.spawn(argv, {
    cwd,
    env: { ...process.env, PATH: path },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code}:\n${output}${errors}`)
  return output
}
