/**
 * The conformance table of the frame protocol: bytes in, events and replies out (RFC 6455 §5, §7, §8; RFC 7692 §7).
 *
 * Each row runs on both sides unless it names one, whole, byte by byte and cut at every place (`vectors.test.ts`), and
 * again over TCP on every runtime (`wire-over-tcp.test.ts`). Frames are written as a server sends them, with `|`
 * between them; for a server under test the runner masks each one.
 */
import { Buffer } from 'node:buffer'
import { constants, deflateRawSync } from 'node:zlib'
import type { Violation } from '../../src/codec/errors.ts'
import type { Role } from '../../src/codec/event.ts'

/** A received event with the parts of a message joined. Bytes are in the notation of `wire-notation.ts`. */
export type Seen =
  | readonly ['text', string]
  | readonly ['bytes', string]
  | readonly ['ping', string]
  | readonly ['pong', string]
  | readonly ['close', number, string]

/** Parameters of permessage-deflate as they were agreed on (RFC 7692 §7.1). */
export interface Deflate {
  readonly serverNoContextTakeover?: boolean
  readonly clientNoContextTakeover?: boolean
  readonly serverMaxWindowBits?: number
  readonly clientMaxWindowBits?: number
}

export interface Vector {
  /** Unique; what docs/rfc-musts.md refers to. */
  readonly id: string
  /** The requirement it proves. */
  readonly row: string
  readonly section: string
  readonly frames: readonly string[]
  readonly events: readonly Seen[]
  readonly fails: Violation | undefined
  /** What the side under test answers to Pings and to the Close, as a server sends it. @default nothing */
  readonly replies?: string
  /** The side under test. @default both */
  readonly role?: Role
  /** The frames are fed as they stand, masks included. */
  readonly literal?: boolean
  /** The failure comes with the last byte of the row and with no earlier one. */
  readonly exact?: boolean
  readonly maxMessageSize?: number
  readonly maxFragments?: number
  readonly deflate?: Deflate
}

type More = Partial<Omit<Vector, 'id' | 'row' | 'section' | 'frames' | 'fails'>>
type Row = readonly [id: string, frames: string, outcome: readonly Seen[] | Violation, more?: More]

/** Rows that prove the same requirement by the same section. A violation in place of events is how the row fails. */
function rows(row: string, section: string, table: readonly Row[], common: More = {}): Vector[] {
  return table.map(([id, frames, outcome, more]) => ({
    id,
    row,
    section,
    frames: frames.split('|').map((frame) => frame.trim()),
    events: typeof outcome === 'string' ? [] : outcome,
    fails: typeof outcome === 'string' ? outcome : undefined,
    ...common,
    ...more,
  }))
}

const text = (data: string): Seen => ['text', data]
const bytes = (data: string): Seen => ['bytes', data]
const ping = (payload: string): Seen => ['ping', payload]
const pong = (payload: string): Seen => ['pong', payload]
const close = (code: number, reason = ''): Seen => ['close', code, reason]

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
const utf8 = (value: string): string => [...new TextEncoder().encode(value)].map((byte) => hex(byte, 2)).join('')
const octets = (sequence: string): string[] => [...sequence.matchAll(/../g)].map(([octet]) => octet)

/** A frame with a minimal length, of at most 65,535 bytes of payload in plain hex. */
function frame(first: string, payload: string): string {
  const length = payload.length / 2
  return `${first} ${length < 126 ? hex(length, 2) : `7e ${hex(length, 4)}`} ${payload}`
}

/** One frame per byte, none of them final. */
const fragments = (payload: string): string =>
  octets(payload)
    .map((octet, i) => `${i === 0 ? '01' : '00'} 01 ${octet}`)
    .join('|')

const OPCODES: readonly Vector[] = [
  ...rows('P14', '§5.7', [
    ['text-hello', '81 05 "Hello"', [text('Hello')]],
    ['text-hello-masked', '81 85 37fa213d 7f9f4d5158', [text('Hello')], { role: 'server', literal: true }],
    ['ping-hello', '89 05 "Hello"', [ping('"Hello"')], { replies: '8a 05 "Hello"' }],
    ['pong-hello', '8a 05 "Hello"', [pong('"Hello"')]],
    ['binary-256', '82 7e 0100 c5*256', [bytes('c5*256')]],
    ['binary-64-kib', '82 7f 0000000000010000 c5*65536', [bytes('c5*65536')]],
  ]),
  ...rows('P14', '§5.6', [
    ['binary', '82 04 00ff8081', [bytes('00ff8081')]],
    ['text-empty', '81 00', [text('')]],
    ['binary-empty', '82 00', [bytes('')]],
  ]),
  ...rows('R12', '§5.6', [['binary-3', '82 03 010203', [bytes('010203')]]]),
  ...rows('P14', '§6.2', [
    [
      'several-in-a-row',
      '81 01 "a" | 82 01 62 | 89 00 | 81 01 "c" | 8a 01 64 | 81 00',
      [text('a'), bytes('62'), ping(''), text('c'), pong('64'), text('')],
      { replies: '8a 00' },
    ],
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) =>
    rows('P14', '§5.2', [
      [`opcode-${opcode}`, `${hex(0x80 | opcode, 2)} 00`, 'RESERVED_OPCODE'],
      [
        `opcode-${opcode}-payload`,
        `81 01 "a" | ${hex(0x80 | opcode, 2)} 05`,
        'RESERVED_OPCODE',
        { events: [text('a')] },
      ],
      [`opcode-${opcode}-not-final`, `${hex(opcode, 2)} 00`, 'RESERVED_OPCODE'],
      [`opcode-${opcode}-in-message`, `01 01 "a" | ${hex(0x80 | opcode, 2)} 00`, 'RESERVED_OPCODE'],
    ]),
  ),
]

