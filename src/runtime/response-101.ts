/**
 * A `Response` with status 101, on every runtime.
 *
 * Fetch allows a constructed Response only the statuses 200 to 599. Bun and Deno make an exception for 101, Node does
 * not; yet the 101 has to travel through middleware as what it is: a logger prints its status, and Hono rebuilds it
 * with `new Response(body, response)` when a header is set. So on Node, from the first upgrade on, the global `Response`
 * takes 101 as well.
 */

/** A global `Response` that is known to take 101; whoever replaces it by another is looked at anew. */
let capable: typeof Response | undefined

/** The response that announces an upgrade. */
export function upgradeResponse(headers?: HeadersInit): Response {
  if (globalThis.Response !== capable) {
    if (!takes101()) install()
    capable = globalThis.Response
  }
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

function install(): void {
  // Whatever is there now: the runtime's own, or the lighter one of `@hono/node-server`.
  const Base = globalThis.Response

  /** What `new Response(null, { status: 101 })` makes. */
  const SwitchingProtocols = function SwitchingProtocols(): void {}
  SwitchingProtocols.prototype = Object.create(Base.prototype, {
    status: { value: 101 },
    statusText: { value: 'Switching Protocols' },
    ok: { value: false },
    clone: {
      value(this: Response): Response {
        return new With101(null, this)
      },
    },
  })

  const construct = (_: typeof Response, args: ConstructorParameters<typeof Response>, target: unknown): Response => {
    const [body, init] = args
    if (init?.status !== 101) return Reflect.construct(Base, args, target === With101 ? Base : (target as typeof Base))
    if (body != null) throw new TypeError('A response with status 101 has no body')
    return Reflect.construct(Base, [null, { headers: new Headers(init.headers) }], SwitchingProtocols)
  }
  // A proxy and not a subclass: what the runtime itself makes, as `fetch` does, stays an instance of `Response`.
  const With101: typeof Response = new Proxy(Base, { construct })

  Object.defineProperty(globalThis, 'Response', { value: With101 })
}
