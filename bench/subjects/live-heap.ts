/** What is alive in this process, once all that is not has been collected. Asked for by `GET /live-heap`. */
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Some of what a socket held is let go only in later turns. */
const COLLECTIONS = 5
const TURN = 20

function collector(): () => void {
  if ('Bun' in globalThis) return () => Bun.gc(true)
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

/** @returns bytes */
export async function liveHeap(): Promise<number> {
  const collect = collector()
  for (let i = 0; i < COLLECTIONS; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, TURN))
  }
  return process.memoryUsage().heapUsed
}
