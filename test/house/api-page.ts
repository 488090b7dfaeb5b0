/** docs/api.md, made of the doc comments of what the entry points export. */
import { join, posix } from 'node:path'
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import metadata from '../../package.json' with { type: 'json' }
import { ROOT } from '../subject/runtime.ts'
import { readSources, type Source } from './source.ts'

/** One exported name. */
export interface ApiName {
  readonly name: string
  /** Path below `src/` of the file that declares it. */
  readonly path: string
  /** Its doc comment as Markdown, `''` when there is none. */
  readonly doc: string
  /** Its declaration without bodies and private parts. */
  readonly code: string
}

/** One key of `exports` in package.json. */
export interface EntryPoint {
  /** Such as `./server`. */
  readonly path: string
  /** The source file. */
  readonly module: string
  /** The comment that the file begins with, as Markdown. */
  readonly head: string
  readonly names: readonly ApiName[]
}

/** A node with what is looked at here. */
interface Declaration extends Node {
  readonly name?: Node
  readonly body?: Node
  readonly type?: Node
  readonly initializer?: Node
  readonly modifiers?: readonly Node[]
  readonly members?: readonly Declaration[]
  readonly declarationList?: { readonly declarations: readonly Declaration[] }
  readonly moduleSpecifier?: { readonly text: string }
  readonly exportClause?: { readonly elements?: readonly { readonly name: Node; readonly propertyName?: Node }[] }
}

/** What each entry point exports, in the order of its name. */
export async function entryPoints(): Promise<EntryPoint[]> {
  const sources = new Map((await readSources()).map((source) => [source.path, source]))
  return Object.entries(metadata.exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []
    const file = target.default.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts')
    const source = at(sources, file)
    const names = [...exportedNames(source, sources)].sort((a, b) => a.name.localeCompare(b.name, 'en'))
    const head = markdown(/^\/\*\*[\s\S]*?\*\//.exec(source.text)?.[0] ?? '')
    return [{ path, module: join(ROOT, 'src', file), head, names }]
  })
}

