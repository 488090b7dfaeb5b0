/** What `bun run bench profile` makes of a profile: the table of parts names what exists, and time goes where it says. */
import { describe, expect, test } from 'bun:test'
import { type CpuProfile, readSamples, sourcesOf } from '../../bench/profile/cpu-profile.ts'
import { type Frame, OTHER_THREADS, OUTSIDE, PARTS, partOf, RULES, UNPLACED } from '../../bench/profile/parts.ts'
import { ROOT } from '../subject/runtime.ts'

const frame = (name: string, source: string = ''): Frame => ({ name, source })
const WINDOW = { from: 0.01, to: 0 }

/** Samples of a millisecond each; a node's caller stands before it. */
function profileOf(names: readonly string[], samples: readonly number[], deltas: readonly number[]): CpuProfile {
  const nodes = names.map((name, i) => {
    const [functionName = '', url = '', line = '0'] = name.split(' ')
    const callFrame = { functionName, url, lineNumber: Number(line) }
    return { id: i + 1, callFrame, children: i + 1 < names.length ? [i + 2] : [] }
  })
  const length = deltas.reduce((sum, delta) => sum + delta, 0)
  return { nodes, samples, timeDeltas: deltas, startTime: 5_000, endTime: 5_000 + length }
}

describe('house: profile', () => {
  test('every part of the table has its row, and every row its part', () => {
    const placed = [...new Set(RULES.map(({ part }) => part))]
    expect([...placed, OUTSIDE, OTHER_THREADS, UNPLACED].sort()).toEqual([...PARTS].sort())
  })

  test('what the table names of this repository exists', () => {
    const files = [...new Bun.Glob('{src,bench}/**/*.ts').scanSync({ cwd: ROOT })]
    const ours = RULES.filter(({ source }) => files.some((file) => source.test(file)))
    const named = RULES.filter(({ source }) => /src|bench/.test(source.source))
    expect(named.length).toBeGreaterThan(5)
    expect(ours).toEqual(named)
  })

  test('every file of src has a part', () => {
    const folders = ['codec', 'connection', 'runtime', 'sock']
    const files = [...new Bun.Glob(`src/{${folders.join(',')}}/*.ts`).scanSync({ cwd: ROOT })]
    expect(files.length).toBeGreaterThan(50)
    expect(files.filter((file) => partOf([frame('any', file)]) === UNPLACED)).toEqual([])
  })

  for (const [part, ...stack] of [
    ['socket write', frame('writeBuffer'), frame('_write', 'node:internal/streams/writable')],
    ['socket streams in JavaScript', frame('_write', 'node:internal/streams/writable')],
    ['decode to string', frame('decodeLatin1', 'ext:deno_node/internal/buffer.mjs')],
    ['unmask', frame('get buffer'), frame('wordsOf', 'src/codec/mask.ts')],
    ['encode', frame('subarray', 'node:buffer'), frame('takeRange', 'src/codec/frame-encoder.ts')],
    [
      'parse: the rest of src/codec',
      frame('#parse', 'src/codec/protocol.ts'),
      frame('pump', 'src/connection/receiver.ts'),
    ],
    ['promises, microtasks, ticks', frame(''), frame('processTicksAndRejections')],
    [UNPLACED, frame('compose', 'node_modules/hono/dist/compose.js'), frame('(root)')],
    [UNPLACED],
  ] as const) {
    test(`${stack.map(({ name, source }) => `${name} ${source}`).join(' < ') || 'nothing'} is ${part}`, () => {
      expect(partOf(stack)).toBe(part)
    })
  }

  test('samples of V8 share the window, and what has no frame is left out', () => {
    const profile = profileOf(['(root)', 'work src/a.ts', '(idle)'], [2, 2, 3, 2], [1_000, 1_000, 1_000, 5_000])
    const [only, ...others] = readSamples(profile, { from: 0.008, to: 0 }, (url) => url)
    expect(others).toEqual([])
    expect(only?.stack).toEqual([frame('work', 'src/a.ts'), frame('(root)')])
    expect(only?.seconds).toBeCloseTo(0.006, 6)
  })

  test('samples of JavaScriptCore stand for an interval each: a gap is time outside JavaScript', () => {
    const profile = profileOf(['(root)', 'work src/a.ts'], [2, 2, 2], [1_000, 8_000, 1_000])
    expect(readSamples(profile, WINDOW, (url) => url)[0]?.seconds).toBeCloseTo(0.003, 6)
  })

  test('what V8 inlined counts for the file that its line is from', () => {
    const bundle =
      '// src/codec/frame-decoder.ts\nfunction readPiece() {}\n// src/codec/mask.ts\nfunction unmask() {}\n'
    const profile = profileOf(['(root)', 'readPiece file:///b.mjs 1', '(program)'], [2, 2], [1_000, 1_000])
    const ticks = [
      { line: 4, ticks: 3 },
      { line: 2, ticks: 1 },
    ]
    const nodes = profile.nodes.map((node) => (node.id === 2 ? { ...node, positionTicks: ticks } : node))
    const samples = readSamples(
      { ...profile, nodes },
      { from: 0.002, to: 0 },
      sourcesOf(new Map([['file:///b.mjs', bundle]])),
    )
    const [inlined, own] = samples
    expect(samples).toHaveLength(2)
    expect(inlined?.stack[0]).toEqual(frame('readPiece', 'src/codec/mask.ts'))
    expect(inlined?.seconds).toBeCloseTo(0.0015, 6)
    expect(own?.stack[0]).toEqual(frame('readPiece', 'src/codec/frame-decoder.ts'))
    expect(own?.seconds).toBeCloseTo(0.0005, 6)
  })

  test('a window without samples is an error', () => {
    const profile = profileOf(['(root)', 'work src/a.ts'], [2, 2], [1_000, 1_000])
    expect(() => readSamples(profile, { from: 9, to: 8 }, (url) => url)).toThrow('no sample')
  })

  test('sources are paths of this repository, also those of a bundle by its lines', () => {
    const bundle = '// src/codec/mask.ts\nfunction unmask() {}\n\n// bench/subjects/ours.ts\nserve()\n'
    const sourceOf = sourcesOf(new Map([['file:///b.mjs', bundle]]))
    expect(sourceOf('file:///b.mjs', 1)).toBe('src/codec/mask.ts')
    expect(sourceOf('file:///b.mjs', 4)).toBe('bench/subjects/ours.ts')
    expect(sourceOf('file:///anywhere/src/sock/sock.ts', 9)).toBe('src/sock/sock.ts')
    expect(sourceOf('node:net', 9)).toBe('node:net')
    expect(sourceOf('', -1)).toBe('')
  })
})
