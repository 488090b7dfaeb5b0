/** The check of what `receive` and its kin take. */
import { optionsFault } from './call-options.ts'
import type { ReceiveOptions } from './connection.ts'

/** Milliseconds. A runtime's timer takes no more: beyond it fires at once. */
const MAX_TIMEOUT = 2_147_483_647

const KNOWN: readonly string[] = ['timeout', 'signal'] satisfies (keyof ReceiveOptions)[]

/** What is wrong with the options, or `undefined`. A wrong one that passed would wait for ever, or not at all. */
export function receiveOptionsFault(options: ReceiveOptions): TypeError | RangeError | undefined {
  const wrong = optionsFault('receive', options, KNOWN)
  if (wrong !== undefined) return wrong
  const { timeout, signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    return new TypeError(`signal: expected an AbortSignal, got ${signal === null ? 'null' : typeof signal}`)
  }
  if (timeout === undefined || timeout === Number.POSITIVE_INFINITY) return undefined
  if (typeof timeout !== 'number') return new TypeError(`timeout: expected milliseconds, got ${typeof timeout}`)
  if (timeout >= 0 && timeout <= MAX_TIMEOUT) return undefined
  return new RangeError(`timeout: expected milliseconds from 0 to ${MAX_TIMEOUT}, or Infinity; got ${timeout}`)
}
