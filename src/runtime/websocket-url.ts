/** Where a client goes and what it offers there, on hosts with sockets and without. */
import { isToken } from '../codec/header.ts'

const SCHEMES: Readonly<Record<string, string>> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' }

/**
 * The URL as RFC 6455 §3 wants it.
 *
 * @throws {TypeError} when it is none, has a scheme that we do not speak, or a fragment
 */
export function parseWebSocketUrl(url: string | URL): URL {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new TypeError(`url: not an absolute URL: ${JSON.stringify(String(url))}`)
  }
  const scheme = SCHEMES[parsed.protocol]
  if (scheme === undefined) throw new TypeError(`url: scheme must be ws, wss, http or https, got ${parsed.protocol}`)
  if (parsed.hash !== '' || parsed.href.endsWith('#')) throw new TypeError('url: must have no fragment (RFC 6455 §3)')
  // The setter of `protocol` refuses to change between special schemes on some runtimes.
  return new URL(parsed.href.replace(parsed.protocol, scheme))
}

/** Checks a number of milliseconds. @throws {TypeError | RangeError} naming the option */
export function checkDuration(name: string, value: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name}: expected milliseconds, got ${typeof value}`)
  // A timer of more than 2^31 - 1 milliseconds fires at once.
  if (!(value > 0 && (value <= 2_147_483_647 || value === Number.POSITIVE_INFINITY))) {
    throw new RangeError(`${name}: expected more than 0 and at most 2147483647 milliseconds, or Infinity; got ${value}`)
  }
  return value
}

/** The subprotocols that a client offers, as a list. @throws {TypeError} for what may not be offered (RFC 6455 §4.1) */
export function subprotocolList(subprotocols: unknown): readonly string[] {
  const list: unknown = typeof subprotocols === 'string' ? [subprotocols] : (subprotocols ?? [])
  if (!Array.isArray(list)) {
    throw new TypeError(`subprotocols: expected a string or a list of them, got ${typeof list}`)
  }
  for (const name of list as unknown[]) {
    if (typeof name === 'string' && isToken(name)) continue
    throw new TypeError(`subprotocols: not a token (RFC 6455 §4.1): ${JSON.stringify(name)}`)
  }
  if (new Set(list).size < list.length) throw new TypeError('subprotocols: one is listed twice (RFC 6455 §4.1)')
  return list as string[]
}
