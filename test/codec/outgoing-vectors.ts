/**
 * What is sent, as bytes: the other half of the conformance table (RFC 6455 §5, §6.1, §7.4).
 *
 * A server must write exactly `wire`; a client must write the same frames masked, each with a fresh key.
 */
import type { OutgoingProtocolEvent } from '../../src/codec/event.ts'
import { bytesOf } from './wire-notation.ts'

export interface OutgoingVector {
  readonly id: string
  readonly row: string
  readonly section: string
  readonly send: readonly OutgoingProtocolEvent[]
  /** In the notation of `wire-notation.ts`; what was written before `refused`. */
  readonly wire: string
  /** Name of the error with which the last event is refused; then nothing of it is written. */
  readonly refused?: 'RangeError' | 'TypeError' | 'LocalProtocolError'
}

type Row = readonly [id: string, send: OutgoingProtocolEvent | readonly OutgoingProtocolEvent[], wire: string]

function rows(row: string, section: string, table: readonly Row[]): OutgoingVector[] {
  return table.map(([id, send, wire]) => ({ id, row, section, send: [send].flat() as OutgoingProtocolEvent[], wire }))
}

function refusals(
  row: string,
  section: string,
  refused: OutgoingVector['refused'],
  table: readonly Row[],
): OutgoingVector[] {
  return rows(row, section, table).map((vector) => ({ ...vector, refused: refused as NonNullable<typeof refused> }))
}

const text = (data: string, messageFinished = true): OutgoingProtocolEvent => ({
  type: 'TextMessage',
  data,
  messageFinished,
})
const bytes = (notation: string, messageFinished = true): OutgoingProtocolEvent => ({
  type: 'BytesMessage',
  data: bytesOf(notation),
  messageFinished,
})
const ping = (notation: string): OutgoingProtocolEvent => ({ type: 'Ping', payload: bytesOf(notation) })
const pong = (notation: string): OutgoingProtocolEvent => ({ type: 'Pong', payload: bytesOf(notation) })
const close = (code?: number, reason?: string): OutgoingProtocolEvent => ({
  type: 'CloseConnection',
  ...(code === undefined ? {} : { code }),
  ...(reason === undefined ? {} : { reason }),
})
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

const LENGTHS = [
  ...[0, 1, 39, 40, 41, 124, 125].map((n) => [n, hex(n, 2)] as const),
  ...[126, 127, 5461, 5462, 16383, 16384, 65535].map((n) => [n, `7e ${hex(n, 4)}`] as const),
  ...[65536, 65537, 300_000].map((n) => [n, `7f ${hex(n, 16)}`] as const),
]