const RESERVED_BITS: readonly Vector[] = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70].flatMap((rsv) =>
  rows('P14', '§5.2', [
    ...[0x1, 0x2, 0x8, 0x9, 0xa].map(
      (opcode): Row => [`rsv-${hex(rsv, 2)}-opcode-${opcode}`, `${hex(0x80 | rsv | opcode, 2)} 00`, 'RESERVED_BIT'],
    ),
    [`rsv-${hex(rsv, 2)}-not-final`, `${hex(rsv | 1, 2)} 01`, 'RESERVED_BIT'],
    [`rsv-${hex(rsv, 2)}-continuation`, `01 01 "a" | ${hex(0x80 | rsv, 2)} 01`, 'RESERVED_BIT'],
  ]),
)

const CONTROL: readonly Vector[] = [
  ...(['close', 'ping', 'pong'] as const).flatMap((name, i) => {
    const last = hex(0x88 + i, 2)
    const notLast = hex(0x08 + i, 2)
    return rows('P14', '§5.5', [
      [`${name}-not-final`, `${notLast} 00`, 'FRAGMENTED_CONTROL'],
      [`${name}-not-final-in-message`, `01 01 "a" | ${notLast} 02`, 'FRAGMENTED_CONTROL'],
      [`${name}-126`, `${last} 7e 007e`, 'CONTROL_TOO_LONG'],
      [`${name}-16-bit-length`, `${last} 7e`, 'CONTROL_TOO_LONG', { exact: true }],
      [`${name}-64-bit-length`, `${last} 7f`, 'CONTROL_TOO_LONG', { exact: true }],
    ])
  }),
  ...rows('P14', '§5.5.2', [
    ...[0, 1, 2, 124, 125].map((length): Row => {
      const payload = `${hex(length, 2)} a5*${length}`
      return [`ping-${length}`, `89 ${payload}`, [ping(`a5*${length}`)], { replies: `8a ${payload}` }]
    }),
    ['ping-not-utf8', '89 04 00fffe80', [ping('00fffe80')], { replies: '8a 04 00fffe80' }],
    [
      'pings',
      '89 01 30|89 01 31|89 00|89 01 31',
      [ping('30'), ping('31'), ping(''), ping('31')],
      {
        replies: '8a 01 30 8a 01 31 8a 00 8a 01 31',
      },
    ],
  ]),
  ...rows('P14', '§5.5.3', [
    ...[0, 1, 124, 125].map(
      (length): Row => [`pong-${length}`, `8a ${hex(length, 2)} 5a*${length}`, [pong(`5a*${length}`)]],
    ),
    ['pong-unsolicited', '8a 01 61 | 89 01 62', [pong('61'), ping('62')], { replies: '8a 01 62' }],
  ]),
]

/** Lengths around every change of the length's form and of the way a payload is unmasked or decoded. */
const LENGTH_FORMS: readonly (readonly [string, number])[] = [
  ...[1, 2, 3, 4, 5, 7, 8, 23, 24, 25, 31, 32, 39, 40, 41, 63, 64, 65, 125].map((n) => [hex(n, 2), n] as const),
  ...[126, 127, 128, 255, 256, 1023, 16383, 16384, 16385, 65535].map((n) => [`7e ${hex(n, 4)}`, n] as const),
  ...[65536, 65537].map((n) => [`7f ${hex(n, 16)}`, n] as const),
]

const LENGTHS: readonly Vector[] = [
  ...LENGTH_FORMS.flatMap(([form, n]) =>
    rows('P14', '§5.2', [
      [`length-${n}-text`, `81 ${form} 2a*${n} | 81 01 "z"`, [text('*'.repeat(n)), text('z')]],
      [`length-${n}-binary`, `82 ${form} fe*${n} | 82 01 7a`, [bytes(`fe*${n}`), bytes('7a')]],
    ]),
  ),
  ...rows('P14', '§5.2', [
    ...['0000', '0001', '007d'].map((n): Row => [`length-16-bit-${n}`, `82 7e ${n}`, 'LENGTH_NOT_MINIMAL']),
    ...['0000000000000000', '0000000000000001', '000000000000007d', '000000000000007e', '000000000000ffff'].map(
      (n): Row => [`length-64-bit-${n}`, `81 7f ${n}`, 'LENGTH_NOT_MINIMAL'],
    ),
    ...['8000000000000000', '8000000000010000', 'ffffffffffffffff'].map(
      (n): Row => [`length-sign-${n}`, `82 7f ${n}`, 'LENGTH_SIGN_BIT'],
    ),
    ['length-1-gib-allowed', '82 7f 0000000040000000 0102', [], { maxMessageSize: Infinity }],
    ['length-2^53-1-allowed', '82 7f 001fffffffffffff 0102', [], { maxMessageSize: Infinity }],
    ['length-2^53', '82 7f 0020000000000000', 'MESSAGE_TOO_BIG', { maxMessageSize: Infinity }],
    ['length-2^63-1', '82 7f 7fffffffffffffff', 'MESSAGE_TOO_BIG', { maxMessageSize: Infinity }],
  ]),
  ...rows('R14', '§10.4', [
    ...['0000000000100001', '0000000040000000', '0000000080000000', '0000000100000000', '0000000100000001'].map(
      (n): Row => [`length-announced-${n}`, `82 7f ${n}`, 'MESSAGE_TOO_BIG'],
    ),
    ...['0000400000000000', '001fffffffffffff', '0020000000000000', '7fffffffffffffff'].map(
      (n): Row => [`length-announced-${n}`, `81 7f ${n}`, 'MESSAGE_TOO_BIG'],
    ),
    ['length-announced-continuation', '02 01 01 | 80 7f 0000000040000000', 'MESSAGE_TOO_BIG'],
  ]),
]

