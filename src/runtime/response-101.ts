/**
 * A `Response` with status 101, on every runtime.
 *
 * Fetch allows a constructed Response only the statuses 200 to 599. Bun and Deno make an exception for 101, Node does
 * not; yet the 101 has to travel through middleware as what it is: a logger prints its status, and Hono rebuilds it
 * with `new Response(body, response)` when a header is set. So on Node, from the first upgrade on, the global `Response`
 * takes 101 as well.
 */

import { standInFor } from './stand-in.ts'
import type { Prepare } from './upgrader.ts'

/** A global `Response` that is known to take 101; whoever replaces it by another is looked at anew. */
let capable: typeof Response | undefined

/** The response that announces an upgrade. */
export function upgradeResponse(prepare: Prepare = bare): Response {
  if (globalThis.Response !== capable) {
    if (!takes101()) install()
    capable = globalThis.Response
  }
  return prepare(101)
}

function bare(status: number): Response {
  return new Response(null, { status })
}

/** The headers of a 101, to be read: without the copy that its property makes for whoever may change them. */
export function headersOf101(response: Response): Headers {
  return SwitchingProtocols.headersOf(response) ?? response.headers
}

/** Whether a 101 can be built, rebuilt and cloned; `@hono/node-server` replaces `Response` by one that builds only. */
function takes101(): boolean {
  try {
    const response = new Response(null, { status: 101 })
    return new Response(response.body, response).clone().status === 101
  } catch {
    return false
  }
}

/** What `new Response(null, { status: 101 })` makes. */
class SwitchingProtocols {
  readonly #given: Headers | undefined
  #headers: Headers | undefined

  constructor(given: Headers | undefined) {
    this.#given = given
  }

  get status(): number {
    return 101
  }

  get statusText(): string {
    return 'Switching Protocols'
  }

  get ok(): boolean {
    return false
  }

  get body(): null {
    return null
  }

  get bodyUsed(): boolean {
    return false
  }

  get headers(): Headers {
    this.#headers ??= new Headers(this.#given)
    return this.#headers
  }

  clone(): SwitchingProtocols {
    return SwitchingProtocols.from(this)
  }

  /** Its own, or those it was given; `undefined` for none, and for any other response. */
  static headersOf(response: object): Headers | undefined {
    return #headers in response ? (response.#headers ?? response.#given) : undefined
  }

  /** What is given is copied when somebody looks: middleware rebuilds a response several times before it goes out. */
  static from(init: ResponseInit | SwitchingProtocols): SwitchingProtocols {
    const { headers } = #headers in init ? { headers: init.#headers ?? init.#given } : init
    const isOwn = #headers in init && init.#headers !== undefined
    return new SwitchingProtocols(headers instanceof Headers && !isOwn ? headers : headers && new Headers(headers))
  }
}

function install(): void {
  // Whatever is there now: the runtime's own, or the lighter one of `@hono/node-server`.
  const Base = globalThis.Response
  standInFor(SwitchingProtocols.prototype, Base.prototype, () => new Base())
  const construct = (_: typeof Response, args: ConstructorParameters<typeof Response>, target: unknown): object => {
    const [body, init] = args
    if (init?.status !== 101) return Reflect.construct(Base, args, target === With101 ? Base : (target as typeof Base))
    if (body != null) throw new TypeError('A response with status 101 has no body')
    return SwitchingProtocols.from(init)
  }
  // A proxy and not a subclass: what the runtime itself makes, as `fetch` does, stays an instance of `Response`.
  const With101: typeof Response = new Proxy(Base, { construct })
  Object.defineProperty(globalThis, 'Response', { value: With101 })
}
