/** The layers, as docs/architecture.md states them. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { posix } from 'node:path'
import { SyntaxKind } from 'typescript/unstable/ast'
import { type Layer, readLayers } from './page.ts'
import { descendants, place, readSources, type Source } from './source.ts'

type Imports = Pick<Source, 'path' | 'imports'>

let sources: Source[] = []
let layers: Map<string, Layer> = new Map()

beforeAll(async () => {
  sources = await readSources()
  layers = await readLayers()
})

describe('house: the layer table', () => {
  test('has a row for every folder of src, and no other', () => {
    expect([...layers.keys()].sort()).toEqual([...new Set(sources.map((source) => folderOf(source.path)))].sort())
  })

  test('allows every import in src', () => {
    expect(sources.flatMap((source) => offences(source, layers))).toEqual([])
  })

  test('finds an import that points up, an unknown package, and one that leaves src', () => {
    const wrong: [string, string][] = [
      ['codec/mask.ts', '../connection/framed.ts'],
      ['codec/mask.ts', 'node:net'],
      ['codec/mask.ts', 'hono'],
      ['connection/framed.ts', 'node:timers'],
      ['topic/topics.ts', '../runtime/server.ts'],
      ['runtime/server.ts', '../sock/sock.ts'],
      ['runtime/server.ts', 'hono/ws'],
      ['sock/sock.ts', '../index.ts'],
      ['sock/sock.ts', '../../test/subject/start.ts'],
      ['sock/sock.ts', './upgrade'],
      ['sock/sock.ts', 'fetch-sock/codec'],
    ]
    for (const [path, specifier] of wrong) {
      expect(offences({ path, imports: [specifier] }, layers)).toEqual([`${path} may not import ${specifier}`])
    }
    const right: [string, string][] = [
      ['codec/mask.ts', './opcode.ts'],
      ['codec/mask.ts', 'node:crypto'],
      ['runtime/server.ts', '../codec/protocol.ts'],
      ['runtime/server.ts', 'node:http'],
      ['sock/sock.ts', 'hono/factory'],
      ['index.ts', './sock/sock.ts'],
    ]
    for (const [path, specifier] of right) expect(offences({ path, imports: [specifier] }, layers)).toEqual([])
  })

  test('P24 src/index.ts and src/codec reach no builtin but those of the codec, and no socket', () => {
    const pure = layers.get('codec')?.packages ?? []
    const starts = sources
      .map((source) => source.path)
      .filter((path) => path === 'index.ts' || path.startsWith('codec/'))
    expect(starts).toContain('index.ts')
    const impure = [...reachable(starts, sources)].flatMap(({ path, imports }) =>
      imports
        .filter((name) => name.startsWith('node:') && !pure.includes(name))
        .map((name) => `${path} imports ${name}`),
    )
    expect(impure).toEqual([])
  })
})

describe('house: what a layer may name', () => {
  test('only runtime/ names a runtime', () => {
    const globals = ['Bun', 'Deno', 'WebSocketPair', 'process', 'navigator', 'EdgeRuntime']
    expect(
      identifiers(
        sources.filter((source) => folderOf(source.path) !== 'runtime'),
        globals,
      ),
    ).toEqual([])
    expect(
      identifiers(
        sources.filter((source) => folderOf(source.path) === 'runtime'),
        globals,
      ),
    ).not.toEqual([])
  })

  test('the codec has no timers, promises, clock, console or randomness but that of node:crypto', () => {
    const codec = sources.filter((source) => folderOf(source.path) === 'codec')
    expect(codec.length).toBeGreaterThan(5)
    const names =
      'setTimeout setInterval setImmediate queueMicrotask Promise console Date performance Math.random fetch'
    expect(identifiers(codec, names.split(' '))).toEqual([])
    const waits = codec.flatMap((source) =>
      [...descendants(source.tree)]
        .filter((node) => node.kind === SyntaxKind.AsyncKeyword || node.kind === SyntaxKind.AwaitExpression)
        .map((node) => place(source, node)),
    )
    expect(waits).toEqual([])
  })

  test('P24 nothing in src has type any', () => {
    const loose = sources.flatMap((source) =>
      [...descendants(source.tree)]
        .filter((node) => node.kind === SyntaxKind.AnyKeyword)
        .map((node) => place(source, node)),
    )
    expect(loose).toEqual([])
  })
})

function folderOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '') : 'index.ts'
}

function offences({ path, imports }: Imports, table: Map<string, Layer>): string[] {
  const layer = table.get(folderOf(path))
  return imports.filter((name) => !isAllowed(path, name, layer)).map((name) => `${path} may not import ${name}`)
}

function isAllowed(path: string, name: string, layer: Layer | undefined): boolean {
  if (layer === undefined) return false
  if (!name.startsWith('.')) return layer.packages.some((allowed) => covers(allowed, name))
  const target = posix.join(posix.dirname(path), name)
  if (target.startsWith('..') || !target.endsWith('.ts')) return false
  return folderOf(target) === folderOf(path) || layer.folders.includes(folderOf(target))
}

function covers(allowed: string, name: string): boolean {
  return allowed === 'node:*' ? name.startsWith('node:') : name === allowed || name.startsWith(`${allowed}/`)
}

function reachable(starts: readonly string[], all: readonly Source[]): Set<Source> {
  const byPath = new Map(all.map((source) => [source.path, source]))
  const seen = new Set<Source>()
  const waiting = [...starts]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const source = byPath.get(path)
    if (source === undefined || seen.has(source)) continue
    seen.add(source)
    const folder = posix.dirname(path)
    waiting.push(...source.imports.filter((name) => name.startsWith('.')).map((name) => posix.join(folder, name)))
  }
  return seen
}

/** Where globals are used. A member that happens to have such a name is not a use. */
function identifiers(among: readonly Source[], names: readonly string[]): string[] {
  return among.flatMap((source) =>
    [...descendants(source.tree)]
      .filter((node) => node.kind === SyntaxKind.Identifier || node.kind === SyntaxKind.PropertyAccessExpression)
      .filter((node) => names.includes(node.getText().replace(/^globalThis\??\./, '')))
      .filter((node) => (node.parent as { name?: unknown } | undefined)?.name !== node)
      .map((node) => `${place(source, node)} ${node.getText()}`),
  )
}
