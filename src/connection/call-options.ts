/** The check of the options of one call: a wrong one that passed would have no effect, and nobody would know. */
import type { SendMessageOptions } from './connection.ts'

/** Calls that are like `new WebSocket`, where what follows the URL are the subprotocols. */
const DIALS: readonly string[] = ['connect', 'reconnect']

/** What is wrong with options as a whole, or `undefined`. */
export function objectFault(call: string, options: unknown): TypeError | undefined {
  const isList = Array.isArray(options)
  if (typeof options === 'object' && options !== null && !isList) return undefined
  const hint = DIALS.includes(call) && (isList || typeof options === 'string') ? ' such as { subprotocols: [] }' : ''
  return new TypeError(`Options of ${call} must be an object${hint}, not ${isList ? 'an array' : String(options)}`)
}

/** What is wrong with options by their names, or `undefined`. */
export function optionsFault(call: string, options: object, known: readonly string[]): TypeError | undefined {
  const wrong = objectFault(call, options)
  if (wrong !== undefined) return wrong
  for (const name in options) {
    if (!known.includes(name)) return new TypeError(`Unknown option ${name}; known are ${known.join(', ')}`)
  }
  return undefined
}

const SEND: readonly string[] = ['compress'] satisfies (keyof SendMessageOptions)[]

/** What is wrong with options of `send` and its kin, or `undefined`. */
export function sendOptionsFault(options: SendMessageOptions | undefined): TypeError | undefined {
  if (options === undefined) return undefined
  return optionsFault('send', options, SEND) ?? compressFault(options.compress)
}

/** What is wrong with the option `compress` of a message, or `undefined`. */
export function compressFault(compress: unknown): TypeError | undefined {
  if (compress === undefined || typeof compress === 'boolean') return undefined
  return new TypeError(`compress: expected a boolean, got ${compress === null ? 'null' : typeof compress}`)
}
