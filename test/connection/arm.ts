/** Brings a connection into the state of a row of the table of endings, in memory as on a socket. */
import type { Connection } from '../../src/connection/connection.ts'
import type { Pending } from './endings.ts'

/** What is pending: absent for `nothing`. Wrapped, so that waiting for the arming does not wait for it. */
export interface Armed {
  readonly promise?: Promise<unknown>
}

const PART = 'part'

/** The frame of a peer that begins a message: what `stream` needs. One character for each byte. */
export function firstFragment(masked: boolean): string {
  return `\x01${String.fromCharCode((masked ? 0x80 : 0) | PART.length)}${masked ? '\0\0\0\0' : ''}${PART}`
}

/**
 * @param signal of the call of `receive`
 * @param turn resolves when a send that can go on has had its chance
 * @param block bytes of the messages that fill the way to the peer
 */
export async function arm(
  ws: Connection,
  pending: Pending,
  signal: AbortSignal,
  turn: () => Promise<unknown>,
  block: number,
): Promise<Armed> {
  switch (pending) {
    case 'nothing':
      return {}
    case 'receive':
      return { promise: ws.receive({ signal }) }
    case 'iteration':
      return { promise: ws[Symbol.asyncIterator]().next() }
    case 'send':
      return blockedSend(ws, turn, block)
    case 'sendStream': {
      const promise = ws.sendStream(endless())
      await turn()
      return { promise }
    }
    case 'ping':
      return { promise: ws.ping('armed') }
    case 'stream': {
      const reader = ((await ws.receiveStream()) as ReadableStream<string>).getReader()
      const { value } = await reader.read()
      if (value !== PART) throw new Error(`The first part was ${value}`)
      return { promise: reader.read() }
    }
  }
}

/** Sends until a send waits. */
async function blockedSend(ws: Connection, turn: () => Promise<unknown>, block: number): Promise<Armed> {
  const message = new Uint8Array(block)
  for (;;) {
    const sent = ws.send(message)
    // Whoever makes the table looks at it later.
    sent.catch(() => {})
    const first = await Promise.race([sent.then(() => 'sent'), turn().then(() => 'waits')])
    if (first === 'waits') return { promise: sent }
  }
}

async function* endless(): AsyncGenerator<string> {
  yield 'first part'
  await new Promise(() => {})
}