const MASKING: readonly Vector[] = [
  ...rows(
    'P14',
    '§5.3',
    [
      ['mask-key-zero', '81 85 00000000 "Hello"', [text('Hello')]],
      ['mask-key-ones', '81 85 ffffffff b79a939390', [text('Hello')]],
      ['mask-1', '82 81 80ff00ff 00', [bytes('80')]],
      ['mask-2', '82 82 010203ff 0000', [bytes('0102')]],
      ['mask-3', '82 83 010203ff 000000', [bytes('010203')]],
      ['mask-4', '82 84 010203ff 00000000', [bytes('010203ff')]],
      ['mask-5', '82 85 010203ff 0000000000', [bytes('010203ff01')]],
      ['mask-200', '82 fe 00c8 010203ff 00*200', [bytes('010203ff*50')]],
      ['mask-201', '82 fe 00c9 fedcba98 00*201', [bytes('fedcba98*50 fe')]],
      ['mask-202', '82 fe 00ca fedcba98 00*202', [bytes('fedcba98*50 fedc')]],
      ['mask-203', '82 fe 00cb fedcba98 00*203', [bytes('fedcba98*50 fedcba')]],
      ['mask-per-frame', '02 82 01020304 0000 | 80 82 a1a2a3a4 0000', [bytes('0102a1a2')]],
    ],
    { role: 'server', literal: true },
  ),
  ...rows(
    'R20',
    '§5.1',
    [
      ['unmasked-text', '81 05 "Hello"', 'UNMASKED_FRAME'],
      ['unmasked-text-empty', '81 00', 'UNMASKED_FRAME'],
      ['unmasked-binary', '82 00', 'UNMASKED_FRAME'],
      ['unmasked-close', '88 02 03e8', 'UNMASKED_FRAME'],
      ['unmasked-close-empty', '88 00', 'UNMASKED_FRAME'],
      ['unmasked-ping', '89 00', 'UNMASKED_FRAME'],
      ['unmasked-pong', '8a 00', 'UNMASKED_FRAME'],
      ['unmasked-16-bit-length', '82 7e 0100', 'UNMASKED_FRAME'],
      ['unmasked-64-bit-length', '82 7f 0000000000010000', 'UNMASKED_FRAME'],
      ['unmasked-second', '81 81 00000000 "a" | 81 01 "b"', 'UNMASKED_FRAME', { events: [text('a')] }],
      ['unmasked-continuation', '01 81 00000000 "a" | 80 01 "b"', 'UNMASKED_FRAME'],
    ],
    { role: 'server', literal: true },
  ),
  ...rows(
    'R20',
    '§5.1',
    [
      ['masked-text', '81 85 37fa213d 7f9f4d5158', 'MASKED_FRAME'],
      ['masked-text-empty', '81 80 01020304', 'MASKED_FRAME'],
      ['masked-text-key-zero', '81 85 00000000 "Hello"', 'MASKED_FRAME'],
      ['masked-binary', '82 80 01020304', 'MASKED_FRAME'],
      ['masked-close', '88 80 01020304', 'MASKED_FRAME'],
      ['masked-ping', '89 80 01020304', 'MASKED_FRAME'],
      ['masked-pong', '8a 80 01020304', 'MASKED_FRAME'],
      ['masked-16-bit-length', '82 fe 0100 01020304', 'MASKED_FRAME'],
      ['masked-64-bit-length', '82 ff 0000000000010000 01020304', 'MASKED_FRAME'],
      ['masked-second', '81 01 "a" | 81 81 00000000 "b"', 'MASKED_FRAME', { events: [text('a')] }],
      ['masked-continuation', '01 01 "a" | 80 81 00000000 "b"', 'MASKED_FRAME'],
    ],
    { role: 'client', literal: true },
  ),
]

