import { describe, expect, test } from 'bun:test'
import { Hono } from 'hono'
import { reconnect } from '../../src/runtime/client.ts'
import { serve } from '../../src/runtime/server.ts'
import { reconnect as reconnectInBrowser } from '../../src/runtime/websocket-client.ts'
import { ConnectionCap } from '../../src/sock/connection-cap.ts'
import { Sock } from '../../src/sock/sock.ts'
import { upgrade } from '../../src/sock/upgrade.ts'

const handler = (): void => {}

describe('wrong options fail at the call', () => {
  const wrong: [title: string, options: object, error: ErrorConstructor, parts: string[]][] = [
    [
      'an unknown name',
      { orign: '*' },
      TypeError,
      ['Unknown option orign', 'origin', 'maxMessageSize', 'beforeUpgrade'],
    ],
    ['a name of Object.prototype', { toString: 1 }, TypeError, ['Unknown option toString']],
    ['a connection option out of range', { maxMessageSize: 0 }, RangeError, ['maxMessageSize', 'bytes']],
    ['a route option out of range', { maxConnections: -1 }, RangeError, ['maxConnections', 'connections']],
    ['no time at all', { handshakeTimeout: 0 }, RangeError, ['handshakeTimeout', 'milliseconds']],
    ['a flag that is none', { requireSubprotocol: 'yes' }, TypeError, ['requireSubprotocol', 'true or false']],
    ['a hook that is no function', { beforeUpgrade: {} }, TypeError, ['beforeUpgrade', 'function']],
    [
      'an origin without its scheme',
      { origin: 'example.com' },
      TypeError,
      ['origin', 'https://example.com', '"example.com"'],
    ],
    ['an origin with a path', { origin: ['https://a.example/x'] }, TypeError, ['origin', 'https://a.example/x']],
    ['an origin in a list that is a number', { origin: [1] }, TypeError, ['origin', 'number']],
    ['a star in a list of origins', { origin: ['*'] }, TypeError, ['origin', '"*"']],
    ['one subprotocol that is no list', { subprotocols: 'a' }, TypeError, ['subprotocols', 'list']],
    ['a subprotocol that is no token', { subprotocols: ['a b'] }, TypeError, ['subprotocols', 'token', '"a b"']],
    ['a subprotocol twice', { subprotocols: ['a', 'a'] }, TypeError, ['subprotocols', 'twice']],
    ['a codec without decode', { codec: { encode: handler } }, TypeError, ['codec', 'decode']],
    ['keys to count without a key', { maxConnectionsPerKey: 1 }, TypeError, ['maxConnectionsPerKey', 'connectionKey']],
    ['a list for options', [], TypeError, ['Options']],
  ]
  for (const [title, options, error, parts] of wrong) {
    test(`H14 ${title}`, () => {
      const sock = new Sock()
      const ways = [() => sock.route('/x', options, handler), () => upgrade(options, handler)]
      if (!('maxConnectionsPerKey' in options)) ways.push(() => new Sock(undefined, options) as never)
      for (const way of ways) {
        expect(way).toThrow(error)
        for (const part of parts) expect(way).toThrow(part)
      }
    })
  }

  test('H14 a schema that is none', () => {
    for (const name of ['receive', 'send']) {
      for (const schema of [null, 1, {}, { '~standard': { version: 2 } }]) {
        expect(() => upgrade({ [name]: schema } as object, handler)).toThrow(TypeError)
        expect(() => upgrade({ [name]: schema } as object, handler)).toThrow(name)
      }
    }
  })

  test('H14 a schema in the options of a Sock or a group', () => {
    expect(() => new Sock(undefined, { receive: {} } as object)).toThrow('receive is an option of a route')
    expect(() => new Sock().group(new Hono(), { send: {} } as object)).toThrow('send is an option of a route')
  })

  test('H14 a subprotocol that must be agreed on, where none is spoken', () => {
    for (const options of [{}, { subprotocols: [] }]) {
      expect(() => upgrade({ ...options, requireSubprotocol: true }, handler)).toThrow(
        new TypeError('requireSubprotocol needs subprotocols: without them every client would be refused'),
      )
    }
    const strict = new Sock(undefined, { requireSubprotocol: true })
    expect(strict.route('/x', { subprotocols: ['a'] }, handler)).toBe(handler)
    expect(strict.route('/y', { subprotocols: () => 'a' }, handler)).toBe(handler)
  })

  test('H14 a route without a handler', () => {
    expect(() => new Sock().route('/x', undefined as never)).toThrow('A route needs a handler')
    expect(() => (new Sock() as unknown as { route(path: string): void }).route('/x')).toThrow(
      'A route needs a handler',
    )
    expect(() => upgrade({}, {} as never)).toThrow('function')
    expect(() => (upgrade as unknown as () => void)()).toThrow('A route needs a handler')
  })

  test('H14 a route without a path, and options that are none', () => {
    for (const path of [undefined, 5, handler]) {
      expect(() => new Sock().route(path as never, handler)).toThrow('A route needs a path, which is a string')
    }
    expect(() => new Sock().route('/x', null as never, handler)).toThrow('Options must be an object')
    const app = new Hono()
    expect(new Sock(app).route('/x', undefined as never, handler)).toBe(handler)
    expect(app.routes.length).toBe(1)
  })

  test('H1 what is no application is refused at once', () => {
    for (const none of [null, {}, { fetch: handler }, 5]) {
      const message = 'Routes land on a Hono application'
      expect(() => new Sock(none as never)).toThrow(message)
      expect(() => new Sock().mount(none as never)).toThrow(message)
      expect(() => new Sock().group(none as never)).toThrow(message)
      if (none !== null) expect(() => new Sock().route('/x', { app: none as never }, handler)).toThrow(message)
    }
  })

  test('H14 plain options are checked at the call even beside options for each connection', () => {
    const sock = new Sock(undefined, () => ({}))
    expect(() => sock.route('/x', { orign: '*' } as object, handler)).toThrow('orign')
  })

  test('H14 undefined counts as left out', () => {
    const options = { origin: undefined, receive: undefined, maxConnections: undefined, subprotocols: undefined }
    expect(() => upgrade(options as object, handler)).not.toThrow()
  })

  test('H14 undefined counts as left out wherever options are taken', async () => {
    const none = undefined
    const connection = { maxMessageSize: none, permessageDeflate: none, sendPolicy: none, onPing: none }
    const route = {
      ...connection,
      origin: none,
      handshakeTimeout: none,
      connectionKey: none,
      onError: none,
      codec: none,
    }
    const app = new Hono()
    const sock = new Sock(undefined, route).mount(app, { basePath: none })
    sock.route('/echo', route, async (ws) => void (await ws.send((await ws.receiveText()) ?? '')))
    const server = await serve(app, {
      port: 0,
      hostname: none,
      path: none,
      tls: none,
      http: none,
      signal: none,
      drainOnSignals: none,
      overrideGlobalObjects: none,
      handshakeTimeout: none,
      onError: none,
    })
    const dial = { ...connection, subprotocols: none, connectTimeout: none, signal: none }
    const retries = { ...dial, minDelay: none, maxDelay: none, maxAttempts: none, onRetry: none }
    const url = `ws://localhost:${new URL(server.url).port}/echo`
    for await (const ws of reconnect(url, {
      ...retries,
      headers: none,
      tls: none,
      socketPath: none,
      maxRedirects: none,
    })) {
      await ws.send('raw')
      expect(await ws.receive()).toBe('raw')
      break
    }
    for await (const ws of reconnectInBrowser(url, retries)) {
      await ws.send('hosted')
      expect(await ws.receive()).toBe('hosted')
      break
    }
    const report = await server.drain({ deadline: none, code: none, reason: none, spread: none })
    expect(report).toMatchObject({ terminated: 0, unfinished: 0 })
  })
})

