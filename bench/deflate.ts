/**
 * Echo with permessage-deflate, on JSON texts that differ from one another. Frames are compressed beforehand, without
 * takeover, so that the load costs little; the server inflates each, and compresses its reply with or without takeover.
 * Level 6 and windows of 15 bits everywhere; Bun.serve has no setting for its level.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../test/subject/runtime.ts'
import { compressedFrame, frameFile, jsonTexts, verifyReplies } from './deflate-frames.ts'
import { shape, shapeName } from './echo.ts'
import { runEcho } from './load/load.ts'
import type { Plan } from './plan.ts'
import { inTurns, type Row } from './rounds.ts'
import { subjectsNamed } from './subjects.ts'

const SUBJECTS = subjectsNamed('node ours', 'node ws', 'bun ours', 'bun native', 'deno ours')
const SHAPES = ['50x16x128', '50x4x1024', '10x4x16384']
const CLIENT_RESETS = 'permessage-deflate; client_no_context_takeover'
const BOTH_RESET = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'

export interface DeflateRow extends Row {
  readonly shape: string
  /** Bytes of a message before compression. */
  readonly size: number
  readonly takeover: boolean
}

export async function deflate({ short, timing, rounds, only }: Plan): Promise<DeflateRow[]> {
  const rows: DeflateRow[] = []
  for (const name of short ? SHAPES.slice(0, 1) : SHAPES) {
    const of = shape(name)
    const texts = jsonTexts(of.size)
    const file = join(ROOT, '.tmp', `bench-frames-${of.size}`)
    await writeFile(file, frameFile(texts.map(compressedFrame)))
    for (const takeover of [false, true]) {
      const jobs = SUBJECTS.filter(only).map((subject) => ({
        subject,
        args: takeover ? ['takeover'] : [],
        measure: async (server: Parameters<typeof runEcho>[0]) => {
          const result = await runEcho(server, {
            ...of,
            ...timing,
            path: takeover ? '/deflate-takeover' : '/deflate',
            mode: file,
            extensions: takeover ? CLIENT_RESETS : BOTH_RESET,
          })
          await verifyReplies(await readFile(`${file}.reply`), texts, takeover)
          return result
        },
      }))
      const title = `deflate ${shapeName(of)} ${takeover ? 'takeover' : 'no takeover'}`
      const measured = await inTurns(title, jobs, name === '50x16x128' ? rounds : Math.min(rounds, 2))
      rows.push(...measured.map((row) => ({ ...row, shape: shapeName(of), size: of.size, takeover })))
    }
  }
  return rows
}