const FRAGMENTS: readonly Vector[] = [
  ...rows('P15', '§5.4', [
    ['fragments-hello', '01 03 "Hel" | 80 02 "lo"', [text('Hello')]],
    ['fragments-three', '01 01 "a" | 00 01 "b" | 80 01 "c"', [text('abc')]],
    ['fragments-binary', '02 01 01 | 00 01 ff | 80 01 03', [bytes('01ff03')]],
    ['fragments-empty', '01 00 | 00 00 | 80 00', [text('')]],
    ['fragments-empty-binary', '02 00 | 00 00 | 80 00', [bytes('')]],
    ['fragments-empty-first', '01 00 | 80 02 "ab"', [text('ab')]],
    ['fragments-empty-middle', '02 01 01 | 00 00 | 80 01 02', [bytes('0102')]],
    ['fragments-empty-last', '01 02 "ab" | 80 00', [text('ab')]],
    ['fragments-long', '02 7e 0080 11*128 | 00 7e 0100 22*256 | 80 7d 33*125', [bytes('11*128 22*256 33*125')]],
    ['fragments-open', '01 01 "a" | 00 01 "b"', []],
    [
      'fragments-then-whole',
      '01 01 "a" | 80 01 "b" | 02 01 01 | 80 01 02 | 81 01 "c"',
      [text('ab'), bytes('0102'), text('c')],
    ],
    ['ping-inside', '01 01 "a" | 89 01 70 | 80 01 "b"', [ping('70'), text('ab')], { replies: '8a 01 70' }],
    ['pong-inside', '02 01 01 | 8a 00 | 80 01 02', [pong(''), bytes('0102')]],
    [
      'pings-inside',
      '01 01 "a" | 89 01 31 | 00 01 "b" | 8a 01 32 | 89 01 33 | 80 01 "c" | 89 00',
      [ping('31'), pong('32'), ping('33'), text('abc'), ping('')],
      { replies: '8a 01 31 8a 01 33 8a 00' },
    ],
    ['pings-inside-empty', '01 00|89 00|00 00|89 00|80 00', [ping(''), ping(''), text('')], { replies: '8a 00 8a 00' }],
    ['close-inside', '01 01 "a" | 88 02 03e8 | 80 01 "b"', [close(1000)], { replies: '88 02 03e8' }],
    ['continuation-stray', '80 00', 'UNEXPECTED_CONTINUATION'],
    ['continuation-stray-not-final', '00 05', 'UNEXPECTED_CONTINUATION'],
    ['continuation-after-message', '81 01 "a" | 80 01', 'UNEXPECTED_CONTINUATION', { events: [text('a')] }],
    [
      'continuation-after-fragments',
      '01 01 "a" | 80 01 "b" | 00 00',
      'UNEXPECTED_CONTINUATION',
      {
        events: [text('ab')],
      },
    ],
    ['continuation-after-binary', '02 01 01 | 80 00 | 80 00', 'UNEXPECTED_CONTINUATION', { events: [bytes('01')] }],
    ['continuation-after-ping', '89 00 | 80 00', 'UNEXPECTED_CONTINUATION', { events: [ping('')] }],
    ['text-in-text', '01 01 "a" | 81 01', 'EXPECTED_CONTINUATION'],
    ['text-in-text-not-final', '01 01 "a" | 01 00', 'EXPECTED_CONTINUATION'],
    ['text-in-empty-text', '01 00 | 81 01', 'EXPECTED_CONTINUATION'],
    ['binary-in-text', '01 01 "a" | 82 00', 'EXPECTED_CONTINUATION'],
    ['text-in-binary', '02 01 01 | 00 01 02 | 81 00', 'EXPECTED_CONTINUATION'],
    ['binary-in-binary', '02 00 | 02 00', 'EXPECTED_CONTINUATION'],
    ['text-after-ping-inside', '01 01 "a" | 89 00 | 81 00', 'EXPECTED_CONTINUATION', { events: [ping('')] }],
  ]),
]

/** Code points on both sides of every boundary of UTF-8 (RFC 3629 §3), and those that decoders like to lose. */
const CODE_POINTS = [
  0x0, 0x1, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xfdd0, 0xfeff, 0xfffd, 0xfffe,
  0xffff, 0x10000, 0x1fffe, 0x3ffff, 0x40000, 0xfffff, 0x100000, 0x10ffff,
]

/** Sequences whose last byte, and no earlier one, cannot stand where it does (RFC 3629 §4). */
const IMPOSSIBLE = [
  // Nothing begins so.
  ...['80', 'bf', 'c0', 'c1', 'f5', 'f8', 'fc', 'fe', 'ff', 'c2a980', 'e282ac80', 'f09f988080'],
  // Two bytes.
  ...['c241', 'c200', 'c2c2', 'c27f', 'c2c0', 'df7f', 'dfff'],
  // Three bytes: overlong, surrogates, and a broken second or third byte.
  ...['e080', 'e09f', 'e041', 'e0c0', 'e17f', 'e1c0', 'eda0', 'edbf', 'ed41', 'ed7f', 'ee7f', 'ef41'],
  ...['e28241', 'e2827f', 'e282c0', 'e282c2', 'efbf41'],
  // Four bytes: overlong, above U+10FFFF, and a broken second, third or fourth byte.
  ...['f080', 'f08f', 'f041', 'f0c0', 'f17f', 'f1c0', 'f37f', 'f490', 'f4bf', 'f4ff', 'f441', 'f47f'],
  ...['f18041', 'f09f41', 'f09fc0', 'f09f9841', 'f09f98c0', 'f09f98f0', 'f3bfbf7f', 'f48fbf7f', 'f48fbfc0'],
]

/** Sequences that want more bytes. */
const UNFINISHED = [
  ...['c2', 'df', 'e0', 'e0a0', 'e2', 'e282', 'ed', 'ed9f', 'ef', 'efbf'],
  ...['f0', 'f090', 'f09f98', 'f1', 'f180', 'f18080', 'f4', 'f48f', 'f48fbf'],
]