/** The whole page. */
export async function apiPage(): Promise<string> {
  const entries = await entryPoints()
  const shown = new Map<string, string>()
  const parts = [
    '# API',
    'Every name that the package exports. `bun run docs` makes this page of the doc comments in `src/`, and a test fails\nwhen it is out of date. Durations are milliseconds and sizes are bytes.',
    entries.map(({ path, names }) => contents(path, names)).join('\n\n'),
  ]
  for (const { path, head, names } of entries) {
    parts.push(`## ${specifier(path)}`, head)
    for (const { name, path: file, doc, code } of names) {
      const elsewhere = shown.get(`${file} ${name}`)
      if (elsewhere === undefined) shown.set(`${file} ${name}`, specifier(path))
      parts.push(`### ${name}`)
      if (elsewhere !== undefined) parts.push(`The same as [\`${name}\`](#${name.toLowerCase()}) of \`${elsewhere}\`.`)
      else parts.push(doc, `\`\`\`ts\n${code}\n\`\`\``)
    }
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function contents(path: string, names: readonly ApiName[]): string {
  return `**\`${specifier(path)}\`**: ${names.map(({ name }) => `\`${name}\``).join(', ')}`
}

function specifier(path: string): string {
  return path.replace('.', 'fetch-sock')
}

function at(sources: ReadonlyMap<string, Source>, path: string): Source {
  const source = sources.get(path)
  if (source === undefined) throw new Error(`There is no src/${path}`)
  return source
}

function exportedNames(entry: Source, sources: ReadonlyMap<string, Source>): ApiName[] {
  const own = [...declaredNames(entry).values()]
  const again = (entry.tree.statements as readonly Node[]).flatMap((node) => {
    const { kind, moduleSpecifier, exportClause } = node as Declaration
    if (kind !== SyntaxKind.ExportDeclaration || moduleSpecifier === undefined) return []
    const target = at(sources, posix.join(posix.dirname(entry.path), moduleSpecifier.text))
    const declared = declaredNames(target)
    return (exportClause?.elements ?? []).map(({ name, propertyName }) => {
      const original = (propertyName ?? name).getText()
      const found = declared.get(original) ?? exportedNames(target, sources).find((known) => known.name === original)
      if (found === undefined) throw new Error(`src/${target.path} does not export ${original}`)
      return { ...found, name: name.getText() }
    })
  })
  return [...own, ...again]
}

/** What a file declares and exports; overloads, and a type beside a value of its name, are one entry. */
function declaredNames(source: Source): Map<string, ApiName> {
  const found = new Map<string, { docs: string[]; declarations: Declaration[] }>()
  for (const node of source.tree.statements as readonly Declaration[]) {
    if (!node.modifiers?.some(({ kind }) => kind === SyntaxKind.ExportKeyword)) continue
    const names = node.declarationList?.declarations.map(({ name }) => name) ?? [node.name]
    for (const name of names.map((named) => named?.getText())) {
      if (name === undefined) continue
      const entry = found.get(name) ?? { docs: [], declarations: [] }
      entry.docs.push(docOf(node))
      entry.declarations.push(node)
      found.set(name, entry)
    }
  }
  const head = markdown(/^\/\*\*[\s\S]*?\*\//.exec(source.text)?.[0] ?? '')
  const namesake = posix.basename(source.path, '.ts').replaceAll('-', '')
  return new Map(
    [...found].map(([name, { docs, declarations }]) => {
      // The head of a file will do for what the file is named after.
      const doc = docs.find((text) => text !== '') ?? (name.toLowerCase() === namesake ? head : '')
      const code = withoutImplementation(declarations).map((node) => declarationOf(source, node))
      return [name, { name, path: source.path, doc, code: code.join('\n') }]
    }),
  )
}

/** Of overloads, what callers see. */
function withoutImplementation(declarations: readonly Declaration[]): Declaration[] {
  const names = declarations.map(({ kind, name, modifiers }) => {
    const isStatic = modifiers?.some((modifier) => modifier.kind === SyntaxKind.StaticKeyword) === true
    return `${kind} ${isStatic} ${name?.getText() ?? ''}`
  })
  return declarations.filter(({ body }, i) => body === undefined || names[i - 1] !== names[i])
}

function declarationOf(source: Source, node: Declaration): string {
  if (node.kind === SyntaxKind.ClassDeclaration) return classOf(source, node)
  if (node.kind === SyntaxKind.FunctionDeclaration) return signatureOf(source, node).replace(/^export /, '')
  const text = source.text.slice(node.getStart(), node.end)
  // A table of values may be long; its type is enough where it has one.
  const [declared] = node.declarationList?.declarations ?? []
  if (declared?.type !== undefined) return `const ${declared.name?.getText()}: ${declared.type.getText()}`
  return withoutNotes(text.replace(/^export /, ''))
}

function classOf(source: Source, node: Declaration): string {
  const text = source.text.slice(node.getStart(), node.end)
  const head = text.slice(0, text.indexOf(' {\n') + 2).replace(/^export /, '')
  const members = (node.members ?? []).filter(({ name, modifiers }) => {
    if (name?.getText().startsWith('#')) return false
    return !modifiers?.some(({ kind }) => kind === SyntaxKind.PrivateKeyword || kind === SyntaxKind.ProtectedKeyword)
  })
  const lines = withoutImplementation(members).map((member) => {
    const comment = member.jsDoc?.at(-1)
    const doc = comment === undefined ? '' : `  ${comment.getText()}\n`
    return `${doc}  ${signatureOf(source, member)}`
  })
  return `${head}\n${lines.join('\n')}\n}`
}

/** A declaration up to its body, or to the value of one that has a type. */
function signatureOf(source: Source, node: Declaration): string {
  const start = node.getStart()
  if (node.body !== undefined) return withoutNotes(source.text.slice(start, node.body.getStart()).trimEnd())
  if (node.type !== undefined) return withoutNotes(source.text.slice(start, node.type.end))
  return withoutNotes(source.text.slice(start, node.end))
}

/** Without what is written for the linter. */
function withoutNotes(code: string): string {
  return code.replace(/^ *\/\/ biome-ignore .*\n/gm, '')
}

function docOf(node: Node): string {
  // What stands above it belongs to the file.
  return markdown(node.jsDoc?.at(-1)?.getText() ?? '')
}

/** A doc comment as Markdown: its text, then its tags as a list. */
function markdown(comment: string): string {
  const lines = comment
    .replace(/^\/\*\*/, '')
    .replace(/\*\/$/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
  const [text = '', ...tags] = lines
    .join('\n')
    .trim()
    .split(/(?:^|\s)@(?=param|returns|throws|default|deprecated)/)
  const items = tags.map((tag) => {
    const [, name = '', rest = ''] = /^(\w+)\s*([\s\S]*)$/.exec(tag.trim()) ?? []
    const words = rest.replace(/\n(?!\n)\s*/g, ' ')
    if (name === 'param') return `- ${words.replace(/^([\w.]+)\s*/, '`$1`: ')}`
    return `- ${name}: ${words.replace(/^\{([^}]*)\}\s*/, '`$1` ')}`
  })
  return [text.trim(), items.join('\n')].filter((part) => part !== '').join('\n\n')
}
