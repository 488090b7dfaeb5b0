/** What package.json and the lock file promise. */
import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../subject/runtime.ts'

interface Metadata {
  readonly dependencies: Record<string, string>
  readonly peerDependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
  readonly allowScripts: Record<string, boolean>
  readonly scripts: Record<string, string>
}

interface Locked {
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Record<string, string>
}

async function readLock(): Promise<[path: string, entry: Locked][]> {
  const lock: { packages: Record<string, Locked> } = await Bun.file(join(ROOT, 'package-lock.json')).json()
  return Object.entries(lock.packages)
}

describe('house: the package', () => {
  test('has one lock file, which names no registry', async () => {
    const locks = ['package-lock.json', 'npm-shrinkwrap.json', 'yarn.lock', 'pnpm-lock.yaml']
    expect(locks.filter((name) => existsSync(join(ROOT, name)))).toEqual(['package-lock.json'])
    for (const [path, entry] of await readLock()) {
      if (entry.resolved !== undefined) expect(`${path}: ${entry.resolved}`).toMatch(/: test\/[\w-]+$/)
    }
  })

  test('locks the packages of every platform, without which npm ci refuses the lock file', async () => {
    const lock = await readLock()
    const locked = new Set(lock.map(([path]) => path))
    const optional = lock.flatMap(([, entry]) => Object.keys(entry.optionalDependencies ?? {}))
    expect(optional.length).toBeGreaterThan(10)
    expect(optional.filter((name) => !locked.has(`node_modules/${name}`))).toEqual([])
  })

  test('P24 depends on Hono and its Node server alone, and lets only bun run an install script', async () => {
    const metadata: Metadata = await Bun.file(join(ROOT, 'package.json')).json()
    expect(Object.keys(metadata.dependencies)).toEqual(['@hono/node-server'])
    expect(Object.keys(metadata.peerDependencies)).toEqual(['hono'])
    expect(metadata.allowScripts).toEqual({ bun: true })
    const packages = await readLock()
    const scripted = packages.filter(([, entry]) => entry.hasInstallScript === true).map(([path]) => path)
    expect(scripted).toContain('node_modules/bun')
  })

  test('has every file that a script of package.json runs', async () => {
    const metadata: Metadata = await Bun.file(join(ROOT, 'package.json')).json()
    const files = Object.values(metadata.scripts).flatMap((script) => script.match(/[\w./-]+\.(ts|json)\b/g) ?? [])
    expect(files).toContain('test/subject/run.ts')
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
  })

  test('has a file behind every link of its pages', async () => {
    const pages = ['README.md', 'CHANGELOG.md', ...new Bun.Glob('docs/*.md').scanSync(ROOT)]
    expect(pages).toContain('docs/architecture.md')
    const dead: string[] = []
    let links = 0
    for (const page of pages) {
      const text = await Bun.file(join(ROOT, page)).text()
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
        links += 1
        if (!existsSync(join(ROOT, dirname(page), target))) dead.push(`${page}: ${target}`)
      }
    }
    expect(links).toBeGreaterThan(3)
    expect(dead).toEqual([])
  })

  test('has every source file that docs/architecture.md names', async () => {
    const page = await Bun.file(join(ROOT, 'docs', 'architecture.md')).text()
    const named = [...page.matchAll(/`([\w-]+(?:\/[\w.-]+)*\.ts)`/g)].map((match) => match[1] ?? '')
    expect(named.length).toBeGreaterThan(10)
    const missing = named.filter((path) => !existsSync(join(ROOT, path)) && !existsSync(join(ROOT, 'src', path)))
    expect(missing).toEqual([])
  })

  test('has a README whose commands npm runs', async () => {
    const metadata: Metadata = await Bun.file(join(ROOT, 'package.json')).json()
    const readme = await Bun.file(join(ROOT, 'README.md')).text()
    const commands = [...readme.matchAll(/npm ci && npm (?:run )?(\w+)/g)].map((match) => match[1] ?? '')
    expect(commands).toEqual(expect.arrayContaining(['chat', 'test']))
    expect(commands.filter((name) => metadata.scripts[name] === undefined)).toEqual([])
  })
})
