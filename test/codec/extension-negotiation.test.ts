/** What is offered, answered, agreed on and refused (RFC 6455 §9.1, RFC 7692 §5, §7.1). */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type DeflateOptions, parseDeflateParameters } from '../../src/codec/deflate-parameters.ts'
import { HandshakeError } from '../../src/codec/errors.ts'
import { type Extension, Rsv } from '../../src/codec/extension.ts'
import {
  clientExtensionsHandshake,
  SUPPORTED_EXTENSIONS,
  serverExtensionsHandshake,
} from '../../src/codec/extension-negotiation.ts'
import { type ExtensionOffer, formatExtension, parseExtensions } from '../../src/codec/header.ts'
import { PerMessageDeflate } from '../../src/codec/permessage-deflate.ts'

const TAKEOVER: DeflateOptions = { serverNoContextTakeover: false, clientNoContextTakeover: false }

/** The 101's header for an offer, as a server with these options answers it. */
function answerTo(offer: string, options: DeflateOptions = TAKEOVER): string | undefined {
  return serverExtensionsHandshake(parseExtensions(offer), [new PerMessageDeflate(options)]).header
}

/** Whether a client with these options takes the answer. */
function takes(answer: string, options: DeflateOptions = TAKEOVER): boolean {
  return new PerMessageDeflate(options).finalize(parseExtensions(answer)[0]?.parameters ?? [])
}

function offerOf(options: DeflateOptions): string {
  return new PerMessageDeflate(options)
    .offer()
    .map((parameters) => formatExtension('permessage-deflate', parameters))
    .join(', ')
}

/** An extension that does nothing but be negotiated. */
class Inert implements Extension {
  readonly name: string
  readonly rsv?: number
  enabled = false
  readonly #acceptable: (parameters: ExtensionOffer['parameters']) => boolean

  constructor(
    name: string,
    rsv?: number,
    acceptable: (parameters: ExtensionOffer['parameters']) => boolean = () => true,
  ) {
    this.name = name
    if (rsv !== undefined) this.rsv = rsv
    this.#acceptable = acceptable
  }
  offer(): [] | [[]] {
    return [[]]
  }
  accept(parameters: ExtensionOffer['parameters']): ExtensionOffer['parameters'] | null {
    this.enabled = this.#acceptable(parameters)
    return this.enabled ? parameters : null
  }
  finalize(parameters: ExtensionOffer['parameters']): boolean {
    this.enabled = this.#acceptable(parameters)
    return this.enabled
  }
  start(): void {}
  inboundHeader(): number {
    return this.rsv ?? 0
  }
  inboundPayload(data: Uint8Array): Uint8Array {
    return data
  }
  inboundComplete(): Uint8Array {
    return new Uint8Array(0)
  }
  outbound(_opcode: number, payload: Uint8Array): { rsv: number; payload: Uint8Array } {
    return { rsv: 0, payload }
  }
  dispose(): void {}
}

