/** The source as TypeScript sees it, for the tests of this folder. */
import { join } from 'node:path'
import type { Node, SourceFile } from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/async'
import { ROOT } from '../subject/runtime.ts'

/** A file below `src/`. */
export interface Source {
  /** Path below `src/`, such as `codec/mask.ts`. */
  readonly path: string
  readonly text: string
  readonly tree: SourceFile
  /** Every module specifier: imports, re-exports, dynamic imports, of values and of types. */
  readonly imports: readonly string[]
}

/** Every file below `src/`, in the order of their paths. */
export async function readSources(): Promise<Source[]> {
  const api = new API({ cwd: ROOT })
  try {
    const config = join(ROOT, 'tsconfig.json')
    const project = (await api.updateSnapshot({ openProjects: [config] })).getProject(config)
    if (project === undefined) throw new Error(`No project at ${config}`)
    const sources: Source[] = []
    for (const path of [...new Bun.Glob('**/*.ts').scanSync(join(ROOT, 'src'))].sort()) {
      const tree = await project.program.getSourceFile(join(ROOT, 'src', path))
      if (tree === undefined) throw new Error(`src/${path} is not part of the project`)
      const imports = tree.imports.map((specifier) => (specifier as unknown as { text: string }).text)
      sources.push({ path, text: tree.text, tree, imports })
    }
    return sources
  } finally {
    await api.close()
  }
}

/** Every node below this one, depth first. */
export function* descendants(node: Node): Generator<Node> {
  const children: Node[] = []
  node.forEachChild((child) => {
    children.push(child)
    return undefined
  })
  for (const child of children) {
    yield child
    yield* descendants(child)
  }
}

/** `path:line` of a node, for messages. */
export function place(source: Source, node: Node): string {
  return `${source.path}:${source.text.slice(0, node.getStart()).split('\n').length}`
}
