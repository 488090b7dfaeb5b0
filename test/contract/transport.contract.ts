/**
 * What every `ByteTransport` must do (src/connection/transport.ts).
 *
 * Built on `node:test` and `node:assert`, so that the same file runs under `bun test`, `deno test` and `node --test`.
 */
import { describe, test } from 'node:test'
import type { TransportCase, TransportPair } from './transport-case.ts'
import { ENDING_CASES, type EndingCase } from './transport-endings.ts'
import { FLOW_CASES, type FlowCase } from './transport-flow.ts'

export type { TransportPair } from './transport-case.ts'

const CASES: Record<FlowCase | EndingCase, TransportCase> = { ...FLOW_CASES, ...ENDING_CASES }

/** Cases that an implementation cannot meet, each with the reason. */
export type TransportSkips = Partial<Record<FlowCase | EndingCase, string>>

/** Proves that an implementation keeps the contract. A fresh pair is made for each case and disposed of after it. */
export function transportContract(
  name: string,
  makePair: () => TransportPair | Promise<TransportPair>,
  skips: TransportSkips = {},
): void {
  describe(`ByteTransport: ${name}`, () => {
    for (const [id, { row, rule, run }] of Object.entries(CASES) as [keyof typeof CASES, TransportCase][]) {
      const reason = skips[id]
      const title = `${row} ${name} ${id}: ${rule}${reason === undefined ? '' : ` (skipped: ${reason})`}`
      test(title, { skip: reason !== undefined }, async () => {
        const pair = await makePair()
        try {
          await run(pair)
        } finally {
          pair.subject.destroy()
          pair.peer.destroy()
          await pair.dispose()
        }
      })
    }
  })
}
