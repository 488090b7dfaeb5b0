/** The four parameters of permessage-deflate (RFC 7692 §7.1): options, offer, answer, and what both sides agree on. */
import type { ExtensionParameters } from './header.ts'

/** Parameters of permessage-deflate (RFC 7692 §7.1) and how to use it. */
export interface DeflateOptions {
  /** Keep no context between messages that the server sends. @default true */
  serverNoContextTakeover?: boolean
  /** Ask the client to keep no context between messages that it sends. @default true */
  clientNoContextTakeover?: boolean
  /** Window of the server's compressor, as a power of two, 9 to 15. @default 15 */
  serverMaxWindowBits?: number
  /**
   * Window of the client's compressor, as a power of two, 8 to 15, asked for when the client lets us. zlib cannot
   * compress with 8: a client of ours then sends its messages as they are.
   *
   * @default 15
   */
  clientMaxWindowBits?: number
  /** zlib level, 0 to 9. @default 6 */
  level?: number
  /** zlib memory level, 1 to 9. @default 8 */
  memLevel?: number
  /** Messages shorter than this, in bytes, are sent as they are. @default 128 */
  threshold?: number
}

/** What holds for an option that is left out. */
export const DEFLATE_DEFAULTS: Readonly<Required<DeflateOptions>> = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
  level: 6,
  memLevel: 8,
  threshold: 128,
}

/** Least and greatest value of every option that is a number; `threshold` may be `Infinity` too. */
export const DEFLATE_RANGES: Readonly<
  Record<
    'serverMaxWindowBits' | 'clientMaxWindowBits' | 'level' | 'memLevel' | 'threshold',
    readonly [min: number, max: number]
  >
> = {
  serverMaxWindowBits: [9, 15],
  clientMaxWindowBits: [8, 15],
  level: [0, 9],
  memLevel: [1, 9],
  threshold: [0, Number.MAX_SAFE_INTEGER],
}

/**
 * Options with every default filled in; `undefined` counts as left out.
 *
 * @throws {TypeError} for an unknown option or one of the wrong type
 * @throws {RangeError} for a value out of range
 */
export function resolveDeflateOptions(options: DeflateOptions): Required<DeflateOptions> {
  const resolved = { ...DEFLATE_DEFAULTS }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(DEFLATE_DEFAULTS, name)) throw new TypeError(`Unknown option permessageDeflate.${name}`)
    if (value === undefined) continue
    const expected = typeof DEFLATE_DEFAULTS[name as keyof DeflateOptions]
    if (typeof value !== expected) throw new TypeError(`permessageDeflate.${name} must be a ${expected}`)
    const range = DEFLATE_RANGES[name as keyof typeof DEFLATE_RANGES]
    if (range !== undefined && !(name === 'threshold' && value === Number.POSITIVE_INFINITY)) {
      const [min, max] = range
      if (!Number.isInteger(value) || value < min || value > max) {
        throw new RangeError(`permessageDeflate.${name} must be a whole number from ${min} to ${max}; got ${value}`)
      }
    }
    Object.assign(resolved, { [name]: value })
  }
  return resolved
}

/** What an offer or an answer says. */
export interface DeflateParameters {
  readonly serverNoContextTakeover: boolean
  readonly clientNoContextTakeover: boolean
  readonly serverMaxWindowBits: number | undefined
  /** `true` stands in an offer only: the client takes any window. */
  readonly clientMaxWindowBits: number | true | undefined
}

/** What both sides will do. */
export interface DeflateAgreement extends DeflateParameters {
  readonly serverMaxWindowBits: number
  readonly clientMaxWindowBits: number
}

const WINDOW_BITS = /^(?:[89]|1[0-5])$/

/**
 * Reads an offer or an answer.
 *
 * @returns `null` for an unknown parameter, one given twice, and a value that its parameter cannot have (§7.1); the
 * server then declines the offer, the client fails the connection
 */
export function parseDeflateParameters(parameters: ExtensionParameters): DeflateParameters | null {
  let serverNoContextTakeover = false
  let clientNoContextTakeover = false
  let serverMaxWindowBits: number | undefined
  let clientMaxWindowBits: number | true | undefined
  for (const [name, value] of parameters) {
    if (name === 'server_no_context_takeover') {
      // §7.1.1.1, §7.1.1.2: these two have no value.
      if (serverNoContextTakeover || value !== true) return null
      serverNoContextTakeover = true
    } else if (name === 'client_no_context_takeover') {
      if (clientNoContextTakeover || value !== true) return null
      clientNoContextTakeover = true
    } else if (name === 'server_max_window_bits') {
      // §7.1.2.1: a decimal integer from 8 to 15 without leading zeros, always.
      if (serverMaxWindowBits !== undefined || value === true || !WINDOW_BITS.test(value)) return null
      serverMaxWindowBits = Number(value)
    } else if (name === 'client_max_window_bits') {
      // §7.1.2.2: in an offer the value may be missing.
      if (clientMaxWindowBits !== undefined || (value !== true && !WINDOW_BITS.test(value))) return null
      clientMaxWindowBits = value === true ? true : Number(value)
    } else {
      return null
    }
  }
  return { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits }
}

