/**
 * Which origins may connect (RFC 6455 §10.2). A browser sends cookies with a WebSocket of any page, so without this
 * check every page on the web acts with the rights of its visitor.
 */
import type { Context } from 'hono'

/** `'*'` for every origin, one origin, a list of them, or a function of the `Origin` header, `undefined` without one. */
export type OriginPolicy<C = Context> =
  | string
  | readonly string[]
  // A method, so that a policy for any context serves a route whose context knows more.
  | { bivariant(origin: string | undefined, c: C): boolean | Promise<boolean> }['bivariant']

/** @throws {TypeError} for a policy that could never match, such as an origin without its scheme */
export function checkOriginPolicy(policy: unknown): void {
  if (typeof policy === 'function' || policy === '*') return
  const origins: readonly unknown[] = Array.isArray(policy) ? policy : [policy]
  for (const origin of origins) {
    if (origin === 'null' || (typeof origin === 'string' && parse(origin) !== undefined)) continue
    const got = typeof origin === 'string' ? JSON.stringify(origin) : `a value of type ${typeof origin}`
    throw new TypeError(
      `origin must be '*', a function, or origins such as 'https://example.com' (scheme, host and port only); got ${got}`,
    )
  }
}

/**
 * Whether the request may connect. Without a policy an origin must be ours; a request without `Origin` comes from no
 * browser, so only a function can refuse it.
 */
export function isOriginAllowed(
  policy: OriginPolicy | undefined,
  origin: string | undefined,
  c: Context,
): boolean | Promise<boolean> {
  if (typeof policy === 'function') return policy(origin, c)
  if (origin === undefined || policy === '*') return true
  if (policy === undefined) return isSameOrigin(origin, c)
  const normal = normalize(origin)
  return typeof policy === 'string' ? normalize(policy) === normal : policy.some((entry) => normalize(entry) === normal)
}

/**
 * Same host and port. A proxy that ends TLS hides our scheme, so `https` outside may be `http` here; the reverse, a
 * page without TLS that reaches a socket with it, is another origin.
 */
function isSameOrigin(origin: string, c: Context): boolean {
  const theirs = parse(origin)
  if (theirs === undefined) return false
  const url = new URL(c.req.url)
  if (url.protocol === 'https:' && theirs.protocol !== 'https:') return false
  // Parsed with their scheme, so that its default port counts as none.
  const ours = parse(`${theirs.protocol}//${url.host}`)
  return ours !== undefined && ours.host === theirs.host
}

/** An origin as a URL; `undefined` when there is more to it, or less. */
function parse(origin: string): URL | undefined {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  if (url === undefined || url.host === '' || url.username !== '' || url.password !== '') return undefined
  const isBare = (url.pathname === '/' || url.pathname === '') && url.search === '' && url.hash === ''
  return isBare ? url : undefined
}

/** Case and default port must not matter; what is no origin stays as it is. */
function normalize(origin: string): string {
  const url = parse(origin)
  return url === undefined ? origin : `${url.protocol}//${url.host}`
}