describe('registration', () => {
  test('H3 route returns the handler', () => {
    const sock = new Sock(new Hono())
    expect(sock.route('/x', handler)).toBe(handler)
    expect(sock.route('/y', { maxMessageSize: 1 }, handler)).toBe(handler)
    expect(sock.route('/z', { app: new Hono() }, handler)).toBe(handler)
  })

  test('H14 an unknown option of mount', () => {
    expect(() => new Sock().mount(new Hono(), { basepath: '/v2' } as object)).toThrow(
      new TypeError('Unknown option basepath; known are basePath'),
    )
  })

  test('H2 a base path that is none', () => {
    for (const basePath of [3, null, ['/v2']]) {
      const app = new Hono()
      expect(() => new Sock().mount(app, { basePath } as object)).toThrow('basePath must be a path, which is a string')
    }
  })

  test('H14 topics that are none', () => {
    for (const topics of [{}, null, 'news']) {
      expect(() => new Sock(new Hono(), {}, topics as never)).toThrow(
        new TypeError('topics must be a Topics, such as new Topics(broker)'),
      )
    }
  })

  test('H2 mounting twice at the same place is mounting once', () => {
    const app = new Hono()
    const sock = new Sock(app)
    sock.route('/x', handler)
    sock.mount(app)
    expect(app.routes.length).toBe(1)
    sock.mount(app, { basePath: '/v2' })
    expect(app.routes.map(({ path }) => path)).toEqual(['/x', '/v2/x'])
  })

  test('H4 a sub-application has one group, whose options are set once', () => {
    const sock = new Sock()
    const sub = new Hono()
    const group = sock.group(sub, { maxConnections: 1 })
    expect(sock.group(sub)).toBe(group)
    expect(() => sock.group(sub, {})).toThrow(TypeError)
  })

  test('H4 a route with app lands there alone', () => {
    const app = new Hono()
    const sub = new Hono()
    new Sock(app).route('/x', { app: sub }, handler)
    expect(app.routes).toEqual([])
    expect(sub.routes.map(({ path }) => path)).toEqual(['/x'])
  })

  test('H4 a group shares the topics of its Sock', () => {
    const sock = new Sock()
    const connection = {
      closed: new Promise(() => {}),
      connected: true,
      readyState: 1,
      sendShared: () => true,
    } as never
    sock.topic('news').subscribe(connection)
    expect(sock.group(new Hono()).topic('news').size).toBe(1)
    expect(new Sock().topic('news').size).toBe(0)
  })
})

describe('caps', () => {
  test('H12 every place that is given back is free, and no key is kept', () => {
    const cap = new ConnectionCap()
    const limits = { max: 3, maxPerKey: 2 }
    const take = (key?: string): unknown => cap.take({ ...limits, key })
    const places = [take('a'), take('a')]
    expect(take('a')).toEqual({ option: 'maxConnectionsPerKey', limit: 2 })
    places.push(take('b'))
    expect(take('c')).toEqual({ option: 'maxConnections', limit: 3 })
    expect([cap.total, cap.keys]).toEqual([3, 2])
    for (const giveBack of places) (giveBack as () => void)()
    expect([cap.total, cap.keys]).toEqual([0, 0])
  })
})