const UTF8: readonly Vector[] = [
  ...CODE_POINTS.flatMap((point) => {
    const character = String.fromCodePoint(point)
    const encoded = utf8(character)
    const id = `utf8-u+${hex(point, 4)}`
    return rows('P16', '§8.1', [
      [id, frame('81', encoded), [text(character)]],
      [
        `${id}-within`,
        frame('81', `${'61'.repeat(70)}${encoded}616161${encoded}`),
        [text(`${'a'.repeat(70)}${character}aaa${character}`)],
      ],
      [`${id}-fragments`, `${fragments(encoded)} | 80 00`, [text(character)]],
    ])
  }),
  ...rows('R23', '§8.1', [
    ['utf8-bom', '81 03 efbbbf', [text('\u{feff}')]],
    ['utf8-bom-then-text', '81 05 efbbbf "hi"', [text('\u{feff}hi')]],
    ['utf8-bom-fragments', '01 01 ef | 00 02 bbbf | 80 02 "hi"', [text('\u{feff}hi')]],
    ['utf8-bom-twice', '81 06 efbbbf efbbbf | 81 03 efbbbf', [text('\u{feff}\u{feff}'), text('\u{feff}')]],
    ['utf8-bom-long', '81 7e 0083 efbbbf 61*128', [text(`\u{feff}${'a'.repeat(128)}`)]],
  ]),
  ...rows('P16', '§8.1', [
    ['utf8-mixed', frame('81', utf8('κόσμε ünï 漢字 🎉 \u{10ffff}')), [text('κόσμε ünï 漢字 🎉 \u{10ffff}')]],
    ['utf8-three-bytes', '81 7e 012c e282ac*100', [text('€'.repeat(100))]],
    ['utf8-four-bytes', '81 7e 0190 f09f8e89*100', [text('🎉'.repeat(100))]],
    ['utf8-latin-1', frame('81', utf8('é'.repeat(60))), [text('é'.repeat(60))]],
    [
      'utf8-fresh-after-binary',
      '82 02 e282 | 81 01 "a" | 82 01 ff | 81 03 e282ac',
      [bytes('e282'), text('a'), bytes('ff'), text('€')],
    ],
    [
      'utf8-ping-inside-code-point',
      '01 01 e2 | 89 01 ff | 00 01 82 | 00 00 | 80 01 ac',
      [ping('ff'), text('€')],
      {
        replies: '8a 01 ff',
      },
    ],
  ]),
  ...rows('P16', '§5.6', [['utf8-binary-is-free', '02 02 c0ff | 80 03 eda080', [bytes('c0ffeda080')]]]),
  ...IMPOSSIBLE.flatMap((sequence) =>
    rows(
      'P16',
      '§8.1',
      [
        [`utf8-bad-${sequence}`, frame('81', sequence), 'TEXT_NOT_UTF8'],
        [`utf8-bad-${sequence}-frame-arriving`, `81 7e 0400 ${sequence}`, 'TEXT_NOT_UTF8'],
        [`utf8-bad-${sequence}-fragment`, `01 02 "ab" | ${frame('00', `63${sequence}`)}`, 'TEXT_NOT_UTF8'],
        [`utf8-bad-${sequence}-fragments`, fragments(sequence), 'TEXT_NOT_UTF8'],
        ...[3, 8, 40, 63, 64, 65, 200].map(
          (n): Row => [`utf8-bad-${sequence}-after-${n}`, `81 7e 0400 61*${n} ${sequence}`, 'TEXT_NOT_UTF8'],
        ),
      ],
      { exact: true },
    ),
  ),
  ...UNFINISHED.flatMap((sequence) => [
    ...rows(
      'P16',
      '§8.1',
      [
        [`utf8-cut-${sequence}`, frame('81', sequence), 'TEXT_NOT_UTF8'],
        [`utf8-cut-${sequence}-after-100`, frame('81', `${'61'.repeat(100)}${sequence}`), 'TEXT_NOT_UTF8'],
        [`utf8-cut-${sequence}-last-fragment`, `01 01 "a" | ${frame('80', sequence)}`, 'TEXT_NOT_UTF8'],
      ],
      { exact: true },
    ),
    ...rows('P16', '§8.1', [[`utf8-cut-${sequence}-empty-end`, `${frame('01', sequence)} | 80 00`, 'TEXT_NOT_UTF8']]),
    ...rows('P16', '§5.6', [[`utf8-cut-${sequence}-open`, frame('01', sequence), []]]),
  ]),
]

const VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
const INVALID_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 32768, 65535]

