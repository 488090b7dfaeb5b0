/** Compressed frames for the load, and the check of what came back for them. */
import { Buffer } from 'node:buffer'
import { constants, createInflateRaw, deflateRawSync } from 'node:zlib'

const TAIL: Buffer = Buffer.from([0x00, 0x00, 0xff, 0xff])
const TAIL_LENGTH = 4
const MASKING_KEY = [17, 42, 99, 7] as const
/** More than a window: no message is found again in it. */
const CORPUS = 65_536

/** JSON texts of a size that differ from one another, as an application's would. */
export function jsonTexts(size: number): string[] {
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    return seed % below
  }
  const words = ['user', 'value', 'true', 'price', 'order', 'message', 'topic', 'Berlin', 'Lagos', 'Quito', 'null']
  const word = (): string => words[random(words.length)] as string
  return Array.from({ length: Math.max(4, CORPUS / size) }, () => {
    let text = ''
    while (text.length < size) text += `{"id":${random(1_000_000)},"${word()}":"${word()}","n":${random(1_000) / 8}},`
    return text.slice(0, size)
  })
}

/** A masked, compressed text frame that needs no earlier one. */
export function compressedFrame(text: string): Buffer {
  const whole = deflateRawSync(text, { level: 6, finishFlush: constants.Z_SYNC_FLUSH })
  const payload = whole.subarray(0, whole.length - TAIL_LENGTH)
  const header =
    payload.length < 126 ? [0xc1, 0x80 | payload.length] : [0xc1, 0xfe, payload.length >> 8, payload.length & 0xff]
  const masked = payload.map((byte, i) => byte ^ (MASKING_KEY[i & 3] as number))
  return Buffer.concat([Buffer.from(header), Buffer.from(MASKING_KEY), masked])
}

/** Frames in the form that the load reads: each after its length. */
export function frameFile(frames: readonly Buffer[]): Buffer {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(frame.length)
      return [length, frame]
    }),
  )
}

/**
 * Compares the first replies of a connection with what was sent.
 *
 * @param replies the first bytes that came, possibly cut within a frame
 * @returns how many whole replies were compared
 * @throws when one differs or is not compressed
 */
export async function verifyReplies(replies: Buffer, texts: readonly string[], takeover: boolean): Promise<number> {
  let inflate = createInflateRaw()
  let compared = 0
  for (let at = 0; at + 2 <= replies.length; compared++) {
    const short = (replies[at + 1] as number) & 0x7f
    if (short === 126 && at + 4 > replies.length) break
    const length = short === 126 ? replies.readUInt16BE(at + 2) : short
    const start = at + (short === 126 ? 4 : 2)
    if (start + length > replies.length) break
    if (replies[at] !== 0xc1) throw new Error(`Reply ${compared} is not one compressed text frame`)
    if (!takeover) inflate = createInflateRaw()
    const text = await inflated(inflate, Buffer.concat([replies.subarray(start, start + length), TAIL]))
    if (text !== texts[compared % texts.length]) throw new Error(`Reply ${compared} differs`)
    at = start + length
  }
  if (compared === 0) throw new Error('No whole reply was kept')
  return compared
}

function inflated(inflate: ReturnType<typeof createInflateRaw>, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    const onData = (piece: Buffer): void => void pieces.push(piece)
    inflate.on('data', onData)
    inflate.once('error', reject)
    inflate.write(bytes)
    inflate.flush(() => {
      inflate.off('data', onData)
      inflate.off('error', reject)
      resolve(Buffer.concat(pieces).toString())
    })
  })
}
