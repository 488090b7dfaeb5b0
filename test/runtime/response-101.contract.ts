/** A Response with status 101, on any runtime, before and after `@hono/node-server` has replaced the global one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { setCookie } from 'hono/cookie'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { logger } from 'hono/logger'
import { secureHeaders } from 'hono/secure-headers'
import { upgradeResponse } from '../../src/runtime/response-101.ts'

function upgradeWith(headers: HeadersInit): Response {
  return upgradeResponse((status) => new Response(null, { status, headers }))
}

function checkAll(when: string): void {
  test(`R6 ${when}: has status 101 and the headers, and no body`, () => {
    const response = upgradeWith([
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ])
    assert.equal(response.status, 101)
    assert.equal(response.ok, false)
    assert.equal(response.body, null)
    assert.ok(response instanceof Response)
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2'])
  })

  test(`R6 ${when}: can be rebuilt and cloned, again and again`, () => {
    const first = upgradeWith({ 'X-First': '1' })
    first.headers.set('X-Changed', 'yes')
    const rebuilt = new Response(first.body, first)
    rebuilt.headers.append('X-Second', '2')
    const listed = new Response(null, { status: rebuilt.status, headers: rebuilt.headers })
    const cloned = new Response(null, listed.clone()).clone()
    for (const response of [rebuilt, listed, cloned]) {
      assert.equal(response.status, 101)
      assert.equal(response.headers.get('x-first'), '1')
      assert.equal(response.headers.get('x-changed'), 'yes')
      assert.equal(response.headers.get('x-second'), '2')
    }
    assert.equal(first.headers.get('x-second'), null)
  })

  test(`H13 ${when}: middleware of Hono sees a 101 and adds to it`, async () => {
    const lines: string[] = []
    const app = new Hono()
    app.use(
      logger((line) => lines.push(line)),
      cors(),
      secureHeaders(),
      etag(),
    )
    app.use(async (c, next) => {
      await next()
      c.header('X-Late', 'yes')
      setCookie(c, 'one', '1')
      setCookie(c, 'two', '2')
    })
    app.get('/', () => upgradeWith({ 'X-Own': 'yes' }))
    const response = await app.request('/')
    assert.equal(response.status, 101)
    for (const name of ['x-late', 'x-own', 'x-frame-options', 'access-control-allow-origin']) {
      assert.ok(response.headers.has(name), name)
    }
    assert.equal(response.headers.getSetCookie().length, 2)
    assert.match(lines.at(-1) ?? '', / 101 /)
  })

  test(`R6 ${when}: every other response is as it was`, async () => {
    upgradeResponse()
    assert.equal(await new Response('text', { status: 201 }).text(), 'text')
    assert.equal(new Response('text', { status: 201 }).ok, true)
    assert.deepEqual(await Response.json({ a: 1 }).json(), { a: 1 })
    assert.equal(Response.redirect('http://localhost/').status, 302)
    assert.throws(() => new Response(null, { status: 99 }).text())
    class Special extends Response {}
    assert.ok(new Special() instanceof Special && new Special() instanceof Response)
    assert.ok(!(new Response() instanceof Special))
  })
}

checkAll('before @hono/node-server')
test('R6 @hono/node-server replaces the global Response', () => {
  const before = globalThis.Response
  getRequestListener(() => new Response())
  assert.notEqual(globalThis.Response, before)
})
checkAll('after @hono/node-server')
