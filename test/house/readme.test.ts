/** The code of README.md: every block type-checks, the whole programs run. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { ROOT } from '../subject/runtime.ts'
import { startServer } from '../subject/start.ts'

/** What a block that goes on from the first one can use. */
const PRELUDE = `import { Hono } from 'hono'
import { Sock } from 'fetch-sock'

const app = new Hono()
const sock = new Sock(app)
`

/** Of this run alone: two may run at the same time. */
const FOLDER = join(ROOT, '.tmp', `readme-${process.pid}`)

/** A block of TypeScript in README.md. */
interface Block {
  /** Of its first line in the page. */
  readonly line: number
  readonly code: string
  /** Whether it stands on its own. */
  readonly whole: boolean
  readonly file: string
}

let blocks: Block[] = []

beforeAll(async () => {
  const page = await Bun.file(join(ROOT, 'README.md')).text()
  blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => {
    const line = page.slice(0, match.index).split('\n').length + 1
    const code = match[1] ?? ''
    const whole = /new Sock\(app\)/.test(code)
    return { line, code: whole ? code : PRELUDE + code, whole, file: join(FOLDER, `line-${line}.ts`) }
  })
  await mkdir(FOLDER, { recursive: true })
  for (const { file, code } of blocks) await Bun.write(file, `${code}\nexport {}\n`)
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { isolatedDeclarations: false, declaration: false },
  }
  await Bun.write(join(FOLDER, 'tsconfig.json'), JSON.stringify({ ...config, include: ['*.ts'] }))
})

afterAll(() => rm(FOLDER, { recursive: true, force: true }))

/** The output of a command and how it ended. */
async function run(argv: string[], cwd: string): Promise<{ exitCode: number; output: string }> {
  const child = Bun.spawn(argv, { cwd, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const output = await Promise.all([child.stdout, child.stderr].map((stream) => new Response(stream).text()))
  return { exitCode: await child.exited, output: output.join('') }
}

describe('house: the code of README.md', () => {
  test('H20 every block of TypeScript type-checks', async () => {
    expect(blocks.length).toBeGreaterThan(15)
    expect(await run([join(ROOT, 'node_modules', '.bin', 'tsc'), '-p', '.'], FOLDER)).toEqual({
      exitCode: 0,
      output: '',
    })
  })

  test('H20 a block with a mistake does not', async () => {
    const folder = join(FOLDER, 'wrong')
    await mkdir(folder, { recursive: true })
    await Bun.write(join(folder, 'wrong.ts'), `${PRELUDE}sock.route('/x', { maxMesageSize: 1 }, () => {})\n`)
    await Bun.write(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', include: ['*.ts'] }))
    const { exitCode, output } = await run([join(ROOT, 'node_modules', '.bin', 'tsc'), '-p', '.'], folder)
    expect([exitCode, output]).toEqual([expect.any(Number), expect.stringContaining('maxMesageSize')])
    expect(exitCode).not.toBe(0)
  })

  test('H20 every block registers what it says without an error', async () => {
    const parts = blocks.filter(({ code }) => !/^await serve\(/m.test(code))
    expect(parts.length).toBeGreaterThan(15)
    const all = join(FOLDER, 'all.ts')
    await Bun.write(all, `${parts.map(({ file }) => `await import(${JSON.stringify(file)})`).join('\n')}\nexport {}\n`)
    const { exitCode, output } = await run([process.execPath, all], ROOT)
    expect([exitCode, output]).toEqual([0, expect.not.stringContaining('rror')])
  })

  test('H20 the first block is a whole program that echoes', async () => {
    const first = blocks[0] as Block
    const program = first.code.replace(
      /^await serve\(app, \{ port: 3000 \}\)$/m,
      "console.log('ready ' + (await serve(app, { port: Number(process.argv[2]) })).url)",
    )
    expect(first.whole).toBe(true)
    expect(program).not.toBe(first.code)
    const file = join(FOLDER, 'first.ts')
    await Bun.write(file, program)
    await using server = await startServer('bun', file)
    const socket = new WebSocket(`${server.wsUrl}/echo`)
    const echoed = await new Promise((resolve, reject) => {
      socket.onopen = () => socket.send('hello')
      socket.onmessage = ({ data }) => resolve(data)
      socket.onerror = () => reject(new Error('No connection'))
    })
    socket.close()
    expect(echoed).toBe('hello')
  })
})
