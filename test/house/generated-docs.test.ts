/** The pages that are made of the source are as the source says. `bun run docs` writes them. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import metadata from '../../package.json' with { type: 'json' }
import { DRAIN_TIMES } from '../../src/connection/live-connections.ts'
import { CONNECTION_OPTIONS, DEFLATE_OPTIONS } from '../../src/connection/options.ts'
import { DIAL_LIMITS } from '../../src/runtime/client-options.ts'
import { RECONNECT_OPTIONS } from '../../src/runtime/reconnect-loop.ts'
import { ATTACH_OPTIONS } from '../../src/runtime/server-options.ts'
import { ROUTE_OPTIONS } from '../../src/sock/route-options.ts'
import { ROOT } from '../subject/runtime.ts'
import { apiPage, entryPoints } from './api-page.ts'
import { withTables } from './option-page.ts'
import { RUNTIME_TABLES, withRuntimeTables } from './runtime-page.ts'

const OUTDATED = 'Out of date: run `bun run docs`'

function page(name: string): Promise<string> {
  return Bun.file(join(ROOT, 'docs', name)).text()
}

describe('house: docs/security.md', () => {
  test('has every option as the tables say it', async () => {
    const text = await page('security.md')
    expect(withTables(text) === text, OUTDATED).toBe(true)
    const connection = [CONNECTION_OPTIONS, DEFLATE_OPTIONS, ROUTE_OPTIONS]
    const around = [ATTACH_OPTIONS, DRAIN_TIMES, DIAL_LIMITS, RECONNECT_OPTIONS]
    const names = [...connection, ...around].flatMap(Object.keys)
    expect(names.length).toBeGreaterThan(20)
    expect(names.filter((name) => !text.includes(`| \`${name}\` |`))).toEqual([])
  })

  test('a page without a place for a table, or with another default, is noticed', async () => {
    const text = await page('security.md')
    expect(() => withTables(text.replace('<!-- options: deflate -->', ''))).toThrow('no place')
    const wrong = text.replace('| 10,000 ms |', '| 9,000 ms |')
    expect(wrong === text).toBe(false)
    expect(withTables(wrong) === text).toBe(true)
  })

  test('no default of the README has another value', async () => {
    const { maxMessageSize, pingInterval, pongTimeout, inboxMessages, inboxBytes, highWaterMark, maxBufferedAmount } =
      CONNECTION_OPTIONS
    expect([pingInterval.default, pongTimeout.default]).toEqual([20_000, 20_000])
    expect([inboxMessages.default, inboxBytes.default, highWaterMark.default]).toEqual([16, 65_536, 65_536])
    expect([maxMessageSize.default, maxBufferedAmount.default]).toEqual([2 ** 20, 2 ** 24])
    expect(ROUTE_OPTIONS.handshakeTimeout.default).toBe(10_000)
  })
})

describe('house: docs/runtimes.md', () => {
  test('H17 has every server, capability and case that is left out, as the contract says it', async () => {
    const text = await page('runtimes.md')
    expect(withRuntimeTables(text) === text, OUTDATED).toBe(true)
    for (const make of Object.values(RUNTIME_TABLES)) expect(text).toContain(make())
    expect(text).toContain('| workerd, Durable Object |')
  })

  test('a page without a place for a table, or with another reason, is noticed', async () => {
    const text = await page('runtimes.md')
    expect(() => withRuntimeTables(text.replace('<!-- runtimes: leftOut -->', ''))).toThrow('no place')
    const wrong = text.replace('the host takes unmasked frames', 'it does')
    expect(wrong === text).toBe(false)
    expect(withRuntimeTables(wrong) === text).toBe(true)
  })
})

describe('house: docs/api.md', () => {
  test('is as the doc comments say', async () => {
    expect((await apiPage()) === (await page('api.md')), OUTDATED).toBe(true)
  })

  test('has a section for every entry point and an entry with a text for every name that it exports', async () => {
    const entries = await entryPoints()
    const paths = Object.keys(metadata.exports).filter((path) => path !== './package.json')
    expect(entries.map((entry) => entry.path)).toEqual(paths)
    const text = await page('api.md')
    for (const { path, module, names } of entries) {
      const section = text.split(`\n## ${path.replace('.', 'fetch-sock')}\n`)[1]?.split('\n## ')[0] ?? ''
      const values = Object.keys(await import(module))
      expect(values.length).toBeGreaterThan(0)
      expect(values.filter((name) => !names.some((known) => known.name === name))).toEqual([])
      expect(names.filter(({ name }) => !section.includes(`\n### ${name}\n`)).map(({ name }) => name)).toEqual([])
      expect(names.filter(({ doc }) => doc === '').map(({ name }) => name)).toEqual([])
    }
  })
})
