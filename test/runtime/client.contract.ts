/** `connect` and `reconnect` against servers that write what a test says, on any runtime. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { ConnectionClosed, HandshakeError } from '../../src/codec/errors.ts'
import type { Connection } from '../../src/connection/connection.ts'
import { type ClientOptions, connect, type ReconnectOptions, reconnect } from '../../src/runtime/client.ts'
import { RAW_MODE } from '../../src/runtime/raw-mode.ts'
import { reconnectWith } from '../../src/runtime/reconnect-loop.ts'
import { CERTIFICATE, KEY } from './certificate.ts'

/** A request as it came. */
interface Asked {
  readonly target: string
  /** Names in lower case; repeated ones joined by `|`. */
  readonly headers: Readonly<Record<string, string>>
  readonly socket: Socket
}

interface Listening extends AsyncDisposable {
  readonly port: number
  readonly asked: Asked[]
  /** Sockets that are open. */
  readonly sockets: Set<Socket>
  /** TCP connections so far. */
  readonly dialled: () => number
}

type Answer = (asked: Asked) => void

function parse(head: string, socket: Socket): Asked {
  const [line = '', ...lines] = head.split('\r\n')
  const headers: Record<string, string> = {}
  for (const text of lines) {
    const colon = text.indexOf(':')
    const name = text.slice(0, colon).toLowerCase()
    const value = text.slice(colon + 1).trim()
    headers[name] = name in headers ? `${headers[name]}|${value}` : value
  }
  return { target: line.split(' ')[1] ?? '', headers, socket }
}

async function listen(answer: Answer, at: { path?: string; tls?: TlsOptions } = {}): Promise<Listening> {
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  let dialled = 0
  const serveSocket = (socket: Socket): void => {
    dialled++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let text = ''
    const onData = (chunk: Uint8Array): void => {
      text += Buffer.from(chunk).toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', onData)
      // What comes later is the answer's business, or is dropped.
      socket.resume()
      const request = parse(text.slice(0, end), socket)
      asked.push(request)
      answer(request)
    }
    socket.on('data', onData)
  }
  const server: Server =
    at.tls === undefined
      ? createServer(serveSocket)
      : createTlsServer({ cert: CERTIFICATE, key: KEY, ...at.tls }, serveSocket)
  await new Promise<void>((resolve) => {
    if (at.path === undefined) server.listen(0, '127.0.0.1', resolve)
    else server.listen(at.path, resolve)
  })
  return {
    port: at.path === undefined ? (server.address() as AddressInfo).port : 0,
    asked,
    sockets,
    dialled: () => dialled,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function accept({ headers, socket }: Asked, lines: readonly string[] = [], behind = ''): void {
  const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const head = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}`,
    ...lines,
  ]
  socket.write(Buffer.from(`${head.join('\r\n')}\r\n\r\n${behind}`, 'latin1'))
}

function respond({ socket }: Asked, head: string, body = ''): void {
  socket.end(Buffer.from(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 'latin1'))
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('It did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function refusal(attempt: Promise<Connection>): Promise<HandshakeError> {
  try {
    await attempt
  } catch (error) {
    assert.ok(error instanceof HandshakeError, String(error))
    return error
  }
  throw new Error('It connected')
}

const HI = '\x81\x02hi'

test(`S15 ${RAW_MODE} client: request line, Host with port, query, empty path, headers`, async () => {
  await using server = await listen(accept)
  const base = `ws://127.0.0.1:${server.port}`
  const forms: [string, ClientOptions['headers']][] = [
    [base, { 'X-One': '1' }],
    [`${base}/a%20b?c=d&e`, new Headers([['X-One', '1']])],
    [
      `${base}?q`,
      [
        ['X-Two', '1'],
        ['X-Two', '2'],
      ],
    ],
    [base.replace('ws:', 'http:'), undefined],
  ]
  for (const [url, headers] of forms) {
    const ws = await connect(new URL(url), headers === undefined ? {} : { headers })
    assert.equal(ws.url, new URL(url.replace('http:', 'ws:')).href)
    assert.equal(ws.mode, RAW_MODE)
    assert.equal(ws.request, undefined)
    assert.equal(ws.protocol, '')
    assert.equal(ws.extensions, '')
    assert.equal(ws.remoteAddress, '127.0.0.1')
    assert.equal(ws.readyState, 1)
    ws.terminate()
  }
  assert.deepEqual(
    server.asked.map(({ target }) => target),
    ['/', '/a%20b?c=d&e', '/?q', '/'],
  )
  const [first, second, third] = server.asked
  assert.equal(first?.headers.host, `127.0.0.1:${server.port}`)
  assert.equal(first?.headers.upgrade, 'websocket')
  assert.equal(first?.headers['sec-websocket-version'], '13')
  assert.equal(first?.headers['x-one'], '1')
  assert.equal(first?.headers['sec-websocket-extensions'], undefined)
  assert.equal(second?.headers['x-one'], '1')
  assert.equal(third?.headers['x-two'], '1|2')
  await until(() => server.sockets.size === 0)
})

