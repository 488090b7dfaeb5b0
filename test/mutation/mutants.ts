/** Small wrong changes to a source file, one at a time: the mutants that tests should notice. */

export interface Mutant {
  /** 1-based. */
  readonly line: number
  readonly before: string
  readonly after: string
  /** The whole file with the change. */
  readonly source: string
}

type Operator = readonly [pattern: RegExp, replace: (match: string) => string]

const swap =
  (pairs: Readonly<Record<string, string>>) =>
  (match: string): string =>
    pairs[match.trim()] === undefined ? match : match.replace(match.trim(), pairs[match.trim()] as string)

/** The project's formatter puts spaces around operators and none around type parameters, so patterns can be plain. */
const OPERATORS: readonly Operator[] = [
  // Off by one at a boundary, and the condition turned round.
  [/ (?:<|<=|>|>=) /g, swap({ '<': '<=', '<=': '<', '>': '>=', '>=': '>' })],
  [/ (?:<|>) /g, swap({ '<': '>=', '>': '<=' })],
  [/ (?:===|!==) /g, swap({ '===': '!==', '!==': '===' })],
  [/ (?:&&|\|\||\?\?) /g, swap({ '&&': '||', '||': '&&', '??': '&&' })],
  [/(?<![\w=!])!(?=[\w(#])/g, () => ''],
  // Arithmetic.
  [
    / (?:[-+*/&|^]|<<|>>|>>>) /g,
    swap({ '+': '-', '-': '+', '*': '+', '/': '*', '&': '|', '|': '&', '^': '&', '<<': '>>', '>>': '<<', '>>>': '<<' }),
  ],
  [/ (?:\+=|-=|\|=) /g, swap({ '+=': '-=', '-=': '+=', '|=': '&=' })],
  [/\+\+|--/g, (match) => (match === '++' ? '--' : '++')],
  // Constants.
  [/(?<![\w.#'§])(?:0x[0-9a-f_]+|\d[\d_]*)(?![\w'.])/g, (match) => String(Number(match.replaceAll('_', '')) + 1)],
  [/(?<![\w.#])(?:true|false)(?!\w)/g, (match) => (match === 'true' ? 'false' : 'true')],
  [
    /'[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*'/g,
    (match) => (match === "'RESERVED_BIT'" ? "'RESERVED_OPCODE'" : "'RESERVED_BIT'"),
  ],
  [/'(?:forbid|ignore)'/g, (match) => (match === "'forbid'" ? "'ignore'" : "'forbid'")],
  [
    /(?<=: )(?:OPEN|REMOTE_CLOSING|LOCAL_CLOSING|FAILED|CLOSED)(?=,)/g,
    (match) => (match === 'CLOSED' ? 'OPEN' : 'CLOSED'),
  ],
  // A condition that always or never holds.
  [/(?<=(?:if|while) \().+(?=\) )/g, () => 'true'],
  [/(?<=(?:if|while) \().+(?=\) )/g, () => 'false'],
  // A statement left out.
  [
    /^ +(?:this|throw|void|decoder|extension|target|words|bytes|blocks)\b[^{]*$/g,
    (match) => match.replace(/\S.*/, ';'),
  ],
]

/** Class fields that begin with a number or a flag: most are set again before they are read. */
const FIELD = /^ {2}(?:protected |readonly )*#?\w+(?:: \w+)? = (?:\d+|true|false)$/

/** Lines in which nothing is run: comments, imports and types. */
const NOT_CODE =
  /^\s*(?:\*|\/\*|\/\/|import\b|export (?:type|interface)\b|export \*|type\b|interface\b|readonly \w+\??:|\w+\(.*\): [\w| []+$)/

const transpiler: Bun.Transpiler = new Bun.Transpiler({ loader: 'ts' })

/** What is run of a source, or nothing when it does not parse. */
function compiled(source: string): string | undefined {
  try {
    return transpiler.transformSync(source)
  } catch {
    return undefined
  }
}

/** Every mutant of a file that parses and differs in what is run. */
export function mutantsOf(source: string): Mutant[] {
  const original = compiled(source)
  const lines = source.split('\n')
  const mutants: Mutant[] = []
  for (const [index, line] of lines.entries()) {
    if (NOT_CODE.test(line) || FIELD.test(line)) continue
    const comment = line.indexOf(' // ')
    const code = comment < 0 ? line : line.slice(0, comment)
    const seen = new Set<string>()
    for (const [pattern, replace] of OPERATORS) {
      for (const match of code.matchAll(pattern)) {
        const after = line.slice(0, match.index) + replace(match[0]) + line.slice(match.index + match[0].length)
        if (after === line || seen.has(after)) continue
        seen.add(after)
        const mutated = [...lines.slice(0, index), after, ...lines.slice(index + 1)].join('\n')
        const run = compiled(mutated)
        if (run === undefined || run === original) continue
        mutants.push({ line: index + 1, before: line.trim(), after: after.trim(), source: mutated })
      }
    }
  }
  return mutants
}
