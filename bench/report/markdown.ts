/** Figures and tables as Markdown. */
import type { Figure } from '../rounds.ts'
import { type Failure, hasFailed } from '../subjects.ts'

export type Cell = string | number

/** A table whose first column is left-aligned and the others right. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

/** Three digits, with thousands set apart. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const digits = Math.max(0, Math.floor(Math.log10(Math.abs(value))) - 2)
  const cut = value >= 100 ? Math.round(value / 10 ** digits) * 10 ** digits : Number(value.toPrecision(3))
  return cut.toLocaleString('en-US', { maximumFractionDigits: 3 })
}

export function ratio(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return value < 10 ? value.toFixed(2) : value.toFixed(1)
}

export function kibibytes(bytes: number): string {
  return count(bytes / 1_024)
}

/** A figure's cells, or that it failed. */
export function cellOf(figure: Figure | Failure | undefined, cell: (figure: Figure) => Cell): Cell {
  if (figure === undefined) return '–'
  return hasFailed(figure) ? 'failed' : cell(figure)
}

export function numberOf(figure: Figure | Failure | undefined, key: 'rate' | 'cpu' | 'p50' | 'quietP99'): number {
  return figure === undefined || hasFailed(figure) ? Number.NaN : figure[key]
}

/** Spread of the rounds around their median, in percent. */
export function spread({ rates, rate }: Figure): string {
  if (rates.length < 2) return '–'
  return `${Math.round(((Math.max(...rates) - Math.min(...rates)) / rate) * 100)} %`
}

/** Failures in full, below a table. */
export function failures(rows: readonly { readonly subject: string; readonly figure: unknown }[]): string {
  const said = rows.flatMap(({ subject, figure }) =>
    hasFailed(figure as Failure) ? [`- ${subject}: ${(figure as Failure).failed.replaceAll('\n', ' ')}`] : [],
  )
  return said.length === 0 ? '' : ['Failed:', '', ...new Set(said)].join('\n')
}

/** Parts of a page with one empty line between them; empty ones are left out. */
export function page(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n')
}
