/** How many connections there are, in all and per key. A place is taken before the 101, so that no burst overtakes it. */

/** What to answer when there is no place: the option that says so, and its value. */
export interface CapReached {
  readonly option: 'maxConnections' | 'maxConnectionsPerKey'
  readonly limit: number
}

/** The limits under which a place is asked for. */
export interface CapLimits {
  readonly max: number
  readonly maxPerKey: number
  /** Whose connection this is; `undefined` counts for nobody. */
  readonly key: string | undefined
}

/** Counts the connections of whatever it belongs to: a Sock, a group, a route. */
export class ConnectionCap {
  #total = 0
  readonly #perKey = new Map<string, number>()

  get total(): number {
    return this.#total
  }

  /** Keys with at least one connection. */
  get keys(): number {
    return this.#perKey.size
  }

  /** @returns how to give the place back, to be called once, or why there is none */
  take({ max, maxPerKey, key }: CapLimits): (() => void) | CapReached {
    if (this.#total >= max) return { option: 'maxConnections', limit: max }
    const held = key === undefined ? 0 : (this.#perKey.get(key) ?? 0)
    if (held >= maxPerKey) return { option: 'maxConnectionsPerKey', limit: maxPerKey }
    this.#total++
    if (key === undefined) return () => void this.#total--
    this.#perKey.set(key, held + 1)
    return () => {
      this.#total--
      const left = (this.#perKey.get(key) ?? 0) - 1
      if (left > 0) this.#perKey.set(key, left)
      else this.#perKey.delete(key)
    }
  }
}
