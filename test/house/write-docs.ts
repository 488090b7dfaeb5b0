/** `bun run docs`: writes the pages that are made of the source. */
import { join } from 'node:path'
import { ROOT } from '../subject/runtime.ts'
import { apiPage } from './api-page.ts'
import { withTables } from './option-page.ts'
import { withRuntimeTables } from './runtime-page.ts'

const RUNTIMES = join(ROOT, 'docs', 'runtimes.md')
const SECURITY = join(ROOT, 'docs', 'security.md')

await Bun.write(SECURITY, withTables(await Bun.file(SECURITY).text()))
await Bun.write(join(ROOT, 'docs', 'api.md'), await apiPage())
await Bun.write(RUNTIMES, withRuntimeTables(await Bun.file(RUNTIMES).text()))
