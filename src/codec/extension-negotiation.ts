/** Agreement on extensions (RFC 6455 §9.1), usable without the rest of the handshake. */
import { HandshakeError } from './errors.ts'
import type { Extension } from './extension.ts'
import { type ExtensionOffer, formatExtension } from './header.ts'
import { PerMessageDeflate } from './permessage-deflate.ts'

/** The extensions that come with this package, by registered name. */
export const SUPPORTED_EXTENSIONS: { readonly 'permessage-deflate': typeof PerMessageDeflate } = {
  'permessage-deflate': PerMessageDeflate,
}

/** What a server agreed on. */
export interface AcceptedExtensions {
  /** In the client's order, which is the order of their inbound hooks. */
  accepted: Extension[]
  /** Value of `Sec-WebSocket-Extensions` in the 101; `undefined`: no such header. */
  header: string | undefined
}

/**
 * Server: answers the client's offers, in its order of preference. The first acceptable offer of a name wins
 * (RFC 7692 §5.1); an extension that is not known, or needs a reserved bit that is taken, is declined.
 */
export function serverExtensionsHandshake(
  offers: readonly ExtensionOffer[],
  supported: readonly Extension[],
): AcceptedExtensions {
  const accepted: Extension[] = []
  const answers: string[] = []
  for (const offer of offers) {
    for (const extension of supported) {
      if (extension.name !== offer.name || isTaken(extension, accepted)) continue
      const answer = extension.accept(offer.parameters)
      if (answer === null) continue
      accepted.push(extension)
      answers.push(formatExtension(extension.name, answer))
    }
  }
  return { accepted, header: answers.length === 0 ? undefined : answers.join(', ') }
}

/**
 * Client: takes the server's answers.
 *
 * @returns the extensions agreed on, in the server's order
 * @throws {HandshakeError} for an extension that was not offered or answered before, parameters that do not fit the
 * offer, and a reserved bit claimed twice: the connection must fail (RFC 6455 §4.1, RFC 7692 §5)
 */
export function clientExtensionsHandshake(
  answers: readonly ExtensionOffer[],
  offered: readonly Extension[],
): Extension[] {
  const agreed: Extension[] = []
  for (const answer of answers) {
    const candidates = offered.filter((extension) => extension.name === answer.name && extension.offer().length > 0)
    if (candidates.length === 0) throw refusal(answer, 'was not offered')
    const free = candidates.filter((extension) => !isTaken(extension, agreed))
    if (free.length === 0) throw refusal(answer, 'conflicts with one before it')
    const extension = free.find((candidate) => candidate.finalize(answer.parameters))
    if (extension === undefined) throw refusal(answer, 'does not fit the offer')
    agreed.push(extension)
  }
  return agreed
}

/** Whether the name or a reserved bit of `extension` belongs to one that is agreed on (RFC 6455 §9.1, §5.2). */
function isTaken(extension: Extension, agreed: readonly Extension[]): boolean {
  const rsv = extension.rsv ?? 0
  return agreed.some((other) => other.name === extension.name || ((other.rsv ?? 0) & rsv) !== 0)
}

function refusal(answer: ExtensionOffer, fault: string): HandshakeError {
  return new HandshakeError(`Server answered with an extension that ${fault}: ${answer.name}`, { status: 101 })
}
