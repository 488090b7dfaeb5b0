/** Two sides of permessage-deflate, joined as the protocol joins them: frames one way, copied off shared memory. */
import type { DeflateOptions } from '../../src/codec/deflate-parameters.ts'
import type { Violation } from '../../src/codec/errors.ts'
import { Rsv } from '../../src/codec/extension.ts'
import { clientExtensionsHandshake, serverExtensionsHandshake } from '../../src/codec/extension-negotiation.ts'
import { formatExtension, parseExtensions } from '../../src/codec/header.ts'
import { Opcode } from '../../src/codec/opcode.ts'
import { PerMessageDeflate } from '../../src/codec/permessage-deflate.ts'

export const TAKEOVER: DeflateOptions = { serverNoContextTakeover: false, clientNoContextTakeover: false }

export interface Frame {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly payload: Uint8Array
}

/** One side after a handshake in which the peer sent `header` (`; parameters` only). */
export function opened(
  role: 'server' | 'client',
  options: DeflateOptions = TAKEOVER,
  header = '',
  maxMessageSize: number = 1 << 30,
): PerMessageDeflate {
  const extension = new PerMessageDeflate(options)
  const [offer] = parseExtensions(`permessage-deflate${header}`)
  const parameters = offer?.parameters ?? []
  const agreed = role === 'server' ? extension.accept(parameters) !== null : extension.finalize(parameters)
  if (!agreed) throw new Error(`Not agreed: ${header}`)
  extension.start(role, maxMessageSize)
  return extension
}

/** A server and a client that negotiated with each other. */
export function pair(
  serverOptions: DeflateOptions = {},
  clientOptions: DeflateOptions = serverOptions,
  maxMessageSize: number = 1 << 30,
): { server: PerMessageDeflate; client: PerMessageDeflate } {
  const server = new PerMessageDeflate(serverOptions)
  const client = new PerMessageDeflate(clientOptions)
  const offers = client.offer().map((parameters) => formatExtension(client.name, parameters))
  const { header } = serverExtensionsHandshake(parseExtensions(offers), [server])
  clientExtensionsHandshake(parseExtensions(header ?? ''), [client])
  server.start('server', maxMessageSize)
  client.start('client', maxMessageSize)
  return { server, client }
}

/** The frames of one message. */
export function send(
  from: PerMessageDeflate,
  fragments: readonly Uint8Array[],
  compress: boolean | 'unsaid' = true,
): Frame[] {
  return fragments.map((fragment, i) => {
    const fin = i === fragments.length - 1
    const opcode = i === 0 ? Opcode.BINARY : Opcode.CONTINUATION
    const { rsv, payload } = from.outbound(opcode, fragment, fin, compress === 'unsaid' ? undefined : compress)
    return { opcode, fin, rsv, payload: Buffer.from(payload) }
  })
}

/** What frames become, each given in pieces of `piece` bytes; or the violation. */
export function receive(
  to: PerMessageDeflate,
  frames: readonly Frame[],
  piece: number = Number.POSITIVE_INFINITY,
): Buffer | Violation {
  const parts: Uint8Array[] = []
  for (const { opcode, fin, rsv, payload } of frames) {
    const owned = to.inboundHeader({ opcode, fin, rsv, length: payload.length })
    if (typeof owned === 'string') return owned
    if (owned !== (rsv & Rsv.RSV1)) throw new Error(`Owned ${owned} of ${rsv}`)
    for (let start = 0; start < payload.length; start += piece) {
      const data = to.inboundPayload(payload.subarray(start, start + piece))
      if (typeof data === 'string') return data
      parts.push(Buffer.from(data))
    }
    const rest = to.inboundComplete(fin)
    if (typeof rest === 'string') return rest
    parts.push(Buffer.from(rest))
  }
  return Buffer.concat(parts)
}

/** One frame that is a whole compressed message. */
export function compressed(payload: Uint8Array | string): Frame {
  const bytes = typeof payload === 'string' ? Buffer.from(payload.replaceAll(' ', ''), 'hex') : payload
  return { opcode: Opcode.BINARY, fin: true, rsv: Rsv.RSV1, payload: bytes }
}

/** A payload cut at these offsets. */
export function cutAt(payload: Uint8Array, offsets: readonly number[]): Uint8Array[] {
  const ends = [...offsets].map((offset) => Math.min(offset, payload.length)).sort((a, b) => a - b)
  const starts = [0, ...ends]
  return starts.map((start, i) => payload.subarray(start, ends[i] ?? payload.length))
}

/** Frames of one compressed message whose compressed payload is cut anywhere (§7.2.3.6). */
export function refragmented(payload: Uint8Array, offsets: readonly number[]): Frame[] {
  const pieces = cutAt(payload, offsets)
  return pieces.map((piece, i) => ({
    opcode: i === 0 ? Opcode.BINARY : Opcode.CONTINUATION,
    fin: i === pieces.length - 1,
    rsv: i === 0 ? Rsv.RSV1 : 0,
    payload: piece,
  }))
}
