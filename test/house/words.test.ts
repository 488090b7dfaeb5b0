/** How the source reads: size, comments, words. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { join, posix } from 'node:path'
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import metadata from '../../package.json' with { type: 'json' }
import { ROOT } from '../subject/runtime.ts'
import { readLongFiles } from './page.ts'
import { readSources, type Source } from './source.ts'

const MOST_LINES = 300
const ENTRY_POINTS: string[] = Object.values(metadata.exports).flatMap((target) =>
  typeof target === 'string' ? [] : [target.default.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts')],
)
const SECTION = /§|\bRFC \d|\bIANA\b/

let sources: Source[] = []

beforeAll(async () => {
  sources = await readSources()
})

describe('house: size', () => {
  test(`a file of src over ${MOST_LINES} lines has its reason in docs/architecture.md`, async () => {
    const reasons = await readLongFiles()
    const long = sources.filter((source) => lineCount(source.text) > MOST_LINES).map((source) => source.path)
    expect([...reasons.keys()].sort()).toEqual(long)
    for (const [path, reason] of reasons) expect(`${path}: ${reason}`).toMatch(/: .{20,}/)
  })
})

describe('house: speed', () => {
  test('no accessor of src is private', () => {
    const accessors = sources.filter(({ text }) => /^\s*(static )?(get|set) #/m.test(text)).map(({ path }) => path)
    expect(accessors).toEqual([])
  })
})

describe('house: comments', () => {
  test('every exported name of src has a doc comment; the head of a file will do for what the file is named after', () => {
    const all = sources.flatMap((source) => exportsOf(source))
    expect(all.length).toBeGreaterThan(50)
    const publicNames = publicNamesOf(sources)
    expect(publicNames).toContain('sock/sock.ts Sock')
    const documented = new Set(all.filter((name) => name.doc !== '').map((name) => `${name.path} ${name.name}`))
    const described = new Set(sources.filter((source) => headOf(source) !== '').map(namesake))
    const bare = all
      .map((name) => `${name.path} ${name.name}`)
      .filter((name) => !documented.has(name))
      .filter((name) => publicNames.has(name) || !described.has(name.toLowerCase()))
    expect(bare).toEqual([])
  })

  test('every exported name of the codec, or the head of its file, cites a section', () => {
    const codec = sources.filter((source) => source.path.startsWith('codec/') && source.path !== 'codec/index.ts')
    expect(codec.length).toBeGreaterThan(5)
    const silent = codec
      .filter((source) => !SECTION.test(headOf(source)))
      .flatMap((source) => exportsOf(source))
      .filter((name) => !SECTION.test(name.text))
      .map((name) => `${name.path} ${name.name}`)
    expect(silent).toEqual([])
  })

  test('nothing is left to do later, and nothing points outside the repository', async () => {
    const words = [
      ['TO', 'DO'],
      ['FIX', 'ME'],
      ['X', 'XX'],
      ['HA', 'CK'],
    ].map((halves) => halves.join(''))
    const forbidden = new RegExp(`\\b(${words.join('|')})\\b|(^|[\\s"'\`(])/(work|home|root|tmp)/`)
    const found: string[] = []
    let files = 0
    for (const path of new Bun.Glob('{src,test,examples,bench,docs,.ci}/**/*').scanSync({ cwd: ROOT, dot: true })) {
      if (!/\.(ts|md|html|sh|json)$|\/run$/.test(path)) continue
      files += 1
      const lines = (await Bun.file(join(ROOT, path)).text()).split('\n')
      found.push(
        ...lines.flatMap((line, index) => (forbidden.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
      )
    }
    expect(files).toBeGreaterThan(20)
    expect(found).toEqual([])
  })
})

interface Exported {
  readonly path: string
  readonly name: string
  /** Its doc comment. */
  readonly doc: string
  /** The declaration with its comments. */
  readonly text: string
}

/** What a file declares and exports. Re-exports are documented where they come from. */
function exportsOf(source: Source): Exported[] {
  return source.tree.statements.flatMap((statement) => {
    const { modifiers, declarationList, name } = statement as {
      modifiers?: readonly Node[]
      declarationList?: { declarations: readonly { name: Node }[] }
      name?: Node
    }
    if (!modifiers?.some((modifier) => modifier.kind === SyntaxKind.ExportKeyword)) return []
    const doc = (statement.jsDoc ?? []).map((comment) => comment.getText()).join('\n')
    const text = `${doc}\n${statement.getText()}`
    const names = declarationList?.declarations.map((declaration) => declaration.name) ?? (name ? [name] : [])
    if (names.length === 0) throw new Error(`${source.path} exports something without a name`)
    return names.map((node) => ({ path: source.path, name: node.getText(), doc, text }))
  })
}

/** What the entry points re-export, as `path name`. */
function publicNamesOf(among: readonly Source[]): Set<string> {
  const entries = among.filter((source) => ENTRY_POINTS.includes(source.path))
  expect(entries.length).toBe(ENTRY_POINTS.length)
  return new Set(
    entries.flatMap((entry) => {
      const own = exportsOf(entry).map((name) => `${entry.path} ${name.name}`)
      const again = entry.tree.statements.flatMap((statement) => {
        const { moduleSpecifier, exportClause } = statement as {
          moduleSpecifier?: { text: string }
          exportClause?: { elements?: readonly { name: Node; propertyName?: Node }[] }
        }
        if (statement.kind !== SyntaxKind.ExportDeclaration || moduleSpecifier === undefined) return []
        const path = posix.join(posix.dirname(entry.path), moduleSpecifier.text)
        const target = among.find((source) => source.path === path)
        if (target === undefined) throw new Error(`${entry.path} re-exports ${path}, which does not exist`)
        const names = exportClause?.elements?.map((element) => (element.propertyName ?? element.name).getText())
        return (names ?? exportsOf(target).map((name) => name.name)).map((name) => `${path} ${name}`)
      })
      return [...own, ...again]
    }),
  )
}

/** The name, in lower case, that a file stands for: `codec/frame-decoder.ts framedecoder`. */
function namesake(source: Source): string {
  return `${source.path} ${posix.basename(source.path, '.ts').replaceAll('-', '')}`
}

/** The comment that a file begins with. */
function headOf(source: Source): string {
  return /^\/\*\*[\s\S]*?\*\//.exec(source.text)?.[0] ?? ''
}

function lineCount(text: string): number {
  return text.split('\n').length - 1
}
