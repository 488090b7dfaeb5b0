/** Resolves after so many milliseconds. */
export function delay(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time))
}

/**
 * Lets `burst` calls pass at once and then one every `interval` milliseconds.
 *
 * A handler that awaits it reads no faster than that. What the peer sends meanwhile fills the inbox, then the socket
 * is paused, then the peer's own buffers fill: a flood slows down its sender and nobody else.
 */
export function pace(burst: number, interval: number): () => Promise<void> {
  let next = Number.NEGATIVE_INFINITY
  return async () => {
    const now = performance.now()
    next = Math.max(next, now - burst * interval) + interval
    if (next > now) await delay(next - now)
  }
}
