/**
 * Options as a table: what each one is, and one check for all of them.
 *
 * A wrong option fails at the call: TypeError for an unknown name or a wrong type, RangeError for a value out of range.
 */

interface RuleBase<D> {
  /** What holds when the option is left out. */
  readonly default: D
  /** One sentence for the documentation. */
  readonly doc: string
}

/** A number with a unit. */
export interface NumberRule extends RuleBase<number> {
  readonly kind: 'number'
  /** What is counted, in the plural. */
  readonly unit: string
  readonly min: number
  readonly max: number
  /** Whether fractions are refused. */
  readonly integer: boolean
  /** Whether `Infinity` is allowed beyond `max`. */
  readonly unlimited: boolean
}

/** One of a few words. */
export interface ChoiceRule<T extends string> extends RuleBase<T> {
  readonly kind: 'choice'
  readonly choices: readonly T[]
}

/** `true` or `false`. */
export interface FlagRule extends RuleBase<boolean> {
  readonly kind: 'flag'
}

/** `true`, `false`, or `true` with details that have a table of their own. */
export interface DetailRule<T extends object> extends RuleBase<boolean> {
  readonly kind: 'detail'
  readonly options: OptionTable<T>
}

/** A callback, absent by default. */
export interface FunctionRule extends RuleBase<undefined> {
  readonly kind: 'function'
}

type AnyRule = NumberRule | ChoiceRule<string> | FlagRule | DetailRule<object> | FunctionRule

/** The rule that fits an option of type `T`; an option without one does not compile. */
export type RuleFor<T> = [T] extends [number]
  ? NumberRule
  : [T] extends [string]
    ? ChoiceRule<T>
    : [T] extends [boolean]
      ? FlagRule
      : [T] extends [(...args: never[]) => unknown]
        ? FunctionRule
        : [T] extends [boolean | infer D]
          ? DetailRule<Exclude<D, boolean> & object>
          : never

/** A rule for every option of `T`, no more and no fewer. */
export type OptionTable<T> = { readonly [K in keyof T]-?: RuleFor<NonNullable<T[K]>> }

/** Options with every default filled in. */
export type Filled<T> = { [K in keyof T]-?: Exclude<T[K], undefined> }

/** The values of a table's defaults; an option without one is left out. */
export type Defaults<T> = {
  [K in keyof T as OptionTable<T>[K] extends RuleBase<undefined> ? never : K]-?: OptionTable<T>[K] extends RuleBase<
    infer D
  >
    ? D
    : never
}

/** The default of every option that has one. */
export function defaultsOf<T>(table: OptionTable<T>): Defaults<T> {
  const rules = Object.entries(table as Record<string, AnyRule>).filter(([, rule]) => rule.default !== undefined)
  return Object.fromEntries(rules.map(([name, rule]) => [name, rule.default])) as Defaults<T>
}

/**
 * Checks the options that are given; `undefined` counts as left out.
 *
 * @param prefix what stands before an option's name in messages, such as `permessageDeflate.`
 * @throws {TypeError} for an unknown option or a value of the wrong type
 * @throws {RangeError} for a value out of range
 */
export function checkOptions<T>(table: OptionTable<T>, options: T, prefix = ''): void {
  const rules = table as Record<string, AnyRule>
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const name = prefix === '' ? 'Options' : prefix.slice(0, -1)
    throw new TypeError(`${name} must be an object; got ${describe(options)}`)
  }
  for (const [key, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (rule === undefined) {
      throw new TypeError(`Unknown option ${prefix}${key}; known are ${Object.keys(rules).join(', ')}`)
    }
    if (value !== undefined) checkOption(prefix + key, rule, value)
  }
}

function checkOption(name: string, rule: AnyRule, value: unknown): void {
  if (rule.kind === 'detail' && typeof value === 'object' && value !== null) {
    checkOptions(rule.options, value, `${name}.`)
    return
  }
  const fault = faultOf(rule, value)
  if (fault === undefined) return
  throw new fault(`${name} must be ${expectation(rule)}; got ${describe(value)}`)
}

function faultOf(rule: AnyRule, value: unknown): ErrorConstructor | undefined {
  switch (rule.kind) {
    case 'number': {
      if (typeof value !== 'number') return TypeError
      if (value === Number.POSITIVE_INFINITY && rule.unlimited) return undefined
      // Written so that NaN falls out of range.
      const inRange = value >= rule.min && value <= rule.max && (!rule.integer || Number.isInteger(value))
      return inRange ? undefined : RangeError
    }
    case 'choice':
      if (typeof value !== 'string') return TypeError
      return rule.choices.includes(value) ? undefined : RangeError
    case 'flag':
    case 'detail':
      return typeof value === 'boolean' ? undefined : TypeError
    case 'function':
      return typeof value === 'function' ? undefined : TypeError
  }
}

/** What a rule allows, in words: unit and range. */
export function expectation(rule: AnyRule): string {
  switch (rule.kind) {
    case 'number': {
      const kind = rule.integer ? 'a whole number' : 'a number'
      return `${kind} of ${rule.unit} from ${rule.min} to ${rule.max}${rule.unlimited ? ', or Infinity' : ''}`
    }
    case 'choice':
      return `one of ${rule.choices.map((choice) => `'${choice}'`).join(', ')}`
    case 'flag':
      return 'true or false'
    case 'detail':
      return `true, false or an object with ${Object.keys(rule.options).join(', ')}`
    case 'function':
      return 'a function'
  }
}

function describe(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}
