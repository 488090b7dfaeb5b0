/** Reads docs/rfc-musts.md: every rule has a proof, and every proof exists. */
import { describe, expect, test } from 'bun:test'
import { OUTGOING } from './outgoing-vectors.ts'
import { VECTORS } from './vectors.ts'

const ROOT = `${import.meta.dir}/../..`

interface Rule {
  readonly section: string
  readonly rule: string
  readonly proof: string
}

const page = await Bun.file(`${ROOT}/docs/rfc-musts.md`).text()
const rules: readonly Rule[] = page
  .split('\n')
  .map((line) => /^\| (\d[\d.]*) \| (.+?) \| (.*) \|$/.exec(line))
  .filter((match) => match !== null)
  .map(([, section = '', rule = '', proof = '']) => ({ section, rule, proof }))

const ids = [...VECTORS, ...OUTGOING].map(({ id }) => id)

/** Names of the tests of a file, as they stand in its source. */
const namesOf = new Map<string, readonly string[]>()
for (const file of new Bun.Glob('test/**/*.test.ts').scanSync({ cwd: ROOT })) {
  const source = await Bun.file(`${ROOT}/${file}`).text()
  const names = [...source.matchAll(/\btest(?:\.each\([\s\S]*?\))?\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g)].map(
    ([, , name = '']) => name,
  )
  namesOf.set(file.replace(/^.*\//, '').replace('.test.ts', ''), names)
}

/** Whether the proof exists: `file: how a test's name begins`, or the id of a vector with `*` for any characters. */
function exists(proof: string): boolean {
  const named = /^([a-z-]+): (.+)$/.exec(proof)
  if (named !== null) return namesOf.get(named[1] ?? '')?.some((name) => name.startsWith(named[2] ?? '')) ?? false
  const pattern = new RegExp(
    `^${proof
      .split('*')
      .map((part) => part.replace(/[.+^$]/g, '\\$&'))
      .join('.*')}$`,
  )
  return ids.some((id) => pattern.test(id))
}

const proofsOf = (rule: Rule): string[] => [...rule.proof.matchAll(/`([^`]+)`/g)].map(([, proof = '']) => proof)

/** Rules that this package cannot prove, and their number: one more must be a decision. */
const OUTSIDE = rules.filter(({ proof }) => /^(?:elsewhere|not kept): \S/.test(proof))
const INSIDE = rules.filter((rule) => !OUTSIDE.includes(rule))

describe('P23 the MUSTs of RFC 6455 and RFC 7692', () => {
  test('P23 every rule has a proof', () => {
    expect(rules.length).toBeGreaterThan(110)
    expect(INSIDE.filter((rule) => proofsOf(rule).length === 0)).toEqual([])
  })

  test('P23 every proof exists', () => {
    const missing = INSIDE.flatMap((rule) => proofsOf(rule).filter((proof) => !exists(proof)))
    expect(missing).toEqual([])
  })

  test('P23 a proof that does not exist is seen', () => {
    expect(exists('opcode-3')).toBe(true)
    expect(exists('opcode-99')).toBe(false)
    expect(exists('no-such-file: P23')).toBe(false)
    expect(exists('must: P23 every proof exists')).toBe(true)
    expect(exists('must: P23 no such test')).toBe(false)
  })

  test('P23 few rules are for others to keep, and one is not kept', () => {
    expect(OUTSIDE.length).toBe(10)
    expect(OUTSIDE.filter(({ proof }) => proof.startsWith('not kept')).length).toBe(1)
  })

  test.each([
    '4.1',
    '4.2.1',
    '4.2.2',
    '4.3',
    '4.4',
    '5.1',
    '5.2',
    '5.3',
    '5.4',
    '5.5',
    '5.5.1',
    '5.5.2',
    '5.5.3',
    '5.6',
    '5.8',
  ])('P23 §%s has rules', (section) => {
    expect(rules.filter((rule) => rule.section === section)).not.toEqual([])
  })

  test('P23 every section of a vector has rules', () => {
    const known = new Set(rules.map(({ section }) => section))
    // §5.7 has examples only; what §7.1.3 to §7.1.6 define, §5.5.1 and §7.4 demand.
    const quiet = ['5.7', '7.1.3', '7.1.5', '7.1.6', '7.2.3', '7.4', '7.1.1', '7.1.2']
    const sections = [...VECTORS, ...OUTGOING].map(({ section }) => section.replace(/^.*§/, ''))
    expect([...new Set(sections)].filter((section) => !known.has(section) && !quiet.includes(section))).toEqual([])
  })
})
