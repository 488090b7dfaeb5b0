/** The header in front of a payload, as it is written (RFC 6455 §5.2). */

/** Two bytes, an 8-byte length and a 4-byte key. */
export const MAX_HEADER = 14

/** Writes the header but for the key. §5.2: the shortest form of the length is the only one. */
export function writeHeader(target: Uint8Array, at: number, firstByte: number, length: number, mask: number): void {
  target[at] = firstByte
  if (length < 126) {
    target[at + 1] = mask | length
    return
  }
  if (length < 65536) {
    target[at + 1] = mask | 126
    target[at + 2] = length >>> 8
    target[at + 3] = length
    return
  }
  target[at + 1] = mask | 127
  const high = Math.floor(length / 0x1_0000_0000)
  target[at + 2] = high >>> 24
  target[at + 3] = high >>> 16
  target[at + 4] = high >>> 8
  target[at + 5] = high
  target[at + 6] = length >>> 24
  target[at + 7] = length >>> 16
  target[at + 8] = length >>> 8
  target[at + 9] = length
}

/** Bytes of the header without the key. */
export function headerSize(length: number): number {
  return length < 126 ? 2 : length < 65536 ? 4 : 10
}

/** §5.3: the key, packed as `unmask` takes it. */
export function writeKey(target: Uint8Array, at: number, key: number): void {
  target[at] = key
  target[at + 1] = key >>> 8
  target[at + 2] = key >>> 16
  target[at + 3] = key >>> 24
}
