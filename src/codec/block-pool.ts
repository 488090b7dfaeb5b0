/**
 * Blocks of memory that large text passes through on its way in and out (RFC 6455 §5.6), and that are used again.
 *
 * Fresh pages cost more than what is done with them: without this an echo of 1 MiB took a quarter to two
 * fifths longer (`bun run bench echo --only 'bun ours' --shapes 4x1x1048576`). Nothing of it is ever handed to an application.
 */
import { Buffer } from 'node:buffer'
import { type StringBuffer, stringBuffer } from './utf8.ts'

/** Bytes and blocks that may lie here unused. */
const MAX_SPARE_BYTES = 1 << 23
const MAX_SPARE_BLOCKS = 16

/** Blocks of slightly different sizes should serve each other. */
const GRANULE = 1 << 10

/** Unused blocks, the last one used at the end. */
let spares: StringBuffer[] = []
let spareBytes = 0

/** The blocks that came from here, by their memory. */
const blocks: WeakMap<ArrayBufferLike, StringBuffer> = new WeakMap()

/** At least `size` bytes, whatever they hold. */
export function takeBlock(size: number): StringBuffer {
  const index = spares.findLastIndex((block) => block.length >= size)
  if (index < 0) {
    const block = stringBuffer(Buffer.allocUnsafeSlow(Math.ceil(size / GRANULE) * GRANULE))
    blocks.set(block.buffer, block)
    return block
  }
  const block = spares[index] as StringBuffer
  spares = spares.filter((spare) => spare !== block)
  spareBytes -= block.length
  return block
}

/** Returns a block to the pool, by any view of it; ignores memory from elsewhere. */
export function giveBlock(view: Uint8Array): void {
  const block = blocks.get(view.buffer)
  if (block === undefined) return
  spares.push(block)
  spareBytes += block.length
  while (spareBytes > MAX_SPARE_BYTES || spares.length > MAX_SPARE_BLOCKS) {
    spareBytes -= (spares.shift() as StringBuffer).length
  }
}
