/**
 * A `Response` with status 101, on every runtime.
 *
 * Fetch allows a constructed Response only the statuses 200 to 599. Bun and Deno make an exception for 101, Node does
 * not; yet the 101 has to travel through middleware as what it is: a logger prints its status, and Hono rebuilds it
 * with `new Response(body, response)` when a header is set. So on Node, from the first upgrade on, the global `Response`
 * takes 101 as well.
 */

import { standInFor } from './stand-in.ts'

/** A global `Response` that is known to take 101; whoever replaces it by another is looked at anew. */
let capable: typeof Response | undefined

/** Makes the response that announces an upgrade, where `new Response` does not: on Node. */
let standIn: ((headers: Headers | undefined) => Response) | undefined

/**
 * The response that announces an upgrade.
 *
 * @param headers taken over
 */
export function upgradeResponse(headers?: Headers): Response {
  if (globalThis.Response !== capable) {
    standIn = takes101() ? undefined : install()
    capable = globalThis.Response
  }
  if (standIn !== undefined) return standIn(headers)
  return new Response(null, headers === undefined ? { status: 101 } : { status: 101, headers })
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
  #headers: Headers | undefined

  constructor(headers: Headers | undefined) {
    this.#headers = headers
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
    this.#headers ??= new Headers()
    return this.#headers
  }

  clone(): SwitchingProtocols {
    return SwitchingProtocols.from(this)
  }

  static from(init: ResponseInit | SwitchingProtocols): SwitchingProtocols {
    const headers = #headers in init ? init.#headers : init.headers
    return new SwitchingProtocols(headers && new Headers(headers))
  }
}

function install(): (headers: Headers | undefined) => Response {
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
  return (headers) => new SwitchingProtocols(headers) as unknown as Response
}
