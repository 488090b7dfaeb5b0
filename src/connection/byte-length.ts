/** Bytes of a message as it is sent, before compression. It reads all of a text: not for what every send does. */
export function byteLength(data: string | Uint8Array): number {
  let bytes = data.length
  if (typeof data === 'string') {
    for (let at = 0; at < data.length; at++) {
      // A lone surrogate is its own code point here, and goes out as U+FFFD: three bytes as well.
      const point = data.codePointAt(at) as number
      if (point > 0x7f) bytes++
      if (point > 0x7ff) bytes++
      // Four bytes, of which two are counted as its two units.
      if (point > 0xffff) at++
    }
  }
  return bytes
}
