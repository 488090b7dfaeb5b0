/** Plots as SVG, with colours for light and for dark. */

export interface Bar {
  readonly name: string
  readonly value: number
  /** As it is written beside the bar. */
  readonly label: string
  /** Ours stand out. */
  readonly ours: boolean
}

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

const WIDTH = 720
const FONT = 'font: 13px system-ui, sans-serif'
const STYLE: string = `<style>
text { ${FONT}; fill: #1f2328 } .quiet { fill: #59636e } .axis { stroke: #59636e } .grid { stroke: #d1d9e0 }
.ours { fill: #0969da } .peer { fill: #afb8c1 }
.s0 { stroke: #0969da; fill: #0969da } .s1 { stroke: #bc4c00; fill: #bc4c00 } .s2 { stroke: #1a7f37; fill: #1a7f37 }
.s3 { stroke: #8250df; fill: #8250df } .s4 { stroke: #9a6700; fill: #9a6700 } .s5 { stroke: #bf3989; fill: #bf3989 }
polyline { stroke-width: 2 } text.s0, text.s1, text.s2, text.s3, text.s4, text.s5 { stroke: none }
.paper { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .quiet { fill: #9198a1 } .axis { stroke: #9198a1 } .grid { stroke: #3d444d }
.ours { fill: #4493f8 } .peer { fill: #656c76 }
.s0 { stroke: #4493f8; fill: #4493f8 } .s1 { stroke: #f0883e; fill: #f0883e } .s2 { stroke: #3fb950; fill: #3fb950 }
.s3 { stroke: #ab7df8; fill: #ab7df8 } .s4 { stroke: #d29922; fill: #d29922 } .s5 { stroke: #db61a2; fill: #db61a2 }
.paper { fill: #0d1117 }
}
</style>`

/** Horizontal bars from zero. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const left = 230
  const row = 24
  const top = 44
  const height = top + bars.length * row + 12
  const greatest = Math.max(...bars.map((bar) => bar.value), Number.MIN_VALUE)
  const lines = bars.map(({ name, value, label, ours }, i) => {
    const y = top + i * row
    const width = Math.max(1, (value / greatest) * (WIDTH - left - 110))
    return (
      `<text x="${left - 8}" y="${y + 15}" text-anchor="end">${escaped(name)}</text>` +
      `<rect class="${ours ? 'ours' : 'peer'}" x="${left}" y="${y + 2}" width="${width.toFixed(1)}" height="${row - 6}" rx="2"/>` +
      `<text class="quiet" x="${(left + width + 6).toFixed(1)}" y="${y + 15}">${escaped(label)}</text>`
    )
  })
  return picture(title, height, lines)
}

/** Lines over two logarithmic axes, so that a power is a straight line and its slope the exponent. */
export function logLogChart(title: string, xName: string, yName: string, series: readonly Series[]): string {
  const height = 400
  const [left, right, top, bottom] = [64, WIDTH - 210, 44, height - 48]
  const all = series.flatMap(({ points }) => points).filter(([x, y]) => x > 0 && y > 0)
  const [x0, x1] = decades(all.map(([x]) => x))
  const [y0, y1] = decades(all.map(([, y]) => y))
  const atX = (x: number): number => left + ((Math.log10(x) - x0) / (x1 - x0)) * (right - left)
  const atY = (y: number): number => bottom - ((Math.log10(y) - y0) / (y1 - y0)) * (bottom - top)
  const lines: string[] = []
  for (let decade = x0; decade <= x1; decade++) {
    const x = atX(10 ** decade).toFixed(1)
    lines.push(`<line class="grid" x1="${x}" y1="${top}" x2="${x}" y2="${bottom}"/>`)
    lines.push(`<text class="quiet" x="${x}" y="${bottom + 18}" text-anchor="middle">${power(decade)}</text>`)
  }
  for (let decade = y0; decade <= y1; decade++) {
    const y = atY(10 ** decade)
    lines.push(`<line class="grid" x1="${left}" y1="${y.toFixed(1)}" x2="${right}" y2="${y.toFixed(1)}"/>`)
    lines.push(
      `<text class="quiet" x="${left - 6}" y="${(y + 4).toFixed(1)}" text-anchor="end">${power(decade)}</text>`,
    )
  }
  lines.push(`<line class="axis" x1="${left}" y1="${bottom}" x2="${right}" y2="${bottom}"/>`)
  lines.push(`<text x="${(left + right) / 2}" y="${height - 8}" text-anchor="middle">${escaped(xName)}</text>`)
  lines.push(`<text x="4" y="${top - 8}">${escaped(yName)}</text>`)
  for (const [i, { name, points }] of series.entries()) {
    const path = points.map(([x, y]) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`)
    lines.push(`<polyline class="s${i % 6}" style="fill: none" points="${path.join(' ')}"/>`)
    for (const point of path) {
      const [x = '', y = ''] = point.split(',')
      lines.push(`<circle class="s${i % 6}" cx="${x}" cy="${y}" r="3"/>`)
    }
    lines.push(`<text class="s${i % 6}" x="${right + 12}" y="${top + 14 + i * 20}">${escaped(name)}</text>`)
  }
  return picture(title, height, lines)
}

function picture(title: string, height: number, lines: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    STYLE,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text x="4" y="18" font-weight="600">${escaped(title)}</text>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n')
}

/** Whole decades around values, at least one. */
function decades(values: readonly number[]): [number, number] {
  const least = Math.floor(Math.log10(Math.min(...values)))
  const greatest = Math.ceil(Math.log10(Math.max(...values)))
  return [least, Math.max(greatest, least + 1)]
}

function power(decade: number): string {
  const value = 10 ** decade
  if (value < 1) return value.toFixed(-decade)
  if (value < 1_000) return `${value}`
  return value < 1_000_000 ? `${value / 1_000} k` : `${value / 1_000_000} M`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
