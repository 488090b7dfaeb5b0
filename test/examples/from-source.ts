/**
 * Runs an example from its source on Node, which reads TypeScript but no `paths`. Arguments: the port, the file.
 *
 * The others need no such thing: Bun reads tsconfig.json, Deno reads deno.json.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

const [, , , file = ''] = process.argv
const root = pathToFileURL(`${process.cwd()}/`)
const { imports } = JSON.parse(readFileSync(new URL('deno.json', root), 'utf8')) as { imports: Record<string, string> }

registerHooks({
  resolve(specifier, context, nextResolve) {
    const source = imports[specifier]
    return nextResolve(source === undefined ? specifier : new URL(source, root).href, context)
  },
})
await import(pathToFileURL(file).href)
