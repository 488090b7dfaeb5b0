/** Reads the .cpuprofile files that `--cpu-prof` of Node, Bun and Deno writes. */
import type { Frame } from './parts.ts'

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
  /** Lines that were hit, the first of a file being 1. Those of a function that was inlined are its own. */
  readonly positionTicks?: readonly { readonly line: number; readonly ticks: number }[]
}

/** Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly startTime: number
  readonly endTime: number
  /** Nodes, and the time of each since the one before. */
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** What was on top, with its callers, and for how long. */
export interface Sampled {
  /** Innermost first. */
  readonly stack: readonly Frame[]
  readonly seconds: number
}

/** A time of the profile, in seconds before its end. */
export interface Window {
  readonly from: number
  readonly to: number
}

/** Where a line of a file comes from, the first being 0. */
export type SourceOf = (url: string, line: number) => string

/**
 * The samples of a window. What V8 calls idle or the program is left out: it has no frame, and what passes for idle
 * contains the reading from sockets.
 *
 * @throws {Error} when there are none
 */
export function readSamples(profile: CpuProfile, { from, to }: Window, sourceOf: SourceOf): Sampled[] {
  const { nodes, samples, timeDeltas, startTime, endTime } = profile
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const frameOf = (id: number): Frame => {
    const { functionName, url, lineNumber } = (byId.get(id) as ProfileNode).callFrame
    return { name: functionName, source: sourceOf(url, lineNumber) }
  }
  const callersOf = (id: number): Frame[] => {
    const found: Frame[] = []
    for (let at = callers.get(id); at !== undefined; at = callers.get(at)) found.push(frameOf(at))
    return found
  }
  const counts = new Map<number, number>()
  const deltas: number[] = []
  let time = startTime
  samples.forEach((id, i) => {
    time += timeDeltas[i] ?? 0
    const before = (endTime - time) / 1e6
    if (before > from || before < to) return
    deltas.push(timeDeltas[i] ?? 0)
    counts.set(id, (counts.get(id) ?? 0) + 1)
  })
  if (deltas.length === 0) throw new Error('The profile has no sample in the time that was measured')
  // V8 samples all the time. JavaScriptCore samples while JavaScript runs, and there each stands for one interval.
  const always = nodes.some(({ callFrame }) => /^\((program|idle)\)$/.test(callFrame.functionName))
  const middle = deltas.sort((a, b) => a - b)[deltas.length >> 1] ?? 0
  const interval = always ? (from - to) / deltas.length : middle / 1e6
  return [...counts].flatMap(([id, count]) => {
    const top = frameOf(id)
    if (/^\((program|idle|root)\)$/.test(top.name)) return []
    const behind = callersOf(id)
    return sharesOf(byId.get(id) as ProfileNode, sourceOf).map(([source, share]) => ({
      stack: [{ ...top, source }, ...behind],
      seconds: count * share * interval,
    }))
  })
}

/** The sources that a node's own time went to: V8 counts what it inlined for the function around it, by its line. */
function sharesOf({ callFrame, positionTicks = [] }: ProfileNode, sourceOf: SourceOf): [string, number][] {
  const { url, lineNumber } = callFrame
  const all = positionTicks.reduce((sum, { ticks }) => sum + ticks, 0)
  if (all === 0) return [[sourceOf(url, lineNumber), 1]]
  const shares = new Map<string, number>()
  for (const { line, ticks } of positionTicks) {
    const source = sourceOf(url, line - 1)
    shares.set(source, (shares.get(source) ?? 0) + ticks / all)
  }
  return [...shares]
}

/** Sources as paths of this repository. Lines of a bundle lie behind a comment that names their file. */
export function sourcesOf(bundles: ReadonlyMap<string, string>): SourceOf {
  const files = new Map(
    [...bundles].map(([url, text]) => {
      let file = ''
      const lines = text.split('\n').map((line) => {
        file = /^\/\/ (\S+\.[jt]s)$/.exec(line)?.[1] ?? file
        return file
      })
      return [url, lines] as const
    }),
  )
  return (url, line) => {
    const source = files.get(url)?.[line] ?? url
    return /(?:^|\/)((?:src|bench)\/.+)$/.exec(source)?.[1] ?? source
  }
}