describe('a server answers permessage-deflate', () => {
  const NAME = 'permessage-deflate'
  const S = 'server_no_context_takeover'
  const C = 'client_no_context_takeover'
  const rows: [offer: string, options: DeflateOptions, answer: string | undefined][] = [
    // What wsproto's accept does with its eight parameter sets, and with its options.
    ['', {}, ''],
    [`; ${S}`, {}, `; ${S}`],
    [`; ${C}`, {}, `; ${C}`],
    [`; ${S}; ${C}`, {}, `; ${S}; ${C}`],
    ['; client_max_window_bits', {}, '; client_max_window_bits=15'],
    ['; client_max_window_bits=10', {}, '; client_max_window_bits=10'],
    ['; server_max_window_bits=10', {}, '; server_max_window_bits=10'],
    [
      `; ${S}; ${C}; server_max_window_bits=10; client_max_window_bits=11`,
      {},
      `; ${S}; ${C}; server_max_window_bits=10; client_max_window_bits=11`,
    ],
    // Own flags are said unasked (§7.1.1).
    ['', { serverNoContextTakeover: true }, `; ${S}`],
    ['', { clientNoContextTakeover: true }, `; ${C}`],
    [`; ${S}`, { clientNoContextTakeover: true }, `; ${S}; ${C}`],
    // Windows: the smaller of both sides (§7.1.2).
    ['; server_max_window_bits=12', { serverMaxWindowBits: 9 }, '; server_max_window_bits=9'],
    ['; server_max_window_bits=9', { serverMaxWindowBits: 12 }, '; server_max_window_bits=9'],
    ['; server_max_window_bits=15', {}, '; server_max_window_bits=15'],
    ['', { serverMaxWindowBits: 11 }, '; server_max_window_bits=11'],
    ['; client_max_window_bits', { clientMaxWindowBits: 9 }, '; client_max_window_bits=9'],
    ['; client_max_window_bits=12', { clientMaxWindowBits: 9 }, '; client_max_window_bits=9'],
    ['; client_max_window_bits=9', { clientMaxWindowBits: 12 }, '; client_max_window_bits=9'],
    // §7.1.2.2: not in the answer unless it was offered.
    ['', { clientMaxWindowBits: 9 }, ''],
    // Both ends of the range; 8 is legal for the client's side only, since zlib cannot compress with it.
    ['; client_max_window_bits=8', {}, '; client_max_window_bits=8'],
    ['; client_max_window_bits=15', {}, '; client_max_window_bits=15'],
    ['; client_max_window_bits', { clientMaxWindowBits: 8 }, '; client_max_window_bits=8'],
    ['; server_max_window_bits=8', {}, undefined],
    // A quoted value is the same value (RFC 6455 §9.1).
    ['; server_max_window_bits="10"', {}, '; server_max_window_bits=10'],
    // §7.1: unknown, twice, without its value, with a value it cannot have.
    ['; foo', {}, undefined],
    ['; server_max_window', {}, undefined],
    ['; server_max_window_bits_=10', {}, undefined],
    ['; SERVER_NO_CONTEXT_TAKEOVER', {}, undefined],
    [`; ${S}; ${S}`, {}, undefined],
    [`; ${C}; ${C}`, {}, undefined],
    ['; client_max_window_bits; client_max_window_bits=10', {}, undefined],
    ['; client_max_window_bits=10; client_max_window_bits', {}, undefined],
    ['; server_max_window_bits=10; server_max_window_bits=10', {}, undefined],
    ['; server_max_window_bits', {}, undefined],
    [`; ${S}=true`, {}, undefined],
    [`; ${C}=1`, {}, undefined],
    ['; server_max_window_bits=7', {}, undefined],
    ['; server_max_window_bits=16', {}, undefined],
    ['; server_max_window_bits=010', {}, undefined],
    ['; server_max_window_bits=1e1', {}, undefined],
    ['; server_max_window_bits=+9', {}, undefined],
    ['; server_max_window_bits=a', {}, undefined],
    ['; client_max_window_bits=0', {}, undefined],
    ['; client_max_window_bits=08', {}, undefined],
    ['; client_max_window_bits=99999999999999999999', {}, undefined],
  ]
  for (const [offer, options, answer] of rows) {
    test(`P13 '${offer}' with ${JSON.stringify(options)}: ${answer ?? 'declined'}`, () => {
      expect(answerTo(NAME + offer, { ...TAKEOVER, ...options })).toBe(answer === undefined ? undefined : NAME + answer)
    })
  }

  test('P13 by default neither side keeps a context', () => {
    expect(answerTo(`${NAME}; client_max_window_bits`, {})).toBe(`${NAME}; ${S}; ${C}; client_max_window_bits=15`)
  })

  test('P13 accept throws for nothing that a peer can send', () => {
    const value = fc.oneof(fc.constant(true as const), fc.string(), fc.nat({ max: 20 }).map(String))
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom(S, C, 'server_max_window_bits', 'client_max_window_bits', '__proto__', 'constructor'),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (parameters) => {
        const extension = new PerMessageDeflate()
        const answer = extension.accept(parameters)
        expect(extension.enabled).toBe(answer !== null)
        // Whatever is answered is itself valid, and a client that made this offer can take it.
        if (answer !== null) expect(parseDeflateParameters(answer)).not.toBeNull()
        expect(typeof new PerMessageDeflate().finalize(parameters)).toBe('boolean')
      }),
    )
  })

  test('P12 the first acceptable offer of a name wins, and leaves nothing of those before it', () => {
    const extension = new PerMessageDeflate(TAKEOVER)
    const offers = parseExtensions(
      `${NAME}; client_max_window_bits=9; foo, ${NAME}; server_max_window_bits=8; client_max_window_bits=9; ${S}, ` +
        `${NAME}, ${NAME}; ${C}`,
    )
    const { accepted, header } = serverExtensionsHandshake(offers, [extension])
    expect(accepted).toEqual([extension])
    expect(header).toBe(NAME)
    // The peer may use its whole window: a back reference of 30,000 bytes is inflated.
    extension.start('server', 1_000_000)
    const client = new PerMessageDeflate(TAKEOVER)
    expect(client.finalize([])).toBe(true)
    client.start('client', 1_000_000)
    const pattern = crypto.getRandomValues(new Uint8Array(300))
    const message = new Uint8Array(30_600)
    message.set(pattern)
    message.set(pattern, 30_300)
    const { payload, rsv } = client.outbound(2, message, true, true)
    expect(payload.length).toBeLessThan(700)
    const wire = payload.slice()
    expect(extension.inboundHeader({ opcode: 2, fin: true, rsv, length: wire.length })).toBe(rsv)
    expect(Buffer.from(extension.inboundPayload(wire) as Uint8Array)).toEqual(Buffer.from(message))
    expect(extension.inboundComplete(true)).toHaveLength(0)
  })

  test('P12 an offer that is declined, and no offer, give no header and no extension', () => {
    const extension = new PerMessageDeflate()
    expect(serverExtensionsHandshake(parseExtensions('permessage-deflate; foo'), [extension])).toEqual({
      accepted: [],
      header: undefined,
    })
    expect(serverExtensionsHandshake([], [extension])).toEqual({ accepted: [], header: undefined })
    expect(serverExtensionsHandshake(parseExtensions(NAME), [])).toEqual({ accepted: [], header: undefined })
    expect(extension.enabled).toBe(false)
  })
})

