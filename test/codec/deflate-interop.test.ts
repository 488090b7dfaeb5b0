/** Both ways against the permessage-deflate of `ws`, with every set of parameters; and with what zlib itself makes. */
import { expect, test } from 'bun:test'
import { createRequire } from 'node:module'
import type { DeflateOptions } from '../../src/codec/deflate-parameters.ts'
import { clientExtensionsHandshake, serverExtensionsHandshake } from '../../src/codec/extension-negotiation.ts'
import { formatExtension, parseExtensions } from '../../src/codec/header.ts'
import { PerMessageDeflate } from '../../src/codec/permessage-deflate.ts'
import { cutAt, receive, refragmented, send } from './deflate-pair.ts'

/** What is used of `ws/lib/permessage-deflate.js`. */
interface WsDeflate {
  offer(): object
  accept(offers: unknown): object
  compress(data: Uint8Array, fin: boolean, done: (error: Error | null, data: Buffer) => void): void
  decompress(data: Uint8Array, fin: boolean, done: (error: Error | null, data: Buffer) => void): void
  cleanup(): void
}

// By path: a bare 'ws' is the runtime's own on Bun.
const require = createRequire(import.meta.url)
const WsPerMessageDeflate = require('../../node_modules/ws/lib/permessage-deflate.js') as new (
  options: object,
) => WsDeflate
const { format, parse } = require('../../node_modules/ws/lib/extension.js') as {
  format(extensions: object): string
  parse(header: string): { 'permessage-deflate': unknown }
}

const MESSAGES: Buffer[] = [
  Buffer.from('Hello'),
  Buffer.from('{"id":1,"name":"user"}'.repeat(400)),
  Buffer.from('{"id":1,"name":"user"}'.repeat(400)),
  Buffer.alloc(0),
  Buffer.alloc(0),
  crypto.getRandomValues(Buffer.alloc(40_000)),
  Buffer.alloc(300_000, 'a'),
  Buffer.from('Hello'),
]

const CUTS: number[][] = [[], [3], [0, 1_000, 1_000]]

/** Messages from `ws` to us and from us to `ws`, each whole and in fragments. */
async function converse(ours: PerMessageDeflate, theirs: WsDeflate): Promise<void> {
  for (const message of MESSAGES) {
    for (const cuts of CUTS) {
      const toThem: Buffer[] = []
      for (const { payload, fin } of send(ours, cutAt(message, cuts))) {
        toThem.push(
          await new Promise<Buffer>((resolve, reject) => {
            theirs.decompress(payload, fin, (error, data) => (error ? reject(error) : resolve(Buffer.from(data))))
          }),
        )
      }
      expect<Buffer>(Buffer.concat(toThem)).toEqual(message)

      const pieces = cutAt(message, cuts)
      const fromThem: Buffer[] = []
      for (const [i, piece] of pieces.entries()) {
        fromThem.push(
          await new Promise<Buffer>((resolve, reject) => {
            const fin = i === pieces.length - 1
            theirs.compress(piece, fin, (error, data) => (error ? reject(error) : resolve(Buffer.from(data))))
          }),
        )
      }
      const payload = Buffer.concat(fromThem)
      const offsets = fromThem.slice(0, -1).map((_, i) => Buffer.concat(fromThem.slice(0, i + 1)).length)
      expect(receive(ours, refragmented(payload, offsets), 1_009)).toEqual(message)
    }
  }
}

const BITS = [9, 12, 15]

for (const serverNoContextTakeover of [false, true]) {
  for (const clientNoContextTakeover of [false, true]) {
    const takeover: DeflateOptions = { serverNoContextTakeover, clientNoContextTakeover }
    const name = `${serverNoContextTakeover ? 'no ' : ''}server, ${clientNoContextTakeover ? 'no ' : ''}client takeover`
    test(`P13 our server and a client of ws: ${name}`, async () => {
      for (const serverMaxWindowBits of BITS) {
        for (const clientMaxWindowBits of [8, ...BITS]) {
          const ours = new PerMessageDeflate({ ...takeover, serverMaxWindowBits })
          const theirs = new WsPerMessageDeflate({ clientMaxWindowBits, serverMaxWindowBits: 15, threshold: 0 })
          const offer = format({ 'permessage-deflate': theirs.offer() })
          const { accepted, header } = serverExtensionsHandshake(parseExtensions(offer), [ours])
          expect(accepted).toEqual([ours])
          theirs.accept(parse(header as string)['permessage-deflate'])
          ours.start('server', 1 << 20)
          await converse(ours, theirs)
          ours.dispose()
          theirs.cleanup()
        }
      }
    })

    test(`P13 our client and a server of ws: ${name}`, async () => {
      for (const serverMaxWindowBits of BITS) {
        for (const clientMaxWindowBits of BITS) {
          const ours = new PerMessageDeflate({ ...takeover, serverMaxWindowBits, clientMaxWindowBits })
          const theirs = new WsPerMessageDeflate({ isServer: true, threshold: 0 })
          const offer = ours.offer().map((parameters) => formatExtension(ours.name, parameters))
          const answer = theirs.accept(parse(offer.join(', '))['permessage-deflate'])
          const header = format({ 'permessage-deflate': [answer] })
          expect(clientExtensionsHandshake(parseExtensions(header), [ours])).toEqual([ours])
          ours.start('client', 1 << 20)
          await converse(ours, theirs)
          ours.dispose()
          theirs.cleanup()
        }
      }
    })
  }
}
