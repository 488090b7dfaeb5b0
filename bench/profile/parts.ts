/**
 * Which part of the work a frame of a profile belongs to: a table, read from above.
 *
 * A frame that no line names counts for its caller, so that `subarray` is what the function that wanted it is.
 */

export interface Frame {
  /** As the profiler calls the function; empty for one without a name. */
  readonly name: string
  /** A path of this repository, a module as the runtime names it, or empty for native code. */
  readonly source: string
}

export interface Rule {
  readonly part: string
  readonly source: RegExp
  readonly name?: RegExp
}

export const SOCKET_WRITE = 'socket write'

const NATIVE = /^$/
const STREAMS =
  /^node:(net|_?http|stream|events|internal\/(stream_base|streams\/|http|timers|async_hooks|event_target))|^internal:(stream|fixed_queue)|^ext:deno_node\/(net|_?http|_events|internal_binding|internal\/(stream|timers|async_hooks|http))/
const TO_STRING = /^((latin1|utf8|ascii)Slice|decodeLatin1|decodeUtf8|op_node_(encoding_slice|decode\w*))$/
const TO_BYTES = /^(utf8Write|encodeInto|op_encoding_encode_into\w*)$/
const TICKS =
  /^(runMicrotasks|drainMicrotasks|drainTicks|processTicksAndRejections|processPromiseRejections|op_drain_pending_rejections|nextTick|queueMicrotask|Promise)$/

export const RULES: readonly Rule[] = [
  { part: 'garbage collection', source: NATIVE, name: /^\(garbage collector\)$/ },
  {
    part: SOCKET_WRITE,
    source: NATIVE,
    name: /^(write(v|Buffer(ed)?|(Utf8|Latin1)String)?|op_\w*write\w*)$/i,
  },
  { part: 'decode to string', source: /^$|^ext:/, name: TO_STRING },
  { part: 'encode', source: /^$|^ext:|^node:internal\/encoding/, name: TO_BYTES },
  { part: 'promises, microtasks, ticks', source: /^$|^node:internal\/|^ext:/, name: TICKS },
  { part: 'socket streams in JavaScript', source: STREAMS },
  { part: 'socket streams in JavaScript', source: NATIVE, name: /^(readStart|readStop|bound onwrite)$/ },
  { part: 'unmask', source: /^src\/codec\/mask/ },
  { part: 'decode to string', source: /^src\/codec\/utf8/ },
  { part: 'join what came in parts', source: /^src\/codec\/(part-joiner|block-pool)/ },
  { part: 'encode', source: /^src\/codec\/(frame-encoder|encoded-frame)/ },
  { part: 'parse: the rest of src/codec', source: /^src\/codec\// },
  { part: 'src/connection', source: /^src\/connection\// },
  { part: 'src/runtime and src/sock', source: /^src\/(runtime|sock)\// },
  { part: 'the handler', source: /^bench\/subjects\// },
]

/** What is sampled and belongs nowhere: the handshakes of other packages, for instance. */
export const UNPLACED = 'other'
/** Processor time of the thread that runs JavaScript, less what was sampled: reading from sockets is there. */
export const OUTSIDE = 'outside JavaScript: event loop, reading'
/** Processor time of the process in its other threads. */
export const OTHER_THREADS = 'other threads'

/** Every part, as the tables order them: sockets first, then a message on its way through. */
export const PARTS: readonly string[] = [
  SOCKET_WRITE,
  'socket streams in JavaScript',
  OUTSIDE,
  'unmask',
  'parse: the rest of src/codec',
  'join what came in parts',
  'decode to string',
  'src/connection',
  'the handler',
  'promises, microtasks, ticks',
  'encode',
  'src/runtime and src/sock',
  'garbage collection',
  OTHER_THREADS,
  UNPLACED,
]

/**
 * The part of the innermost frame that the table names.
 *
 * @param stack innermost first
 */
export function partOf(stack: readonly Frame[]): string {
  for (const { name, source } of stack) {
    const rule = RULES.find((rule) => rule.source.test(source) && (rule.name?.test(name) ?? true))
    if (rule !== undefined) return rule.part
  }
  return UNPLACED
}
