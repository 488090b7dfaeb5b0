/** Where a client goes and what it offers there, on hosts with sockets and without. */
import { isToken } from '../codec/header.ts'
import type { OptionTable } from '../connection/option-table.ts'
import { milliseconds } from '../connection/options.ts'

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

/** Unit, range and default of the one limit that every `connect` has. */
export const CONNECT_LIMITS: OptionTable<{ connectTimeout?: number | undefined }> = {
  connectTimeout: { ...milliseconds, default: 10_000, doc: 'Time from the call to the open connection.' },
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