const CLOSE: readonly Vector[] = [
  ...rows('P17', '§7.1.5', [['close-empty', '88 00', [close(1005)], { replies: '88 00' }]]),
  ...VALID_CODES.flatMap((code) => {
    const bare = `88 02 ${hex(code, 4)}`
    const reasoned = `88 07 ${hex(code, 4)} "by " c3a9`
    return rows('P17', '§7.4', [
      [`close-${code}`, bare, [close(code)], { replies: bare }],
      [`close-${code}-reason`, reasoned, [close(code, 'by é')], { replies: reasoned }],
    ])
  }),
  ...INVALID_CODES.flatMap((code) =>
    rows(
      'P17',
      '§7.4',
      [
        [`close-${code}`, `88 02 ${hex(code, 4)}`, 'CLOSE_CODE_INVALID'],
        [`close-${code}-reason`, `88 05 ${hex(code, 4)} "bye"`, 'CLOSE_CODE_INVALID'],
      ],
      { exact: true },
    ),
  ),
  ...rows('P17', '§5.5.1', [
    ['close-one-byte', '88 01 03', 'CLOSE_PAYLOAD_TOO_SHORT', { exact: true }],
    ['close-reason-122', '88 7c 03e8 61*122', [close(1000, 'a'.repeat(122))], { replies: '88 7c 03e8 61*122' }],
    ['close-reason-123', '88 7d 03e8 61*123', [close(1000, 'a'.repeat(123))], { replies: '88 7d 03e8 61*123' }],
    ['close-reason-124', '88 7e 007e 03e8 61*124', 'CONTROL_TOO_LONG'],
    ['close-reason-euro', '88 7d 03e8 e282ac*41', [close(1000, '€'.repeat(41))], { replies: '88 7d 03e8 e282ac*41' }],
  ]),
  ...rows('P17', '§7.1.6', [
    ['close-reason-bom', '88 06 03e8 efbbbf 61', [close(1000, '\u{feff}a')], { replies: '88 06 03e8 efbbbf 61' }],
    ['close-reason-nul', '88 03 03e8 00', [close(1000, '\0')], { replies: '88 03 03e8 00' }],
  ]),
  ...rows(
    'P17',
    '§8.1',
    ['ff', '61c0', 'eda080', 'c2', 'e282', 'f09f98', '6180', 'f4908080', 'e282ac80'].map(
      (reason): Row => [`close-reason-bad-${reason}`, frame('88', `03e8${reason}`), 'CLOSE_REASON_NOT_UTF8'],
    ),
    { exact: true },
  ),
  ...rows(
    'P17',
    '§5.5.1',
    [
      ['close-then-text', '88 02 03e8 | 81 02 "no"', [close(1000)]],
      ['close-then-ping', '88 02 03e8 | 89 00', [close(1000)]],
      ['close-then-close', '88 02 03e8 | 88 02 03e9', [close(1000)]],
      ['close-then-garbage', '88 02 03e8 | f3 7f ffffffffffffffff | "GET / HTTP/1.1"', [close(1000)]],
      ['close-then-part-of-a-frame', '88 02 03e8 | 82 7e', [close(1000)]],
    ],
    { replies: '88 02 03e8' },
  ),
  ...rows('P17', '§7.1.3', [
    [
      'close-after-text',
      '81 01 "a" | 89 00 | 88 02 03e9',
      [text('a'), ping(''), close(1001)],
      {
        replies: '8a 00 88 02 03e9',
      },
    ],
  ]),
]

const LIMITS: readonly Vector[] = [
  ...rows(
    'S11',
    '§10.4',
    [
      ['size-9-of-10-text', '81 09 61*9', [text('a'.repeat(9))]],
      ['size-10-of-10-text', '81 0a 61*10 | 81 0a 61*10', [text('a'.repeat(10)), text('a'.repeat(10))]],
      ['size-11-of-10-text', '81 0b', 'MESSAGE_TOO_BIG'],
      ['size-9-of-10-binary', '82 09 ff*9', [bytes('ff*9')]],
      ['size-10-of-10-binary', '82 0a ff*10 | 82 0a ff*10', [bytes('ff*10'), bytes('ff*10')]],
      ['size-11-of-10-binary', '82 0b', 'MESSAGE_TOO_BIG'],
      ['size-fragments-10-of-10', '01 05 61*5 | 00 05 62*5 | 80 00', [text('aaaaabbbbb')]],
      ['size-fragments-11-of-10', '01 05 61*5 | 00 06', 'MESSAGE_TOO_BIG'],
      ['size-fragments-last-byte', '02 0a 01*10 | 00 00 | 80 01', 'MESSAGE_TOO_BIG'],
      ['size-counts-bytes', '81 0a e282ac*3 61', [text('€€€a')]],
      ['size-counts-bytes-over', '81 0c', 'MESSAGE_TOO_BIG'],
      ['size-anew', '01 06 61*6|80 04 62*4|02 06 03*6|80 04 04*4', [text('aaaaaabbbb'), bytes('03*6 04*4')]],
    ],
    { maxMessageSize: 10 },
  ),
  ...rows('S11', '§10.4', [
    ['size-0-of-0', '81 00 | 82 00', [text(''), bytes('')], { maxMessageSize: 0 }],
    ['size-1-of-0', '81 01', 'MESSAGE_TOO_BIG', { maxMessageSize: 0 }],
    ['size-126-of-125', '82 7e 007e', 'MESSAGE_TOO_BIG', { maxMessageSize: 125 }],
    ['size-65535-of-65535', '82 7e ffff 01*65535', [bytes('01*65535')], { maxMessageSize: 65535 }],
    ['size-65536-of-65535', '82 7f 0000000000010000', 'MESSAGE_TOO_BIG', { maxMessageSize: 65535 }],
    ['size-1-mib-by-default', '82 7f 0000000000100000 01*1048576', [bytes('01*1048576')]],
  ]),
  ...rows(
    'R24',
    '§10.4',
    [
      [
        'size-control-not-counted',
        '01 09 61*9 | 89 7d 70*125 | 8a 0b 71*11 | 80 01 "b"',
        [ping('70*125'), pong('71*11'), text('aaaaaaaaab')],
        { replies: '8a 7d 70*125' },
      ],
      [
        'size-ping-in-full',
        '01 0a 61*10 | 89 06 70*6 | 80 00',
        [ping('70*6'), text('a'.repeat(10))],
        {
          replies: '8a 06 70*6',
        },
      ],
      ['size-close-not-counted', '88 0c 03e8 61*10', [close(1000, 'a'.repeat(10))], { replies: '88 0c 03e8 61*10' }],
    ],
    { maxMessageSize: 10 },
  ),
  ...rows(
    'R13',
    '§10.4',
    [
      ['fragments-2-of-3', '01 00 | 80 00', [text('')]],
      ['fragments-3-of-3', '01 00 | 00 00 | 80 01 "a" | 02 00 | 00 00 | 80 00', [text('a'), bytes('')]],
      ['fragments-4-of-3', '01 01 "a" | 00 01 "b" | 00 01 "c" | 80 01', 'TOO_MANY_FRAGMENTS'],
      ['fragments-4-of-3-empty', '02 00 | 00 00 | 00 00 | 00 00', 'TOO_MANY_FRAGMENTS'],
      [
        'fragments-control-not-counted',
        '01 00|89 00|8a 00|00 00|89 00|80 00',
        [ping(''), pong(''), ping(''), text('')],
        {
          replies: '8a 00 8a 00',
        },
      ],
    ],
    { maxFragments: 3 },
  ),
  ...rows('R13', '§10.4', [
    ['fragments-1-of-1', '81 01 "a" | 82 01 62', [text('a'), bytes('62')], { maxFragments: 1 }],
    ['fragments-2-of-1', '01 01 "a" | 80 00', 'TOO_MANY_FRAGMENTS', { maxFragments: 1 }],
  ]),
]