describe('a client of permessage-deflate', () => {
  const NAME = 'permessage-deflate'
  const S = 'server_no_context_takeover'
  const C = 'client_no_context_takeover'

  test('P13 offers what differs from the defaults of the RFC', () => {
    expect(offerOf(TAKEOVER)).toBe(`${NAME}; client_max_window_bits`)
    expect(offerOf({})).toBe(`${NAME}; ${S}; ${C}; client_max_window_bits`)
    expect(offerOf({ ...TAKEOVER, serverMaxWindowBits: 10, clientMaxWindowBits: 9 })).toBe(
      `${NAME}; server_max_window_bits=10; client_max_window_bits=9`,
    )
  })

  const rows: [answer: string, options: DeflateOptions, fits: boolean][] = [
    ['', {}, true],
    [`; ${S}`, {}, true],
    [`; ${C}`, {}, true],
    ['; server_max_window_bits=8', {}, true],
    ['; server_max_window_bits=15', {}, true],
    ['; client_max_window_bits=8', {}, true],
    ['; client_max_window_bits=15', {}, true],
    [`; ${S}; ${C}; server_max_window_bits=10; client_max_window_bits=9`, {}, true],
    // What was asked for must be granted (§7.1.1.1, §7.1.2.1) ...
    ['', { serverNoContextTakeover: true }, false],
    [`; ${S}`, { serverNoContextTakeover: true }, true],
    ['', { serverMaxWindowBits: 10 }, false],
    ['; server_max_window_bits=11', { serverMaxWindowBits: 10 }, false],
    ['; server_max_window_bits=10', { serverMaxWindowBits: 10 }, true],
    ['; server_max_window_bits=9', { serverMaxWindowBits: 10 }, true],
    // ... but a hint needs no answer (§7.1.1.2, §7.1.2.2), and none above what was offered.
    ['', { clientNoContextTakeover: true }, true],
    ['', { clientMaxWindowBits: 10 }, true],
    ['; client_max_window_bits=10', { clientMaxWindowBits: 10 }, true],
    ['; client_max_window_bits=11', { clientMaxWindowBits: 10 }, false],
    ['; client_max_window_bits', {}, false],
    ['; server_max_window_bits', {}, false],
    ['; server_max_window_bits=16', {}, false],
    ['; client_max_window_bits=7', {}, false],
    [`; ${S}; ${S}`, {}, false],
    [`; ${C}=1`, {}, false],
    ['; foo=1', {}, false],
  ]
  for (const [answer, options, fits] of rows) {
    test(`P13 '${answer}' with ${JSON.stringify(options)}: ${fits ? 'taken' : 'refused'}`, () => {
      expect(takes(NAME + answer, { ...TAKEOVER, ...options })).toBe(fits)
    })
  }

  test('P12 an answer that was not offered, comes twice or does not fit fails the handshake', () => {
    const failure = (header: string, offered: Extension[]): HandshakeError => {
      try {
        clientExtensionsHandshake(parseExtensions(header), offered)
      } catch (error) {
        if (error instanceof HandshakeError) return error
        throw error
      }
      throw new Error('The answer was taken')
    }
    const deflate = () => new PerMessageDeflate(TAKEOVER)
    expect(failure('foo', [deflate()]).message).toBe('Server answered with an extension that was not offered: foo')
    expect(failure(NAME, []).status).toBe(101)
    expect(failure(`${NAME}, ${NAME}`, [deflate()]).message).toContain('conflicts')
    expect(failure(`${NAME}; foo`, [deflate()]).message).toContain('does not fit the offer')
    const silent = Object.assign(new Inert('quiet'), { offer: () => [] })
    expect(failure('quiet', [silent]).message).toContain('not offered')
  })

  test('P12 the extensions come in the order of the answer; no answer, no extension', () => {
    const deflate = new PerMessageDeflate(TAKEOVER)
    const other = new Inert('other', Rsv.RSV2)
    expect(clientExtensionsHandshake(parseExtensions(`other, ${NAME}`), [deflate, other])).toEqual([other, deflate])
    expect(clientExtensionsHandshake([], [new PerMessageDeflate()])).toEqual([])
  })

  test('P13 every offer of ours is answered by a server of ours so that it fits', () => {
    const bits = fc.integer({ min: 9, max: 15 })
    const options = fc.record({
      serverNoContextTakeover: fc.boolean(),
      clientNoContextTakeover: fc.boolean(),
      serverMaxWindowBits: bits,
      clientMaxWindowBits: fc.integer({ min: 8, max: 15 }),
    })
    fc.assert(
      fc.property(options, options, (ours, theirs) => {
        const client = new PerMessageDeflate(ours)
        const { header } = serverExtensionsHandshake(parseExtensions(offerOf(ours)), [new PerMessageDeflate(theirs)])
        expect(clientExtensionsHandshake(parseExtensions(header as string), [client])).toEqual([client])
        expect(client.enabled).toBe(true)
      }),
    )
  })
})

