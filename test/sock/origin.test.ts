import { expect, test } from 'bun:test'
import { Hono } from 'hono'
import { isOriginAllowed, type OriginPolicy } from '../../src/sock/origin.ts'

async function allowed(url: string, origin: string | undefined, policy?: OriginPolicy): Promise<boolean> {
  const app = new Hono()
  app.get('*', async (c) => c.json(await isOriginAllowed(policy, origin, c)))
  return (await (await app.request(url)).json()) as boolean
}

test('H12 the same origin is the same host and port; TLS may end in front of us, but not behind the page', async () => {
  const cases: [url: string, origin: string | undefined, allowed: boolean][] = [
    ['http://a.example/x', undefined, true],
    ['http://a.example/x', 'http://a.example', true],
    ['http://a.example/x', 'HTTP://A.EXAMPLE', true],
    ['http://a.example/x', 'https://a.example', true],
    ['https://a.example/x', 'https://a.example', true],
    ['https://a.example/x', 'http://a.example', false],
    ['http://a.example:80/x', 'http://a.example', true],
    ['http://a.example:3000/x', 'http://a.example:3000', true],
    ['http://a.example:3000/x', 'http://a.example', false],
    ['http://[::1]:3000/x', 'http://[::1]:3000', true],
    ['http://a.example/x', 'http://b.example', false],
    ['http://a.example/x', 'http://a.example.evil.example', false],
    ['http://a.example/x', 'http://a.example@evil.example', false],
    ['http://a.example/x', 'http://user@a.example', false],
    ['http://a.example/x', 'http://a.example/path', false],
    ['http://a.example/x', 'http://a.example, http://a.example', false],
    ['http://a.example/x', 'null', false],
    ['http://a.example/x', '', false],
    ['http://a.example/x', 'file://', false],
  ]
  for (const [url, origin, expected] of cases)
    expect([url, origin, await allowed(url, origin)]).toEqual([url, origin, expected])
})

test('H12 a list is compared as origins: case and default port do not matter, everything else does', async () => {
  const policy = ['https://A.example:443', 'http://b.example:8080', 'null']
  const cases: [origin: string | undefined, allowed: boolean][] = [
    ['https://a.example', true],
    ['https://a.example:443', true],
    ['http://a.example', false],
    ['https://a.example:444', false],
    ['http://b.example:8080', true],
    ['http://b.example', false],
    ['http://us.example', false],
    ['null', true],
    ['garbage', false],
    [undefined, true],
  ]
  for (const [origin, expected] of cases) {
    expect([origin, await allowed('http://us.example/', origin, policy)]).toEqual([origin, expected])
  }
  expect(await allowed('http://us.example/', 'https://a.example', 'https://a.example')).toBe(true)
  expect(await allowed('http://us.example/', 'anything at all', '*')).toBe(true)
})

test('H12 a function sees the origin, also when there is none, and the context', async () => {
  const seen: unknown[] = []
  const policy: OriginPolicy = (origin, c) => {
    seen.push(origin, c.req.path)
    return false
  }
  expect(await allowed('http://a.example/p', 'http://a.example', policy)).toBe(false)
  expect(await allowed('http://a.example/q', undefined, policy)).toBe(false)
  expect(seen).toEqual(['http://a.example', '/p', undefined, '/q'])
})
