/** A lazy `Request` for an upgrade, with lazy `Headers` where the host has made none. */
import { isToken, trimWhitespace } from '../codec/header.ts'
import { standInFor } from './stand-in.ts'

/** What is known of a GET without a body. */
export interface RequestFacts {
  /** As `Request.url`: what the URL parser would leave as it is. */
  readonly url: string
  /** Names and values in turn, as they were on the wire, or what the host has made of them. */
  readonly headers: readonly string[] | Headers
  /** Asked for its signal when somebody wants it: one that nobody wants costs nothing. */
  readonly handshake: { readonly signal: AbortSignal }
}

class DeferredHeaders {
  readonly #raw: readonly string[]
  readonly #request: Request
  /** Whether the real ones may have been changed. */
  #made = false

  constructor(raw: readonly string[], request: DeferredRequest) {
    this.#raw = raw
    this.#request = request as unknown as Request
  }

  static {
    standInFor(DeferredHeaders.prototype, Headers.prototype, (headers) => headers.#real())
  }

  get(name: string): string | null {
    if (this.#made || typeof name !== 'string' || !isToken(name)) return this.#real().get(name)
    const raw = this.#raw
    const wanted = name.toLowerCase()
    let found: string | undefined
    for (let i = 0; i < raw.length; i += 2) {
      const given = raw[i] as string
      if (given.length !== wanted.length || given.toLowerCase() !== wanted) continue
      // How lines are joined depends on the header.
      if (found !== undefined) return this.#real().get(name)
      found = raw[i + 1] as string
    }
    return found === undefined ? null : trimWhitespace(found)
  }

  has(name: string): boolean {
    return this.get(name) !== null
  }

  #real(): Headers {
    this.#made = true
    return DeferredRequest.real(this.#request).headers
  }
}

class DeferredRequest {
  // Not the facts as they are given: a request lives as long as its connection, and one object is smaller than two.
  readonly #url: string
  readonly #given: RequestFacts['headers']
  readonly #handshake: RequestFacts['handshake']
  #headers: DeferredHeaders | undefined
  #real: Request | undefined

  constructor({ url, headers, handshake }: RequestFacts) {
    this.#url = url
    this.#given = headers
    this.#handshake = handshake
  }

  /** The real request, where a stand-in is not enough. */
  static real<T>(input: T | Request): T | Request {
    return typeof input === 'object' && input !== null && #url in input ? input.#make() : input
  }

  get method(): string {
    return 'GET'
  }

  get url(): string {
    return this.#url
  }

  get headers(): DeferredHeaders | Headers {
    if (this.#given instanceof Headers) return this.#given
    this.#headers ??= new DeferredHeaders(this.#given, this)
    return this.#headers
  }

  get signal(): AbortSignal {
    return this.#handshake.signal
  }

  #make(): Request {
    this.#real ??= new Request(this.#url, {
      headers: this.#given instanceof Headers ? this.#given : pairs(this.#given),
    })
    return this.#real
  }
}

function pairs(raw: readonly string[]): [string, string][] {
  const headers: [string, string][] = []
  for (let i = 0; i < raw.length; i += 2) headers.push([raw[i] as string, raw[i + 1] as string])
  return headers
}

/** A global `Request` that takes a stand-in; whoever replaces it by another is looked at anew. */
let capable: typeof Request | undefined

/** A `Request` of which hardly anything exists until somebody asks for it. */
export function deferredRequest(facts: RequestFacts): Request {
  if (globalThis.Request !== capable) install()
  return new DeferredRequest(facts) as unknown as Request
}

/** From the first upgrade on, `new Request(request)` and `fetch(request)` take a stand-in as well. */
function install(): void {
  if (capable === undefined) installFetch()
  // Whatever is there now: the runtime's own, or that of `@hono/node-server`.
  const Base = globalThis.Request
  standInFor(DeferredRequest.prototype, Base.prototype, (request) => DeferredRequest.real(request))
  const construct = (_: typeof Request, args: ConstructorParameters<typeof Request>, target: unknown): Request => {
    const [input, ...rest] = args
    const real = [DeferredRequest.real(input), ...rest]
    return Reflect.construct(Base, real, target === With ? Base : (target as typeof Base))
  }
  // A proxy and not a subclass: what the runtime itself makes stays an instance of `Request`.
  const With: typeof Request = new Proxy(Base, { construct })
  Object.defineProperty(globalThis, 'Request', { value: With, writable: true, configurable: true })
  capable = With
}

function installFetch(): void {
  const apply = (fetch: typeof globalThis.fetch, self: unknown, args: Parameters<typeof fetch>): unknown => {
    const [input, ...rest] = args
    return Reflect.apply(fetch, self, [DeferredRequest.real(input), ...rest])
  }
  globalThis.fetch = new Proxy(globalThis.fetch, { apply })
}
