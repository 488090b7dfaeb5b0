/** What a module weighs in a bundle. */
import { gzipSync } from 'node:zlib'

/**
 * Bytes of a minified bundle of one module, gzipped.
 *
 * @param packages whether the packages that it imports are in it
 */
export async function bundleSize(file: string, packages: 'external' | 'bundle'): Promise<number> {
  const built = await Bun.build({ entrypoints: [file], target: 'node', minify: true, packages })
  const code = await built.outputs[0]?.text()
  if (code === undefined) throw new Error(`Nothing was built from ${file}`)
  return gzipSync(code, { level: 9 }).length
}