test(`S15 ${RAW_MODE} client: user info is Basic authentication, unless a header says otherwise`, async () => {
  await using server = await listen(accept)
  const url = `ws://us%C3%A9r:p%3Aw@127.0.0.1:${server.port}/`
  for (const headers of [{}, { authorization: 'Bearer x' }]) (await connect(url, { headers })).terminate()
  assert.deepEqual(
    server.asked.map(({ headers }) => headers.authorization),
    [`Basic ${Buffer.from('usér:p:w').toString('base64')}`, 'Bearer x'],
  )
  const ws = await connect(url)
  assert.equal(ws.url, `ws://127.0.0.1:${server.port}/`)
  ws.terminate()
  assert.equal(server.asked[0]?.headers.host, `127.0.0.1:${server.port}`)
})

test(`S12 ${RAW_MODE} client: subprotocols, and a server that picks another`, async () => {
  await using server = await listen((asked) => accept(asked, [`Sec-WebSocket-Protocol: ${asked.target.slice(1)}`]))
  const url = `ws://127.0.0.1:${server.port}`
  const two = await connect(`${url}/two`, { subprotocols: ['one', 'two'] })
  assert.equal(two.protocol, 'two')
  two.terminate()
  const one = await connect(`${url}/one`, { subprotocols: 'one' })
  assert.equal(one.protocol, 'one')
  one.terminate()
  const error = await refusal(connect(`${url}/three`, { subprotocols: 'one' }))
  assert.match(error.message, /not one that was requested/)
  assert.deepEqual(
    server.asked.map(({ headers }) => headers['sec-websocket-protocol']),
    ['one, two', 'one', 'one'],
  )
})

test(`S13 ${RAW_MODE} client: permessage-deflate is offered, and extensions says what was agreed`, async () => {
  // 'hi' compressed, RSV1 set.
  const compressed = '\xc1\x04\xca\xc8\x04\x00'
  const agreed = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
  await using server = await listen((asked) => accept(asked, [`Sec-WebSocket-Extensions: ${agreed}`], compressed))
  const ws = await connect(`ws://127.0.0.1:${server.port}`, { permessageDeflate: true })
  assert.match(server.asked[0]?.headers['sec-websocket-extensions'] ?? '', /^permessage-deflate/)
  assert.equal(ws.extensions, agreed)
  assert.equal(await ws.receive(), 'hi')
  ws.terminate()
  const error = await refusal(connect(`ws://127.0.0.1:${server.port}`))
  assert.match(error.message, /extension that was not offered/)
})

test(`R3 ${RAW_MODE} client: frames in the packet of the 101 are delivered first`, async () => {
  await using server = await listen((asked) => {
    accept(asked, [], HI + HI)
    setTimeout(() => asked.socket.write(Buffer.from('\x81\x05later', 'latin1')), 20)
  })
  const ws = await connect(`ws://127.0.0.1:${server.port}`)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.deepEqual([await ws.receive(), await ws.receive(), await ws.receive()], ['hi', 'hi', 'later'])
  ws.terminate()
})

test(`S15 ${RAW_MODE} client: a message, a Close and the FIN in the packet of the 101`, async () => {
  await using server = await listen((asked) => {
    accept(asked, [], `${HI}\x88\x02\x03\xe8`)
    asked.socket.end()
  })
  const ws = await connect(`ws://127.0.0.1:${server.port}`)
  const seen: unknown[] = []
  for await (const message of ws) seen.push(message)
  assert.deepEqual(seen, ['hi'])
  assert.deepEqual(await ws.closed, { code: 1000, reason: '', wasClean: true, initiator: 'remote' })
})

