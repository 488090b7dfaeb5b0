/** The request of an upgrade, beside the one that the runtime makes itself of the same facts. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import { HandshakeError } from '../../src/codec/errors.ts'
import { fetchRequest, rawHeaders } from '../../src/runtime/fetch-request.ts'

const HEADERS = [
  ['Host', 'localhost:3000'],
  ['Upgrade', 'websocket'],
  ['Cookie', 'a=1'],
  ['Cookie', 'b=2'],
  ['X-Twice', 'one'],
  ['x-twice', 'two'],
  ['X-Spaces', ' \tin the middle \t'],
] as const

interface Given {
  readonly url?: string
  readonly method?: string
  readonly host?: string
  readonly encrypted?: boolean
  readonly headers?: readonly (readonly [string, string])[]
}

const abort = new AbortController()

function requestOf({ url = '/a?b=c', method = 'GET', host, encrypted = false, headers = HEADERS }: Given): Request {
  const all = host === undefined ? headers : [['Host', host] as const, ...headers.slice(1)]
  const incoming = { method, url, rawHeaders: all.flat(), socket: { encrypted } } as unknown as IncomingMessage
  return fetchRequest(incoming, rawHeaders(incoming), abort)
}

/** As the runtime reads the same URL. */
function hrefOf(host: string, target: string, scheme = 'http'): string {
  return new Request(`${scheme}://${host}${target}`).url
}

function checkAll(when: string): void {
  test(`S15 ${when}: the URL is what the URL parser makes of it`, () => {
    const targets = ['/', '//', '/a/b', '/a/./b', '/a/../b', '/a/%2e%2E/b', '/.', '/a/..', '/.well-known/x', '/a.b/..c']
    targets.push('/%', '/%zz', '/%41', '/a b', '/a"b', "/a'b", '/a<b>', '/a`b', '/{a}', '/a|b', '/a^b', '/a\\b', '/[a]')
    targets.push(
      '/é',
      '/a?',
      '/a?b',
      '/a?b/../c',
      "/a?'",
      '/a?"',
      '/a?é',
      '/a#b',
      '/a?b#c',
      '/a;b=c,d',
      '/@:~!$&()*+,-.=_',
    )
    for (const target of targets) assert.equal(requestOf({ url: target }).url, hrefOf('localhost:3000', target), target)
    const hosts = [
      'EXAMPLE.org',
      'example.org:80',
      'example.org:443',
      'example.org:',
      'example.org:0080',
      '127.1',
      '0x7f.1',
    ]
    hosts.push('[::1]:8080', '[0:0::1]', 'xn--nxasmq6b', 'a%41', 'localhost:3000', '1.2.3.4')
    for (const host of hosts) {
      assert.equal(requestOf({ host, url: '/x' }).url, hrefOf(host, '/x'), host)
      assert.equal(requestOf({ host, url: '/x', encrypted: true }).url, hrefOf(host, '/x', 'https'), host)
    }
    assert.equal(requestOf({ url: 'http://OTHER.example/a/../b' }).url, 'http://other.example/b')
  })

  test(`S15 ${when}: what Fetch does not take is refused with 400`, () => {
    const wrong: Given[] = [
      { url: '*' },
      { url: 'http://user:word@localhost/' },
      { url: 'http://user@localhost/' },
      { host: 'localhost:99999' },
      { host: '1.2.3.256' },
      { headers: [...HEADERS, ['bad name', 'x']] },
      { headers: [...HEADERS, ['X-Bad', 'a\nb']] },
      { headers: [...HEADERS, ['X-Bad', 'a\0b']] },
      { headers: [...HEADERS, ['X-Bad', '\u0100']] },
    ]
    for (const given of wrong) {
      assert.throws(
        () => requestOf(given),
        (error) => error instanceof HandshakeError && error.status === 400,
        JSON.stringify(given),
      )
    }
  })

  test(`H12 ${when}: headers are those of a Request`, () => {
    const { headers } = requestOf({})
    const real = new Headers(HEADERS as unknown as [string, string][])
    for (const name of ['HOST', 'upgrade', 'cookie', 'x-twice', 'X-Spaces', 'missing']) {
      assert.equal(headers.get(name), real.get(name), name)
      assert.equal(headers.has(name), real.has(name), name)
    }
    assert.throws(() => headers.get('bad name'), TypeError)
    assert.throws(() => headers.has(''), TypeError)
    assert.ok(headers instanceof Headers)
    assert.deepEqual([...headers], [...real])
    assert.deepEqual([...new Headers(headers)], [...real])
    assert.deepEqual([...headers.keys()], [...real.keys()])
    assert.equal(requestOf({}).headers.get('upgrade'), 'websocket')
  })

  test(`H12 ${when}: a change of the headers is seen by everybody`, () => {
    const request = requestOf({})
    const { headers } = request
    assert.equal(headers.get('upgrade'), 'websocket')
    headers.set('Upgrade', 'changed')
    headers.append('X-New', 'yes')
    for (const seen of [headers, request.headers, request.clone().headers, new Request(request).headers]) {
      assert.equal(seen.get('upgrade'), 'changed')
      assert.equal(seen.get('x-new'), 'yes')
    }
    headers.delete('upgrade')
    assert.equal(request.headers.has('upgrade'), false)
  })

  test(`H12 ${when}: it passes for a Request wherever one is taken`, async () => {
    const request = requestOf({})
    assert.ok(request instanceof Request)
    assert.equal(request.method, 'GET')
    assert.equal(request.body, null)
    assert.equal(request.bodyUsed, false)
    assert.equal(await request.text(), '')
    assert.equal(request.signal, abort.signal)
    assert.equal(request.redirect, new Request('http://localhost/').redirect)
    const others = [
      request.clone(),
      new Request(request),
      new Request(request.url, request),
      new Request(request).clone(),
    ]
    class Special extends Request {}
    others.push(new Special(request))
    assert.ok(others.at(-1) instanceof Special)
    for (const other of others) {
      assert.equal(other.url, 'http://localhost:3000/a?b=c')
      assert.equal(other.method, 'GET')
      assert.equal(other.headers.get('x-twice'), 'one, two')
    }
    const server = createServer((incoming, outgoing) => outgoing.end(String(incoming.headers['x-test'])))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const headers = [['Host', host] as const, ['X-Test', 'sent'] as const, ['Connection', 'close'] as const]
    assert.equal(await (await fetch(requestOf({ headers }))).text(), 'sent')
    assert.equal(await (await fetch(`http://${host}/`)).text(), 'undefined')
    await new Promise((resolve) => server.close(resolve))
    const changed = new Request(request, { method: 'POST', body: 'text' })
    assert.equal(changed.method, 'POST')
    assert.equal(await changed.text(), 'text')
    assert.ok(new Request('http://localhost/') instanceof Request)
    assert.throws(() => new Request('not a URL'), TypeError)
  })
}

checkAll('before @hono/node-server')
test('H12 @hono/node-server replaces the global Request', () => {
  const before = globalThis.Request
  getRequestListener(() => new Response())
  assert.notEqual(globalThis.Request, before)
})
checkAll('after @hono/node-server')