/** Writes an offer or an answer. */
export function formatDeflateParameters(parameters: DeflateParameters): ExtensionParameters {
  const written: [name: string, value: string | true][] = []
  if (parameters.serverNoContextTakeover) written.push(['server_no_context_takeover', true])
  if (parameters.clientNoContextTakeover) written.push(['client_no_context_takeover', true])
  const { serverMaxWindowBits: server, clientMaxWindowBits: client } = parameters
  if (server !== undefined) written.push(['server_max_window_bits', String(server)])
  if (client !== undefined) written.push(['client_max_window_bits', client === true ? true : String(client)])
  return written
}

/** The client's offer. What has its default is not spelled out. */
export function deflateOffer(own: Required<DeflateOptions>): DeflateParameters {
  return {
    serverNoContextTakeover: own.serverNoContextTakeover,
    clientNoContextTakeover: own.clientNoContextTakeover,
    serverMaxWindowBits: own.serverMaxWindowBits === 15 ? undefined : own.serverMaxWindowBits,
    clientMaxWindowBits: own.clientMaxWindowBits === 15 ? true : own.clientMaxWindowBits,
  }
}

/**
 * What a server makes of an offer: for each parameter the stricter of both sides.
 *
 * @returns `null` when it asks for what zlib cannot do
 */
export function agreeOnOffer(offer: DeflateParameters, own: Required<DeflateOptions>): DeflateAgreement | null {
  const serverMaxWindowBits = Math.min(own.serverMaxWindowBits, offer.serverMaxWindowBits ?? own.serverMaxWindowBits)
  // §7.1.2.1 allows 8; zlib would take 9 instead and say nothing.
  if (serverMaxWindowBits < DEFLATE_RANGES.serverMaxWindowBits[0]) return null
  // §7.1.2.2: a client that does not name it cannot be asked for less than 15, one that gives no value can.
  const { clientMaxWindowBits: offered } = offer
  const limit = offered === true ? own.clientMaxWindowBits : offered
  return {
    serverNoContextTakeover: own.serverNoContextTakeover || offer.serverNoContextTakeover,
    clientNoContextTakeover: own.clientNoContextTakeover || offer.clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits: limit === undefined ? 15 : Math.min(own.clientMaxWindowBits, limit),
  }
}

/** The server's answer to an offer that it accepts. */
export function deflateAnswer(offer: DeflateParameters, agreed: DeflateAgreement): DeflateParameters {
  return {
    ...agreed,
    // §7.1.2.1: the server may limit itself unasked.
    serverMaxWindowBits:
      offer.serverMaxWindowBits === undefined && agreed.serverMaxWindowBits === 15
        ? undefined
        : agreed.serverMaxWindowBits,
    // §7.1.2.2: an answer to an offer without this parameter must not have it.
    clientMaxWindowBits: offer.clientMaxWindowBits === undefined ? undefined : agreed.clientMaxWindowBits,
  }
}

/**
 * What a client makes of the server's answer to `deflateOffer`.
 *
 * @returns `null` when the answer does not fit: the client must fail the connection (§7.1)
 */
export function agreeOnAnswer(answer: DeflateParameters, own: Required<DeflateOptions>): DeflateAgreement | null {
  const { serverMaxWindowBits: server, clientMaxWindowBits: client } = answer
  // §7.1.1.1, §7.1.2.1: a server accepts what was asked of it by saying so.
  if (own.serverNoContextTakeover && !answer.serverNoContextTakeover) return null
  if (own.serverMaxWindowBits < 15 && (server === undefined || server > own.serverMaxWindowBits)) return null
  // §7.1.2.2: an answer always has the value, and none above the one that was offered.
  if (client === true || (client !== undefined && client > own.clientMaxWindowBits)) return null
  return {
    serverNoContextTakeover: answer.serverNoContextTakeover,
    clientNoContextTakeover: own.clientNoContextTakeover || answer.clientNoContextTakeover,
    serverMaxWindowBits: server ?? 15,
    clientMaxWindowBits: client ?? own.clientMaxWindowBits,
  }
}
