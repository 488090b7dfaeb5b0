/** What every pair of a client and a server must be able to do, and what came of it, as one list of lines. */

/** A client's end of a connection, whoever made it. */
export interface Peer {
  readonly protocol: string
  readonly extensions: string
  send(data: string | Uint8Array): void
  /** Sends one message in these fragments; absent where the client has no way to. */
  sendParts?(parts: readonly string[]): void
  /** The next message; rejects when the connection has ended. */
  next(): Promise<string | Uint8Array>
  close(code: number, reason: string): void
  readonly closed: Promise<{ readonly code: number; readonly reason: string; readonly wasClean: boolean }>
}

/** Opens a connection; rejects when the server refuses. */
export type Dial = (url: string, how: { deflate: boolean; subprotocols: string[] }) => Promise<Peer>

export const MIB: number = 1024 * 1024
/** Payload lengths on both sides of every border of the frame format, in bytes. */
export const SIZES: readonly number[] = [0, 1, 125, 126, 65_535, 65_536, MIB, 16 * MIB]

/** Nine bytes of UTF-8, in characters of one to four bytes, up to `size` bytes. */
function textOf(size: number): string {
  return 'aé€😀'.repeat(size / 10) + 'x'.repeat(size % 10)
}

function bytesOf(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let index = 0; index < size; index++) bytes[index] = index * 31 + (index >> 8)
  return bytes
}

function same(a: unknown, b: Uint8Array): boolean {
  return a instanceof Uint8Array && a.length === b.length && a.every((byte, index) => byte === b[index])
}

/** What one message is sent in, either way. */
export const PARTS: readonly string[] = ['one ', 'two ', '', 'three']

/** What of the suite a pair does. */
export interface How {
  readonly deflate: boolean
  readonly sizes: readonly number[]
  /** Whether the server can send a message in fragments. */
  readonly partsBack: boolean
}

/**
 * Runs all of it. The server echoes at `/echo`, sends one message in fragments at `/parts` and closes with 4001 at
 * `/close`; it picks subprotocol `b`.
 */
export async function play(dial: Dial, url: string, { deflate, sizes, partsBack }: How): Promise<string[]> {
  const lines: string[] = []
  const peer = await dial(`${url}/echo`, { deflate, subprotocols: ['a', 'b'] })
  lines.push(`protocol ${peer.protocol}`, `extensions ${peer.extensions.split(';')[0]}`)
  for (const size of sizes) {
    const text = textOf(size)
    peer.send(text)
    lines.push(`text ${size} ${(await peer.next()) === text}`)
    const bytes = bytesOf(size)
    peer.send(bytes)
    lines.push(`binary ${size} ${same(await peer.next(), bytes)}`)
  }
  for (let count = 0; count < 200; count++) peer.send(`message ${count}`)
  let inOrder = true
  for (let count = 0; count < 200; count++) inOrder &&= (await peer.next()) === `message ${count}`
  lines.push(`in order ${inOrder}`)
  if (peer.sendParts !== undefined) {
    peer.sendParts(PARTS)
    lines.push(`parts ${await peer.next()}`)
  }
  peer.close(4321, 'until we meet')
  const ours = await peer.closed
  lines.push(`closed ${ours.code} ${ours.reason} ${ours.wasClean}`)
  if (partsBack) {
    const listening = await dial(`${url}/parts`, { deflate, subprotocols: [] })
    lines.push(`parts back ${await listening.next()}`)
    listening.close(1000, '')
    await listening.closed
  }
  const leaving = await dial(`${url}/close`, { deflate: false, subprotocols: [] })
  const theirs = await leaving.closed
  lines.push(`closed ${theirs.code} ${theirs.reason} ${theirs.wasClean}`)
  return lines
}

/** What `play` must give. */
export function expected(how: How & { readonly parts: boolean }): string[] {
  return [
    'protocol b',
    `extensions ${how.deflate ? 'permessage-deflate' : ''}`,
    ...how.sizes.flatMap((size) => [`text ${size} true`, `binary ${size} true`]),
    'in order true',
    ...(how.parts ? ['parts one two three'] : []),
    'closed 4321 until we meet true',
    ...(how.partsBack ? ['parts back one two three'] : []),
    'closed 4001 bye true',
  ]
}