export const OUTGOING: readonly OutgoingVector[] = [
  ...LENGTHS.flatMap(([n, form]) =>
    rows('P18', '§5.2', [
      [`send-text-${n}`, text('a'.repeat(n)), `81 ${form} 61*${n}`],
      [`send-binary-${n}`, bytes(`c3*${n}`), `82 ${form} c3*${n}`],
    ]),
  ),
  ...rows('P18', '§6.1', [
    ['send-text', text('Hello'), '81 05 "Hello"'],
    ['send-binary', bytes('00ff80'), '82 03 00ff80'],
    ['send-several', [text('a'), bytes('01'), ping('02'), text('b')], '81 01 "a" 82 01 01 89 01 02 81 01 "b"'],
    ['send-with-defaults', { type: 'TextMessage', data: 'a' }, '81 01 "a"'],
  ]),
  ...rows('P18', '§5.6', [
    ['send-utf8-2', text('é'), '81 02 c3a9'],
    ['send-utf8-3', text('€'), '81 03 e282ac'],
    ['send-utf8-4', text('🎉'), '81 04 f09f8e89'],
    ['send-utf8-bom', text('\u{feff}'), '81 03 efbbbf'],
    ['send-utf8-nul', text('\0'), '81 01 00'],
    ['send-utf8-del', text('\x7f'), '81 01 7f'],
    ['send-utf8-u+80', text('\x80'), '81 02 c280'],
    ['send-utf8-late', text(`${'a'.repeat(39)}é`), '81 29 61*39 c3a9'],
    ['send-utf8-length-grows-to-16-bits', text('é'.repeat(63)), '81 7e 007e c3a9*63'],
    ['send-utf8-3-bytes-125', text(`${'€'.repeat(41)}aa`), '81 7d e282ac*41 61*2'],
    ['send-utf8-3-bytes-126', text('€'.repeat(42)), '81 7e 007e e282ac*42'],
    ['send-utf8-length-grows-to-64-bits', text('€'.repeat(21_846)), '81 7f 0000000000010002 e282ac*21846'],
    ['send-utf8-65535', text('€'.repeat(21_845)), '81 7e ffff e282ac*21845'],
    ['send-utf8-mixed-large', text('aé€🎉'.repeat(2_000)), '81 7e 4e20 61c3a9e282acf09f8e89*2000'],
  ]),
  ...rows('R34', '§5.6', [
    ['send-lone-high-surrogate', text('a\ud83d'), '81 04 61 efbfbd'],
    ['send-lone-low-surrogate', text('\ude00b'), '81 04 efbfbd 62'],
    ['send-swapped-surrogates', text('\ude00\ud83d'), '81 06 efbfbd efbfbd'],
    ['send-lone-surrogate-long', text(`${'a'.repeat(100)}\ud800${'b'.repeat(50)}`), '81 7e 0099 61*100 efbfbd 62*50'],
    ['send-lone-surrogate-large', text(`${'a'.repeat(20_000)}\udfff`), '81 7e 4e23 61*20000 efbfbd'],
    ['send-lone-surrogate-in-reason', close(1000, '\ud800'), '88 05 03e8 efbfbd'],
  ]),
  ...rows('P15', '§5.4', [
    ['send-fragments', [text('a', false), text('b', false), text('c')], '01 01 "a" 00 01 "b" 80 01 "c"'],
    ['send-fragments-binary', [bytes('01', false), bytes('02')], '02 01 01 80 01 02'],
    ['send-fragments-empty', [text('', false), text('', false), text('')], '01 00 00 00 80 00'],
    ['send-fragments-then-message', [text('a', false), text('b'), bytes('01')], '01 01 "a" 80 01 "b" 82 01 01'],
    [
      'send-control-inside',
      [text('a', false), ping('01'), pong('02'), text('b')],
      '01 01 "a" 89 01 01 8a 01 02 80 01 "b"',
    ],
    ['send-close-inside', [text('a', false), close(1000)], '01 01 "a" 88 02 03e8'],
    ['send-fragment-large', [bytes('01*20000', false), bytes('02')], '02 7e 4e20 01*20000 80 01 02'],
  ]),
  ...refusals('P18', '§5.4', 'TypeError', [
    ['send-bytes-inside-text', [text('a', false), bytes('01')], '01 01 "a"'],
    ['send-text-inside-bytes', [bytes('01', false), text('a')], '02 01 01'],
  ]),
  ...refusals('P18', '§5.6', 'TypeError', [
    ['send-text-of-number', { type: 'TextMessage', data: 5 } as never, ''],
    ['send-text-of-bytes', { type: 'TextMessage', data: Uint8Array.of(1) } as never, ''],
    ['send-bytes-of-text', { type: 'BytesMessage', data: 'a' } as never, ''],
    ['send-bytes-of-array', { type: 'BytesMessage', data: [1, 2] } as never, ''],
    ['send-bytes-of-nothing', { type: 'BytesMessage' } as never, ''],
    ['send-ping-of-text', { type: 'Ping', payload: 'a' } as never, ''],
    ['send-pong-of-number', { type: 'Pong', payload: 1 } as never, ''],
    ['send-close-reason-of-number', { type: 'CloseConnection', code: 1000, reason: 5 } as never, ''],
  ]),
  ...refusals('P18', '§5.4', 'LocalProtocolError', [
    ['send-unknown-event', { type: 'Nothing' } as never, ''],
    ['send-request', { type: 'Request', host: 'h', target: '/' } as never, ''],
  ]),
  ...rows('P18', '§5.5', [
    ['send-ping-0', ping(''), '89 00'],
    ['send-ping-default', { type: 'Ping' }, '89 00'],
    ['send-pong-default', { type: 'Pong' }, '8a 00'],
    ['send-ping-125', ping('aa*125'), '89 7d aa*125'],
    ['send-pong-125', pong('bb*125'), '8a 7d bb*125'],
  ]),
  ...refusals('P18', '§5.5', 'RangeError', [
    ['send-ping-126', ping('aa*126'), ''],
    ['send-pong-126', pong('aa*126'), ''],
  ]),
  ...rows('P17', '§5.5.1', [
    ['send-close-default', close(), '88 00'],
    ['send-close-1005', close(1005), '88 00'],
    ['send-close-reason', close(1001, 'bye €'), '88 09 03e9 "bye "e282ac'],
  ]),
  ...rows(
    'P17',
    '§7.4',
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
      (code): Row => [`send-close-${code}`, close(code), `88 02 ${hex(code, 4)}`],
    ),
  ),
  ...refusals(
    'P17',
    '§7.4',
    'RangeError',
    [-1, 0, 1, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535, 66536, 1000.5, Number.NaN, Infinity].map(
      (code): Row => [`send-close-${code}`, close(code), ''],
    ),
  ),
  ...refusals('P17', '§5.5.1', 'RangeError', [['send-close-reason-without-code', close(1005, 'bye'), '']]),
  ...rows('R18', '§5.5.1', [
    ['send-close-reason-123', close(1000, 'a'.repeat(123)), '88 7d 03e8 61*123'],
    ['send-close-reason-euro-123', close(1000, '€'.repeat(41)), '88 7d 03e8 e282ac*41'],
  ]),
  ...refusals('R18', '§5.5.1', 'RangeError', [
    ['send-close-reason-124', close(1000, 'a'.repeat(124)), ''],
    ['send-close-reason-euro-126', close(1000, '€'.repeat(42)), ''],
  ]),
  ...refusals('P5', '§5.5.1', 'LocalProtocolError', [
    ['send-text-after-close', [close(1000), text('a')], '88 02 03e8'],
    ['send-fragment-after-close', [text('a', false), close(1000), text('b')], '01 01 "a" 88 02 03e8'],
    ['send-close-after-close', [close(1000), close(1000)], '88 02 03e8'],
    ['send-ping-after-close', [close(1000), ping('')], '88 02 03e8'],
  ]),
]
