/** What a client sees of `scenario-app.ts`, row by row. Each scenario takes the address of a server that runs it. */

import { ADMISSION_SCENARIOS } from './admission-scenarios.ts'
import { LIFETIME_SCENARIOS } from './lifetime-scenarios.ts'
import { ROUTING_SCENARIOS } from './routing-scenarios.ts'
import { TYPED_SCENARIOS } from './typed-scenarios.ts'
import { WIRE_SCENARIOS } from './wire-scenarios.ts'

/** A test, but for the server that it needs. */
export interface Scenario {
  /** Begins with the row that it proves. */
  readonly name: string
  /** @param url without a slash at the end */
  run(url: string): Promise<void>
}

export const SCENARIOS: readonly Scenario[] = [
  ...ROUTING_SCENARIOS,
  ...ADMISSION_SCENARIOS,
  ...LIFETIME_SCENARIOS,
  ...TYPED_SCENARIOS,
  ...WIRE_SCENARIOS,
]
