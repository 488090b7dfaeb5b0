/** Bytes that arrive in pieces of any size, in one array that doubles: a head (RFC 6455 §4), or what follows it. */
export class GrowingBytes {
  #bytes: Uint8Array = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The last byte, or `undefined` when there is none. */
  get last(): number | undefined {
    return this.#bytes[this.#length - 1]
  }

  /** Copies `piece` to the end. */
  append(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length))
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
  }

  /** A copy of a range. */
  slice(start: number = 0, end: number = this.#length): Uint8Array {
    return this.#bytes.slice(start, Math.min(end, this.#length))
  }
}