/** A message as zlib compresses it, without the tail that RFC 7692 §7.2.1 takes off. */
function deflated(data: Uint8Array | string, windowBits = 15): string {
  const { Z_SYNC_FLUSH } = constants
  return deflateRawSync(data, { finishFlush: Z_SYNC_FLUSH, windowBits }).subarray(0, -4).toString('hex')
}

const BOTH: Deflate = { serverNoContextTakeover: true, clientNoContextTakeover: true }
const SMALL: Deflate = { serverMaxWindowBits: 9, clientMaxWindowBits: 9 }

/** `a`, 600 bytes that do not repeat, `a` again: the second `a` is further back than a window of 512 bytes reaches. */
const FAR = Buffer.concat([
  Buffer.alloc(64, 'abcdefgh12345678ABCDEFGH!?'),
  Buffer.from(Array.from({ length: 600 }, (_, i) => (i * 7 + (i >> 3) * 11) & 0xff)),
  Buffer.alloc(64, 'abcdefgh12345678ABCDEFGH!?'),
])

const hello = text('Hello')

/** Compressed messages: the examples of RFC 7692 §7.2.3, and what surrounds them. */
const DEFLATE: readonly Vector[] = [
  ...rows(
    'P13',
    'RFC 7692 §7.2.3',
    [
      ['pmd-hello', 'c1 07 f248cdc9c90700', [hello]],
      ['pmd-hello-binary', 'c2 07 f248cdc9c90700', [bytes('"Hello"')]],
      ['pmd-fragments', '41 03 f248cd | 80 04 c9c90700', [hello]],
      ['pmd-fragments-empty', '41 00 | 00 03 f248cd | 00 00 | 80 04 c9c90700', [hello]],
      ['pmd-fragments-empty-end', '41 07 f248cdc9c90700 | 80 00', [hello]],
      ['pmd-flushed-fragment', '41 08 f24805000000ffff | 80 05 cac9c90700', [hello]],
      ['pmd-takeover', 'c1 07 f248cdc9c90700 | c1 05 f200110000', [hello, hello]],
      ['pmd-stored', 'c1 0b 000500faff48656c6c6f00', [hello]],
      ['pmd-final-block', 'c1 08 f348cdc9c9070000 | c1 07 f248cdc9c90700', [hello, hello]],
      ['pmd-two-blocks', 'c1 0d f24805000000ffffcac9c90700', [hello]],
      ['pmd-empty', 'c1 01 00 | c1 01 00', [text(''), text('')]],
      ['pmd-empty-flushed-twice', 'c1 00 | c1 07 f248cdc9c90700', [text(''), hello]],
      ['pmd-long', frame('c1', deflated('Hello '.repeat(5_000))), [text('Hello '.repeat(5_000))]],
    ],
    { deflate: {} },
  ),
  ...rows(
    'P13',
    'RFC 7692 §7.1.1',
    [
      ['pmd-no-takeover', 'c1 07 f248cdc9c90700 | c1 07 f248cdc9c90700', [hello, hello]],
      [
        'pmd-no-takeover-reference',
        'c1 07 f248cdc9c90700 | c1 05 f200110000',
        'DEFLATE_DATA_INVALID',
        { events: [hello] },
      ],
    ],
    { deflate: BOTH },
  ),
  ...rows('P13', 'RFC 7692 §7.1.2', [
    ['pmd-window-15', frame('c2', deflated(FAR)), [bytes(FAR.toString('hex'))], { deflate: {} }],
    ['pmd-window-9', frame('c2', deflated(FAR, 9)), [bytes(FAR.toString('hex'))], { deflate: SMALL }],
  ]),
  ...rows(
    'P13',
    'RFC 7692 §6.2',
    [
      ['pmd-plain', '81 05 "Hello"', [hello]],
      ['pmd-plain-between', 'c1 07 f248cdc9c90700 | 81 05 "Hello" | c1 05 f200110000', [hello, hello, hello]],
      ['pmd-plain-fragments', '01 03 "Hel" | 80 02 "lo" | c1 07 f248cdc9c90700', [hello, hello]],
    ],
    { deflate: {} },
  ),
  ...rows(
    'R24',
    'RFC 7692 §6.1',
    [
      ['pmd-ping-inside', '41 03 f248cd|89 01 61|80 04 c9c90700', [ping('61'), hello], { replies: '8a 01 61' }],
      ['pmd-pong-inside', '41 03 f248cd | 8a 00 | 00 02 c9c9 | 8a 01 62 | 80 02 0700', [pong(''), pong('62'), hello]],
      [
        'pmd-ping-between',
        'c1 07 f248cdc9c90700|89 00|c1 05 f200110000',
        [hello, ping(''), hello],
        { replies: '8a 00' },
      ],
      ['pmd-close-after', 'c1 07 f248cdc9c90700 | 88 02 03e8', [hello, close(1000)], { replies: '88 02 03e8' }],
    ],
    { deflate: {} },
  ),
  ...rows(
    'P13',
    'RFC 7692 §6.1',
    [
      ['pmd-rsv1-ping', 'c9 00', 'COMPRESSED_CONTROL'],
      ['pmd-rsv1-pong', 'ca 00', 'COMPRESSED_CONTROL'],
      ['pmd-rsv1-close', 'c8 00', 'COMPRESSED_CONTROL'],
      ['pmd-rsv1-continuation', '41 03 f248cd | c0 04', 'COMPRESSED_CONTINUATION'],
      ['pmd-rsv1-continuation-of-plain', '01 01 "a" | c0 00', 'COMPRESSED_CONTINUATION'],
      ['pmd-rsv2', 'a1 00', 'RESERVED_BIT'],
      ['pmd-rsv3', '91 00', 'RESERVED_BIT'],
      ['pmd-rsv1-rsv2', 'e1 00', 'RESERVED_BIT'],
      ['pmd-rsv2-ping', 'a9 00', 'RESERVED_BIT'],
    ],
    { deflate: {} },
  ),
  ...rows('R25', '§5.4', [
    [
      'pmd-stray-continuation',
      'c1 07 f248cdc9c90700 | 80 00',
      'UNEXPECTED_CONTINUATION',
      { events: [hello], deflate: {} },
    ],
    ['pmd-text-inside', '41 03 f248cd | c1 00', 'EXPECTED_CONTINUATION', { deflate: {} }],
  ]),
  ...rows(
    'P13',
    'RFC 7692 §7.2.2',
    [
      ['pmd-reserved-block', 'c1 01 06', 'DEFLATE_DATA_INVALID'],
      ['pmd-stored-length', 'c1 05 000500ffff', 'DEFLATE_DATA_INVALID'],
      ['pmd-too-far-back', 'c1 05 f200110000', 'DEFLATE_DATA_INVALID'],
      ['pmd-cut', 'c1 05 f248cdc9c9', 'DEFLATE_DATA_INVALID'],
      ['pmd-broken-fragment', '41 03 f248cd | 80 01 ff', 'DEFLATE_DATA_INVALID'],
    ],
    { deflate: {} },
  ),
  ...rows(
    'P13',
    '§8.1',
    [
      ['pmd-utf8', '41 07 000200fdffe282 | 80 07 000100feffac00', [text('€')]],
      ['pmd-not-utf8', 'c1 07 000100feffff00', 'TEXT_NOT_UTF8'],
      ['pmd-not-utf8-fragment', '41 06 000100feffff', 'TEXT_NOT_UTF8'],
      ['pmd-utf8-cut', 'c1 08 000200fdffe28200', 'TEXT_NOT_UTF8'],
    ],
    { deflate: {} },
  ),
  ...rows('R15', '§10.4', [
    ['pmd-size-5-of-5', 'c1 07 f248cdc9c90700', [hello], { deflate: {}, maxMessageSize: 5 }],
    ['pmd-size-5-of-4', 'c1 07 f248cdc9c90700', 'MESSAGE_TOO_BIG', { deflate: {}, maxMessageSize: 4 }],
    [
      'pmd-size-fragments',
      '41 08 000300fcff616263 | 80 08 000200fdff646500',
      'MESSAGE_TOO_BIG',
      {
        deflate: {},
        maxMessageSize: 4,
      },
    ],
    ['pmd-bomb', frame('c2', deflated(Buffer.alloc(8 << 20))), 'MESSAGE_TOO_BIG', { deflate: {} }],
    ['pmd-plain-6-of-5', '81 06', 'MESSAGE_TOO_BIG', { deflate: {}, maxMessageSize: 5 }],
  ]),
]

export const VECTORS: readonly Vector[] = [
  ...OPCODES,
  ...RESERVED_BITS,
  ...CONTROL,
  ...LENGTHS,
  ...MASKING,
  ...FRAGMENTS,
  ...UTF8,
  ...CLOSE,
  ...LIMITS,
  ...DEFLATE,
]
