/** The transport contract on sockets. Runs under `bun test`, `deno test` and `node --test`. */
import { RAW_MODE } from '../../src/runtime/raw-mode.ts'
import { type TransportSkips, transportContract } from '../contract/transport.contract.ts'
import { tcpPair, tlsPair, unixPair, upgradedPair } from './duplex-pairs.ts'

const bun: TransportSkips = RAW_MODE === 'bun' ? { reset: 'Bun shows an RST as an end' } : {}
const withoutReset: TransportSkips = {
  reset: 'only plain TCP has an RST that a test can send',
  'reset-paused': 'only plain TCP has an RST that a test can send',
}
const pauseDoesNothing = 'TLS sockets on Deno read on when paused; R33 bounds what is held'
const tls: TransportSkips = {
  ...withoutReset,
  ...(RAW_MODE === 'deno'
    ? { drain: pauseDoesNothing, backpressure: pauseDoesNothing, 'buffered-amount': pauseDoesNothing }
    : {}),
}

transportContract(`${RAW_MODE} upgraded`, () => upgradedPair(), bun)
transportContract(`${RAW_MODE} tcp`, tcpPair, bun)
transportContract(`${RAW_MODE} unix`, unixPair, withoutReset)
transportContract(`${RAW_MODE} upgraded tls`, () => upgradedPair(true), tls)
transportContract(`${RAW_MODE} tls`, tlsPair, tls)