describe('several extensions', () => {
  test('P11 the reserved bits as they stand in the first byte of a frame (RFC 6455 §5.2)', () => {
    expect(Rsv).toEqual({ RSV1: 0b0100_0000, RSV2: 0b0010_0000, RSV3: 0b0001_0000 })
  })

  test('P11 two that claim the same reserved bit are never both agreed on', () => {
    const first = new Inert('first', Rsv.RSV1)
    const second = new Inert('second', Rsv.RSV1 | Rsv.RSV3)
    const third = new Inert('third', Rsv.RSV2)
    const free = new Inert('free')
    const offers = parseExtensions('second; a=1, first, third, free')
    const { accepted, header } = serverExtensionsHandshake(offers, [first, second, third, free])
    expect(accepted).toEqual([second, third, free])
    expect(header).toBe('second; a=1, third, free')
    expect(first.enabled).toBe(false)
    expect(() => clientExtensionsHandshake(parseExtensions('second, first'), [first, second])).toThrow(HandshakeError)
  })

  test('P12 of two with one name the first that accepts is taken', () => {
    const strict = new Inert('x', undefined, () => false)
    const lenient = new Inert('x')
    expect(serverExtensionsHandshake(parseExtensions('x, x; b'), [strict, lenient])).toEqual({
      accepted: [lenient],
      header: 'x',
    })
    expect(clientExtensionsHandshake(parseExtensions('x'), [strict, lenient])).toEqual([lenient])
  })

  test('P22 the registry names what comes with the package', () => {
    for (const [name, Supported] of Object.entries(SUPPORTED_EXTENSIONS)) expect(new Supported().name).toBe(name)
    expect(Object.keys(SUPPORTED_EXTENSIONS)).toEqual(['permessage-deflate'])
  })
})

