/** What each export weighs in a bundle, minified and gzipped: a ceiling, so that growth is a decision. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { bundleSize } from '../../bench/bundle-size.ts'
import metadata from '../../package.json' with { type: 'json' }
import { ROOT } from '../subject/runtime.ts'

/** Bytes of our own code, packages left out; about 5 % above what it was when the ceiling was set. */
const CEILINGS: Readonly<Record<string, number>> = {
  '.': 24_500,
  './server': 30_800,
  './client': 28_400,
  './client browser': 11_800,
  './client workerd': 11_800,
  './testing': 24_400,
  './codec': 18_900,
}

/** Source of every export, by its name and condition. */
function entryPoints(): Map<string, string> {
  const found = new Map<string, string>()
  const sourceOf = (built: string): string => join(ROOT, built.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts'))
  for (const [name, target] of Object.entries(metadata.exports)) {
    if (typeof target === 'string') continue
    found.set(name, sourceOf(target.default))
    for (const [condition, other] of Object.entries(target)) {
      if (typeof other !== 'string') found.set(`${name} ${condition}`, sourceOf(other.default))
    }
  }
  return found
}

describe('house: size', () => {
  test('every export has a ceiling, and no other', () => {
    expect([...entryPoints().keys()].sort()).toEqual(Object.keys(CEILINGS).sort())
  })

  for (const [name, file] of entryPoints()) {
    test(`${name} stays below its ceiling, and the ceiling close to it`, async () => {
      const bytes = await bundleSize(file, 'external')
      const ceiling = CEILINGS[name] ?? 0
      expect(bytes).toBeLessThanOrEqual(ceiling)
      // A ceiling that is far away holds nothing.
      expect(bytes).toBeGreaterThan(ceiling * 0.8)
    })
  }
})
