/** docs/architecture.md as data. */
import { join } from 'node:path'
import { ROOT } from '../subject/runtime.ts'

/** What a folder of `src/` may import. */
export interface Layer {
  readonly folders: readonly string[]
  /** Builtins and packages; `node:*` stands for every builtin. */
  readonly packages: readonly string[]
}

/** The layer table, by folder; `index.ts` stands for the files directly in `src/`. */
export async function readLayers(): Promise<Map<string, Layer>> {
  const rows = await readTable('folder')
  return new Map(
    rows.map(([folder, folders, packages]) => [
      names(folder)[0] ?? '',
      { folders: names(folders), packages: names(packages) },
    ]),
  )
}

/** The table of files over 300 lines: path below `src/` and reason. */
export async function readLongFiles(): Promise<Map<string, string>> {
  const rows = await readTable('file')
  return new Map(rows.map(([file, why]) => [names(file)[0] ?? '', why ?? '']))
}

/** The rows of the one table of the page whose first column has this head. */
async function readTable(head: string): Promise<string[][]> {
  const page = await Bun.file(join(ROOT, 'docs', 'architecture.md')).text()
  const lines = page.split('\n')
  const starts = lines.flatMap((line, index) => (line.split('|')[1]?.trim() === head ? [index] : []))
  if (starts.length !== 1) throw new Error(`docs/architecture.md has ${starts.length} tables that begin with "${head}"`)
  const rows: string[][] = []
  for (const line of lines.slice((starts[0] ?? 0) + 2)) {
    if (!line.startsWith('|')) break
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  }
  return rows
}

/** What stands in backticks in a cell. */
function names(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
}