describe('options', () => {
  const wrong: [unknown, ErrorConstructor, string][] = [
    [{ level: 10 }, RangeError, 'permessageDeflate.level must be a whole number from 0 to 9; got 10'],
    [{ level: -1 }, RangeError, 'permessageDeflate.level'],
    [{ memLevel: 0 }, RangeError, 'permessageDeflate.memLevel'],
    [{ memLevel: 10 }, RangeError, 'permessageDeflate.memLevel'],
    [{ serverMaxWindowBits: 8 }, RangeError, 'permessageDeflate.serverMaxWindowBits'],
    [{ serverMaxWindowBits: 16 }, RangeError, 'permessageDeflate.serverMaxWindowBits'],
    [{ clientMaxWindowBits: 7 }, RangeError, 'permessageDeflate.clientMaxWindowBits'],
    [{ clientMaxWindowBits: 16 }, RangeError, 'permessageDeflate.clientMaxWindowBits'],
    [{ clientMaxWindowBits: 9.5 }, RangeError, 'permessageDeflate.clientMaxWindowBits'],
    [{ threshold: -1 }, RangeError, 'permessageDeflate.threshold'],
    [{ threshold: Number.NaN }, RangeError, 'permessageDeflate.threshold'],
    [{ level: '6' }, TypeError, 'permessageDeflate.level must be a number'],
    [{ serverNoContextTakeover: 1 }, TypeError, 'permessageDeflate.serverNoContextTakeover must be a boolean'],
    [{ windowBits: 10 }, TypeError, 'Unknown option permessageDeflate.windowBits'],
    [{ toString: 1 }, TypeError, 'Unknown option permessageDeflate.toString'],
  ]
  for (const [options, type, message] of wrong) {
    test(`P13 ${JSON.stringify(options)} is refused with a ${type.name}`, () => {
      const make = (): PerMessageDeflate => new PerMessageDeflate(options as DeflateOptions)
      expect(make).toThrow(type)
      expect(make).toThrow(message)
    })
  }

  test('P13 the ends of every range, Infinity as a threshold and undefined are taken', () => {
    const taken: DeflateOptions[] = [
      { level: 0, memLevel: 1, serverMaxWindowBits: 9, clientMaxWindowBits: 8, threshold: 0 },
      { level: 9, memLevel: 9, serverMaxWindowBits: 15, clientMaxWindowBits: 15, threshold: Number.POSITIVE_INFINITY },
      { level: undefined } as unknown as DeflateOptions,
    ]
    for (const options of taken) expect(new PerMessageDeflate(options).enabled).toBe(false)
  })
})