test(`S15 ${RAW_MODE} client: a 101 that comes byte by byte, behind a 103`, async () => {
  await using server = await listen((asked) => {
    const { socket } = asked
    const pieces: Buffer[] = []
    accept({ ...asked, socket: { write: (bytes: Buffer) => pieces.push(bytes) } as never }, [], HI)
    const text = Buffer.concat([Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'), ...pieces])
    let at = 0
    const step = (): void => {
      if (at === text.length) return
      socket.write(text.subarray(at, ++at), () => setImmediate(step))
    }
    step()
  })
  const ws = await connect(`ws://127.0.0.1:${server.port}`)
  assert.equal(await ws.receive(), 'hi')
  ws.terminate()
})

test(`S15 ${RAW_MODE} client: wss with a CA, https as its other name, and no trust without`, async () => {
  await using server = await listen((asked) => accept(asked, [], HI), { tls: {} })
  const tls = { ca: CERTIFICATE }
  for (const url of [`wss://localhost:${server.port}/`, `https://127.0.0.1:${server.port}/`]) {
    const ws = await connect(url, { tls })
    assert.equal(ws.url, url.replace('https:', 'wss:'))
    assert.equal(await ws.receive(), 'hi')
    await ws.send('bye')
    ws.terminate()
  }
  const error = await refusal(connect(`wss://localhost:${server.port}`))
  assert.equal(error.status, 0)
  assert.ok(error.cause instanceof Error)
  const lenient = await connect(`wss://localhost:${server.port}`, { tls: { rejectUnauthorized: false } })
  lenient.terminate()
})

test(`S15 ${RAW_MODE} client: server name and client certificate`, async () => {
  const seen: unknown[] = []
  await using server = await listen(
    (asked) => {
      const socket = asked.socket as TLSSocket
      seen.push(socket.getPeerCertificate().subject?.CN)
      accept(asked)
    },
    { tls: { requestCert: true, rejectUnauthorized: false, ca: CERTIFICATE } },
  )
  const tls = { ca: CERTIFICATE, cert: CERTIFICATE, key: KEY, servername: 'localhost' }
  const ws = await connect(`wss://127.0.0.1:${server.port}`, { tls })
  ws.terminate()
  assert.deepEqual(seen, ['localhost'])
})

test(`S15 ${RAW_MODE} client: a unix socket`, async () => {
  const path = join(tmpdir(), `fetch-sock-${process.pid}-${Math.random().toString(36).slice(2)}.sock`)
  try {
    await using server = await listen((asked) => accept(asked, [], HI), { path })
    const ws = await connect('ws://app.example/over/unix', { socketPath: path })
    assert.equal(await ws.receive(), 'hi')
    assert.equal(server.asked[0]?.target, '/over/unix')
    assert.equal(server.asked[0]?.headers.host, 'app.example')
    ws.terminate()
  } finally {
    rmSync(path, { force: true })
  }
})

test(`S15 ${RAW_MODE} client: a refusal with status, headers and body`, async () => {
  const big = 'x'.repeat(200_000)
  const answers: Record<string, Answer> = {
    '/401': (asked) =>
      respond(
        asked,
        'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2',
        'who?',
      ),
    '/chunked': ({ socket }) =>
      socket.end('HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno \r\n3\r\nway\r\n0\r\n\r\n'),
    '/big': (asked) => respond(asked, 'HTTP/1.1 500 Oops', big),
    '/none': ({ socket }) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
    '/200': (asked) => respond(asked, 'HTTP/1.1 200 OK', 'a page'),
  }
  await using server = await listen((asked) => answers[asked.target]?.(asked))
  const url = `ws://127.0.0.1:${server.port}`
  const text = ({ body }: HandshakeError): string => Buffer.from(body ?? []).toString()
  const unauthorized = await refusal(connect(`${url}/401`))
  assert.equal(unauthorized.status, 401)
  assert.equal(text(unauthorized), 'who?')
  assert.deepEqual(
    unauthorized.headers
      .filter(([name]) => name.toLowerCase() !== 'content-length')
      .map((pair) => pair.join('=').toLowerCase()),
    ['www-authenticate=basic', 'set-cookie=a=1', 'set-cookie=b=2'],
  )
  const forbidden = await refusal(connect(`${url}/chunked`))
  assert.deepEqual([forbidden.status, text(forbidden)], [403, 'no way'])
  const large = await refusal(connect(`${url}/big`))
  assert.deepEqual([large.status, text(large).length], [500, 65_536])
  assert.equal((await refusal(connect(`${url}/none`))).status, 204)
  assert.equal((await refusal(connect(`${url}/200`))).status, 200)
  await until(() => server.sockets.size === 0)
})

test(`S15 ${RAW_MODE} client: a wrong answer, no answer, nobody there`, async () => {
  const answers: Record<string, Answer> = {
    '/accept': ({ socket }) =>
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: eA==\r\n\r\n',
      ),
    '/garbage': ({ socket }) => socket.end('SSH-2.0-OpenSSH\r\n\r\n'),
    '/gone': ({ socket }) => socket.destroy(),
    '/fin': ({ socket }) => socket.end(),
    '/half': ({ socket }) => socket.end('HTTP/1.1 401 No\r\nContent-Length: 10\r\n\r\nhalf'),
  }
  let port: number
  {
    await using server = await listen((asked) => answers[asked.target]?.(asked))
    port = server.port
    const url = `ws://127.0.0.1:${port}`
    const wrong = await refusal(connect(`${url}/accept`))
    assert.equal(wrong.status, 101)
    assert.match(wrong.message, /does not answer the key/)
    for (const path of ['/garbage', '/gone', '/fin']) assert.equal((await refusal(connect(url + path))).status, 0, path)
    assert.ok((await refusal(connect(`${url}/half`))) instanceof HandshakeError)
    await until(() => server.sockets.size === 0)
  }
  const nobody = await refusal(connect(`ws://127.0.0.1:${port}`))
  assert.equal(nobody.status, 0)
  assert.match(nobody.message, /Cannot connect/)
  assert.ok(nobody.cause instanceof Error)
})

test(`S15 ${RAW_MODE} client: a refusal whose body stalls or breaks off keeps its status`, async () => {
  const answers: Record<string, Answer> = {
    '/stalls': ({ socket }) => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nnope'),
    '/endless': ({ socket }) => socket.write('HTTP/1.1 401 Unauthorized\r\n\r\nwho?'),
    '/breaks': ({ socket }) => {
      socket.write('HTTP/1.1 410 Gone\r\nContent-Length: 10\r\n\r\nbye', () => {
        setTimeout(() => socket.resetAndDestroy(), 20)
      })
    },
  }
  await using server = await listen((asked) => answers[asked.target]?.(asked))
  const expected: [string, number, string][] = [
    ['/stalls', 403, 'nope'],
    ['/endless', 401, 'who?'],
    ['/breaks', 410, 'bye'],
  ]
  for (const [path, status, body] of expected) {
    const error = await refusal(connect(`ws://127.0.0.1:${server.port}${path}`, { connectTimeout: 300 }))
    assert.deepEqual([error.status, Buffer.from(error.body ?? []).toString()], [status, body])
  }
})

test(`S15 ${RAW_MODE} client: connectTimeout is for all of it, redirects included`, async () => {
  await using server = await listen(({ target, socket }) => {
    if (target === '/never') return
    setTimeout(() => socket.end('HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n'), 60)
  })
  const url = `ws://127.0.0.1:${server.port}`
  for (const path of ['/never', '/again']) {
    const started = performance.now()
    const error = await refusal(connect(url + path, { connectTimeout: 150, maxRedirects: 1000 }))
    assert.equal(error.status, 0)
    assert.match(error.message, /connectTimeout \(150 ms\)/)
    const took = performance.now() - started
    assert.ok(took > 100 && took < 5000, `${took}`)
  }
  await until(() => server.sockets.size === 0)
})

test(`S15 ${RAW_MODE} client: an AbortSignal before, during and after`, async () => {
  await using server = await listen((asked) => {
    if (asked.target === '/open') accept(asked, [], HI)
  })
  const url = `ws://127.0.0.1:${server.port}`
  const reason = new Error('changed my mind')
  await assert.rejects(connect(url, { signal: AbortSignal.abort(reason) }), reason)
  assert.equal(server.dialled(), 0)
  const during = new AbortController()
  const attempt = connect(`${url}/never`, { signal: during.signal })
  void until(() => server.asked.length === 1).then(() => during.abort(reason))
  await assert.rejects(attempt, reason)
  await until(() => server.sockets.size === 0)
  const after = new AbortController()
  const ws = await connect(`${url}/open`, { signal: after.signal })
  after.abort(reason)
  assert.equal(await ws.receive(), 'hi')
  assert.equal(ws.connected, true)
  ws.terminate()
})

test(`S15 ${RAW_MODE} client: the certificate of the client and servername stay with their origin`, async () => {
  const shown: [path: string, certificate: boolean, servername: unknown][] = []
  const answer = (asked: Asked): void => {
    const socket = asked.socket as TLSSocket & { readonly servername?: unknown }
    shown.push([asked.target, 'subject' in socket.getPeerCertificate(), socket.servername])
    const to = asked.target === '/here' ? '/there' : `wss://localhost:${other.port}/away`
    if (/there|away/.test(asked.target)) accept(asked)
    else respond(asked, `HTTP/1.1 302 Found\r\nLocation: ${to}`)
  }
  const settings = { tls: { requestCert: true, rejectUnauthorized: false } }
  await using other = await listen(answer, settings)
  await using server = await listen(answer, settings)
  const url = `wss://localhost:${server.port}`
  const tls = { rejectUnauthorized: false, cert: CERTIFICATE, key: KEY, servername: 'first.example' }
  for (const path of ['/here', '/elsewhere']) (await connect(url + path, { maxRedirects: 1, tls })).terminate()
  assert.deepEqual(shown, [
    ['/here', true, 'first.example'],
    ['/there', true, 'first.example'],
    ['/elsewhere', true, 'first.example'],
    ['/away', false, 'localhost'],
  ])
})

test(`S15 ${RAW_MODE} client: redirects are off by default, and followed on request`, async () => {
  await using other = await listen((asked) => accept(asked))
  const to =
    (location: string): Answer =>
    (asked) =>
      respond(asked, `HTTP/1.1 302 Found\r\nLocation: ${location}`)
  const answers: Record<string, Answer> = {
    '/once': to('/end?x=1#part'),
    '/end?x=1': (asked) => accept(asked),
    '/endless': ({ socket }) => {
      socket.write('HTTP/1.1 302 Found\r\nLocation: /end?x=1\r\nContent-Length: 100\r\n\r\n')
    },
    '/loop': to('/loop'),
    '/named': (asked) => to(`http://bob:secret@127.0.0.1:${server.port}/end?x=1`)(asked),
    '/away': to(`http://127.0.0.1:${other.port}/there`),
    '/bad': to('ftp://127.0.0.1/'),
    '/none': (asked) => respond(asked, 'HTTP/1.1 302 Found'),
  }
  await using server = await listen((asked) => answers[asked.target]?.(asked))
  const url = `ws://user:secret@127.0.0.1:${server.port}`
  const refused = await refusal(connect(`${url}/once`))
  assert.equal(refused.status, 302)
  assert.ok(refused.headers.some(([name, value]) => name.toLowerCase() === 'location' && value === '/end?x=1#part'))
  const ws = await connect(`${url}/once`, { maxRedirects: 1 })
  assert.equal(ws.url, `ws://127.0.0.1:${server.port}/end?x=1`)
  ws.terminate()
  const named = await connect(`${url}/named`, { maxRedirects: 1 })
  assert.equal(named.url, ws.url)
  named.terminate()
  const early = await connect(`${url}/endless`, { maxRedirects: 1, connectTimeout: 5000 })
  assert.equal(early.url, ws.url)
  early.terminate()
  const before = server.asked.length
  assert.equal((await refusal(connect(`${url}/loop`, { maxRedirects: 3 }))).status, 302)
  assert.equal(server.asked.length - before, 4)
  for (const path of ['/bad', '/none']) {
    assert.equal((await refusal(connect(url + path, { maxRedirects: 3 }))).status, 302)
  }
  const away = await connect(`${url}/away`, { maxRedirects: 1, headers: { Cookie: 'c=1', 'X-Kept': 'yes' } })
  away.terminate()
  assert.equal(server.asked.at(-1)?.headers.cookie, 'c=1')
  assert.match(server.asked.at(-1)?.headers.authorization ?? '', /^Basic /)
  const { headers, target } = other.asked[0] as Asked
  assert.deepEqual(
    [target, headers.authorization, headers.cookie, headers['x-kept']],
    ['/there', undefined, undefined, 'yes'],
  )
  await using secure = await listen(to(`http://127.0.0.1:${other.port}/`), { tls: {} })
  const downgrade = connect(`wss://localhost:${secure.port}`, { maxRedirects: 5, tls: { ca: CERTIFICATE } })
  assert.equal((await refusal(downgrade)).status, 302)
})

test(`S15 ${RAW_MODE} client: wrong options are TypeErrors and RangeErrors that name them, before a byte leaves`, async () => {
  await using server = await listen(accept)
  const good = `ws://127.0.0.1:${server.port}`
  const wrong: [string | URL, object, typeof TypeError | typeof RangeError, RegExp][] = [
    ['not a url', {}, TypeError, /url/],
    ['/relative', {}, TypeError, /url/],
    ['ftp://127.0.0.1/', {}, TypeError, /scheme/],
    [`${good}/#part`, {}, TypeError, /fragment/],
    [`${good}/#`, {}, TypeError, /fragment/],
    [good, { subprotocols: 'not a token' }, TypeError, /subprotocols/],
    [good, { subprotocols: ['a', 'a'] }, TypeError, /subprotocols/],
    [good, { subprotocols: 5 }, TypeError, /subprotocols/],
    [good, { subprotocols: [5] }, TypeError, /subprotocols/],
    [good, { headers: 'X: y' }, TypeError, /headers/],
    [good, { headers: { 'X-N': 5 } }, TypeError, /headers.*X-N/],
    [good, { headers: ['X-N'] }, TypeError, /headers/],
    [good, { headers: { 'X-Bad': 'a\r\nb' } }, TypeError, /X-Bad/i],
    [good, { headers: { 'Bad name': 'x' } }, TypeError, /Bad name/i],
    [good, { headers: { 'Sec-WebSocket-Key': 'x' } }, TypeError, /Sec-WebSocket-Key/i],
    [good, { tls: 5 }, TypeError, /tls/],
    [good, { socketPath: 5 }, TypeError, /socketPath/],
    [good, { socketPath: '' }, TypeError, /socketPath/],
    [good, { signal: {} }, TypeError, /signal/],
    [good, { connectTimeout: '5' }, TypeError, /^connectTimeout must be .*; got "5"$/],
    [
      good,
      { connectTimeout: 0 },
      RangeError,
      /^connectTimeout must be a number of milliseconds from 1 to 2147483647, or Infinity; got 0$/,
    ],
    [good, { connectTimeout: Number.NaN }, RangeError, /^connectTimeout must be .*; got NaN$/],
    [good, { connectTimeout: 2 ** 31 }, RangeError, /^connectTimeout must be .*; got 2147483648$/],
    [
      good,
      { maxRedirects: -1 },
      RangeError,
      /^maxRedirects must be a whole number of redirects from 0 to 9007199254740991; got -1$/,
    ],
    [good, { maxRedirects: 1.5 }, RangeError, /^maxRedirects must be a whole number of redirects .*; got 1\.5$/],
    [good, { maxRedirects: Number.POSITIVE_INFINITY }, RangeError, /^maxRedirects must be .*; got Infinity$/],
    [good, { maxRedirects: 'all' }, TypeError, /^maxRedirects must be a whole number of redirects .*; got "all"$/],
    [good, { maxMessageSize: 0 }, RangeError, /maxMessageSize.*bytes/],
    [good, { pingInterval: '5' }, TypeError, /pingInterval/],
    [good, { permessageDeflate: { level: 10 } }, RangeError, /permessageDeflate\.level/],
    [
      good,
      { subprotocol: 'x' },
      TypeError,
      /^Unknown option subprotocol; known are headers, .*connectTimeout.*onPong$/,
    ],
    [good, null as unknown as object, TypeError, /^Options of connect must be an object, not null$/],
    [good, 5 as unknown as object, TypeError, /^Options of connect must be an object, not 5$/],
    // The habit of `new WebSocket(url, protocols)`.
    [
      good,
      ['chat'],
      TypeError,
      /^Options of connect must be an object such as \{ subprotocols: \[\] \}, not an array$/,
    ],
    [good, 'chat' as unknown as object, TypeError, /such as \{ subprotocols: \[\] \}, not chat$/],
    [`ws://%zz@127.0.0.1:${server.port}`, {}, TypeError, /^url: user and password/],
  ]
  for (const [url, options, kind, pattern] of wrong) {
    await assert.rejects(connect(url, options as ClientOptions), (error: unknown) => {
      assert.ok(
        error instanceof kind && !(error instanceof HandshakeError),
        `${JSON.stringify(options)}: ${String(error)}`,
      )
      assert.match((error as Error).message, pattern)
      return true
    })
  }
  // At the call, and not when the first connection is asked for.
  for (const [url, options, kind] of wrong) {
    assert.throws(
      () => reconnect(url, options as ReconnectOptions),
      (error: unknown) => error instanceof kind && !(error instanceof HandshakeError),
    )
  }
  const time = 'must be a number of milliseconds from 1 to 2147483647, or Infinity'
  const attempts = 'must be a whole number of attempts from 1 to 9007199254740991, or Infinity'
  const delays: [object, Error][] = [
    [{ minDelay: 0 }, new RangeError(`minDelay ${time}; got 0`)],
    [{ minDelay: null }, new TypeError(`minDelay ${time}; got null`)],
    [{ maxDelay: -1 }, new RangeError(`maxDelay ${time}; got -1`)],
    [{ maxAttempts: 0 }, new RangeError(`maxAttempts ${attempts}; got 0`)],
    [{ maxAttempts: 1.5 }, new RangeError(`maxAttempts ${attempts}; got 1.5`)],
    [{ maxAttempts: '3' }, new TypeError(`maxAttempts ${attempts}; got "3"`)],
    [{ onRetry: 5 }, new TypeError('onRetry must be a function; got 5')],
  ]
  for (const [options, { name, message }] of delays) assert.throws(() => reconnect(good, options), { name, message })
  assert.equal(server.dialled(), 0)
})

test(`S15 ${RAW_MODE} reconnect: one connection after the other, with waits that are told`, async () => {
  await using server = await listen((asked) => {
    if (server.asked.length === 2) {
      respond(asked, 'HTTP/1.1 503 Busy')
      return
    }
    accept(asked, [], `${HI}\x88\x02\x03\xe8`)
    asked.socket.end()
  })
  const retries: { attempt: number; delay: number; error: unknown }[] = []
  const options: ReconnectOptions = { minDelay: 20, maxDelay: 30, onRetry: (retry) => void retries.push(retry) }
  const seen: unknown[] = []
  const connections = new Set<Connection>()
  for await (const ws of reconnect(`ws://127.0.0.1:${server.port}`, options)) {
    connections.add(ws)
    for await (const message of ws) seen.push(message)
    if (connections.size === 3) break
  }
  assert.deepEqual(seen, ['hi', 'hi', 'hi'])
  assert.equal(connections.size, 3)
  assert.deepEqual(
    retries.map(({ attempt }) => attempt),
    [1, 2, 1],
  )
  for (const { attempt, delay } of retries) assert.ok(delay >= 0 && delay <= Math.min(30, 20 * 2 ** (attempt - 1)))
  const errors = retries.map(({ error }) => (error instanceof HandshakeError ? error.status : error))
  assert.deepEqual(errors, [undefined, 503, undefined])
  await until(() => server.sockets.size === 0)
})

test(`S15 ${RAW_MODE} reconnect: gives up on a refusal that waiting does not mend, and after maxAttempts`, async () => {
  await using server = await listen((asked) => respond(asked, `HTTP/1.1 ${asked.target.slice(1)} X`))
  const url = `ws://127.0.0.1:${server.port}`
  await assert.rejects(reconnect(`${url}/401`).next(), (error: HandshakeError) => error.status === 401)
  assert.equal(server.asked.length, 1)
  const busy = reconnect(`${url}/503`, { minDelay: 1, maxAttempts: 3 })
  await assert.rejects(busy.next(), (error: HandshakeError) => error.status === 503)
  assert.equal(server.asked.length, 4)
})

test(`S15 ${RAW_MODE} reconnect: a connection that opened is no attempt that failed`, async () => {
  await using server = await listen((asked) => {
    if (server.asked.length === 1) accept(asked)
    else respond(asked, 'HTTP/1.1 503 X')
  })
  const tries = reconnect(`ws://127.0.0.1:${server.port}`, { minDelay: 1, maxAttempts: 2, closeTimeout: 50 })
  const { value } = await tries.next()
  ;(value as Connection).terminate()
  await assert.rejects(tries.next(), (error: HandshakeError) => error.status === 503)
  assert.equal(server.asked.length, 3)
})

test(`S15 ${RAW_MODE} reconnect: an abort ends the wait, and closes the connection that is open`, async () => {
  await using server = await listen((asked) => {
    if (asked.target === '/busy') respond(asked, 'HTTP/1.1 503 X')
    else accept(asked)
  })
  const url = `ws://127.0.0.1:${server.port}`
  const waiting = new AbortController()
  const retry = { minDelay: 1e6, maxDelay: 1e6, onRetry: () => waiting.abort() }
  assert.equal((await reconnect(`${url}/busy`, { ...retry, signal: waiting.signal }).next()).done, true)
  const open = new AbortController()
  let bodies = 0
  for await (const ws of reconnect(`${url}/open`, { signal: open.signal, closeTimeout: 50 })) {
    bodies++
    const next = ws.receive()
    open.abort()
    await assert.rejects(next, ConnectionClosed)
  }
  assert.equal(bodies, 1)
  // A body that ends after the abort is no reason to announce another attempt.
  const late = new AbortController()
  const retries: unknown[] = []
  const options = { signal: late.signal, closeTimeout: 50, onRetry: (retry: unknown) => void retries.push(retry) }
  for await (const ws of reconnect(`${url}/open`, options)) {
    late.abort()
    await ws.closed
  }
  assert.deepEqual(retries, [])
})

test(`S15 ${RAW_MODE} reconnect: an abort between the opening of a connection and its first use closes it with 1000`, async () => {
  const closes: number[] = []
  await using server = await listen((asked) => {
    const { socket } = asked
    // The only frame is a masked Close without a reason: two bytes of header, four of mask, two of code.
    socket.on('data', (frame: Uint8Array) => {
      const at = (i: number): number => frame[i] ?? 0
      closes.push(at(0) === 0x88 ? ((at(6) ^ at(2)) << 8) | (at(7) ^ at(3)) : -1)
      socket.end(Buffer.from('\x88\x02\x03\xe8', 'latin1'))
    })
    accept(asked)
  })
  const url = `ws://127.0.0.1:${server.port}`
  const clean = { code: 1000, reason: '', wasClean: true, initiator: 'local' }

  // Before the loop has it: no body may run.
  const early = new AbortController()
  let opened: Connection | undefined
  const dialler = {
    check: () => {},
    async connect(target: string | URL, options: ClientOptions): Promise<Connection> {
      opened = await connect(target, options)
      early.abort()
      return opened
    },
  }
  assert.equal((await reconnectWith(dialler, url, { signal: early.signal }).next()).done, true)
  assert.deepEqual({ ...(await opened?.closed) }, clean)

  // After the loop has it, and before the body does anything with it.
  const late = new AbortController()
  const tries = reconnect(url, { signal: late.signal })
  const { value } = await tries.next()
  late.abort()
  const ws = value as Connection
  await assert.rejects(ws.send('late'), (error: ConnectionClosed) => error.code === 1000)
  assert.deepEqual({ ...(await ws.closed) }, clean)
  assert.equal((await tries.next()).done, true)

  assert.deepEqual([closes, server.dialled()], [[1000, 1000], 2])
  await until(() => server.sockets.size === 0)
})

test(`S15 ${RAW_MODE} reconnect: a wait that no timer can take is the longest that one can`, async () => {
  await using server = await listen((asked) => respond(asked, 'HTTP/1.1 503 X'))
  const delays: number[] = []
  const quit = new AbortController()
  const onRetry = ({ delay }: { readonly delay: number }): void => {
    delays.push(delay)
    if (delays.length === 2) quit.abort()
  }
  const far = { minDelay: Number.POSITIVE_INFINITY, maxDelay: Number.POSITIVE_INFINITY, onRetry, signal: quit.signal }
  const waiting = reconnect(`ws://127.0.0.1:${server.port}`, far).next()
  await until(() => delays.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.equal(server.asked.length, 1)
  assert.ok((delays[0] as number) <= 2 ** 31 - 1)
  quit.abort()
  assert.equal((await waiting).done, true)
})
