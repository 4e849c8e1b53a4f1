// What values may look like: the few kinds that messages, descriptions, conf files and what HTTP
// takes and gives are made of. A shape checks values, names what is wrong, fills in defaults, and
// has a static type. It is a JSON Schema too, which says the same as far as keywords can.

// Symbols, so that what reads a shape as JSON Schema meets keywords and nothing else.
const FAULT_OF = Symbol('faultOf')
const IS_OPTIONAL = Symbol('isOptional')

/** A shape of values of type T. */
export interface Shape<T = unknown> {
  /** For the type checker alone. */
  readonly '~type'?: T
  readonly type?: string
  readonly default?: unknown
  readonly description?: string
  readonly required?: string[]
  readonly properties?: Record<string, Shape>
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly const?: unknown
  readonly [IS_OPTIONAL]?: true
  readonly [FAULT_OF]: (value: unknown) => Fault | undefined
}

export interface Fault {
  /** Keys and indices that lead to it. */
  path: string[]
  /** `must be ...`, or what a `Refine` says. */
  message: string
  /** It is `Refine`'s own sentence. */
  isRule?: true
}

export type Static<S> = S extends Shape<infer T> ? T : never
export type Properties = Record<string, Shape>
type OptionalShape = { readonly [IS_OPTIONAL]: true }
type StaticObject<P> = {
  [K in keyof P as P[K] extends OptionalShape ? never : K]: Static<P[K]>
} & {
  [K in keyof P as P[K] extends OptionalShape ? K : never]?: Static<P[K]>
}
type Flat<T> = { [K in keyof T]: T[K] }

interface Notes {
  default?: unknown
  description?: string
}
type NumberLimits = Notes & { minimum?: number; maximum?: number; exclusiveMinimum?: number }
type TextLimits = Notes & {
  minLength?: number
  maxLength?: number
  pattern?: string
  enum?: string[]
  /** For readers of the schema: nothing is checked. */
  format?: string
}
type ListLimits = Notes & { minItems?: number; maxItems?: number; uniqueItems?: boolean }

/** Makes shapes; named as in JSON Schema. */
export const Type = {
  Unknown: () => shape<unknown>({}, () => true, 'anything'),
  Unsafe: <T>(_: object) => shape<T>({}, () => true, 'anything'),
  Null: () => shape<null>({ type: 'null' }, (value) => value === null, 'null'),
  Boolean: (notes: Notes = {}) =>
    shape<boolean>(
      { type: 'boolean', ...notes },
      (value) => typeof value === 'boolean',
      'a boolean',
    ),
  Literal: <const L extends string | number>(literal: L) =>
    shape<L>(
      { type: typeof literal, const: literal },
      (value) => value === literal,
      JSON.stringify(literal),
    ),
  Number: (limits: NumberLimits = {}) =>
    shape<number>(
      { type: 'number', ...limits },
      isNumberWithin(limits),
      `a ${numberWords(limits)}`,
    ),
  Integer: (limits: NumberLimits = {}) => {
    const isWithin = isNumberWithin(limits)
    const isRight = (value: unknown) => Number.isInteger(value) && isWithin(value)
    return shape<number>({ type: 'integer', ...limits }, isRight, `a whole ${numberWords(limits)}`)
  },
  String: (limits: TextLimits = {}) =>
    shape<string>({ type: 'string', ...limits }, isTextWithin(limits), textWords(limits)),
  Array: listOf,
  Tuple: tupleOf,
  Object: objectOf,
  Record: <V extends Shape>(_key: Shape<string>, of: V): Shape<Record<string, Static<V>>> => ({
    type: 'object',
    [FAULT_OF](value) {
      if (!isRecord(value)) return { path: [], message: 'must be an object' }
      const keys = Object.keys(value)
      return firstFault(keys, (key) => within(key, of[FAULT_OF](value[key])))
    },
  }),
  Union: unionOf,
  Optional: <S extends Shape>(of: S): S & OptionalShape => ({ ...of, [IS_OPTIONAL]: true }),
  /** A rule beyond the kind, for values that are of the kind. */
  Refine: <S extends Shape>(
    of: S,
    holds: (value: Static<S>) => boolean,
    sentence: () => string,
  ): S => ({
    ...of,
    [FAULT_OF]: (value) =>
      of[FAULT_OF](value) ??
      (holds(value as Static<S>) ? undefined : { path: [], message: sentence(), isRule: true }),
  }),
}

/** The first thing that is wrong with `value`, undefined where nothing is. */
export function faultOf(of: Shape, value: unknown): Fault | undefined {
  return of[FAULT_OF](value)
}

/** Whether `value` is of the shape. */
export function fits<S extends Shape>(of: S, value: unknown): value is Static<S> {
  return of[FAULT_OF](value) === undefined
}

/** A copy of `value` with the defaults of all that it leaves out. */
export function withDefaults(of: Shape, value: unknown): unknown {
  if (value === undefined) {
    return of.default === undefined ? undefined : withDefaults(of, structuredClone(of.default))
  }
  if (of.properties === undefined || !isRecord(value)) return value
  const filled: Record<string, unknown> = { ...value }
  for (const [key, inner] of Object.entries(of.properties)) {
    const own = Object.hasOwn(filled, key) ? filled[key] : undefined
    const full = withDefaults(inner, own)
    if (full !== undefined) filled[key] = full
  }
  return filled
}

function shape<T>(
  keywords: Partial<Shape<T>>,
  isRight: (value: unknown) => boolean,
  words: string,
): Shape<T> {
  const message = `must be ${words}`
  return {
    ...keywords,
    [FAULT_OF]: (value) => (isRight(value) ? undefined : { path: [], message }),
  }
}

function listOf<S extends Shape>(items: S, limits: ListLimits = {}): Shape<Static<S>[]> {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, uniqueItems = false } = limits
  return {
    type: 'array',
    items,
    ...limits,
    [FAULT_OF](value) {
      if (!Array.isArray(value)) return { path: [], message: 'must be an array' }
      const isSized = value.length >= minItems && value.length <= maxItems
      if (!isSized) return { path: [], message: `must have ${minItems} to ${maxItems} items` }
      if (uniqueItems && new Set(value).size < value.length) {
        return { path: [], message: 'must not have the same item twice' }
      }
      return firstFault(value, (item, index) => within(String(index), items[FAULT_OF](item)))
    },
  }
}

function tupleOf<const S extends readonly Shape[]>(
  items: S,
): Shape<{ -readonly [K in keyof S]: Static<S[K]> }> {
  return {
    type: 'array',
    [FAULT_OF](value) {
      if (!Array.isArray(value) || value.length !== items.length) {
        return { path: [], message: `must be an array of ${items.length}` }
      }
      return firstFault(items, (item, index) => within(String(index), item[FAULT_OF](value[index])))
    },
  }
}

function objectOf<P extends Properties>(
  properties: P,
  options: Notes & { additionalProperties?: false } = {},
): Shape<Flat<StaticObject<P>>> & { readonly properties: P } {
  const known = Object.entries(properties)
  const required = known.filter(([, inner]) => !inner[IS_OPTIONAL]).map(([key]) => key)
  const isClosed = options.additionalProperties === false
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties,
    ...options,
    [FAULT_OF](value) {
      if (!isRecord(value)) return { path: [], message: 'must be an object' }
      for (const [key, inner] of known) {
        const fault = Object.hasOwn(value, key)
          ? inner[FAULT_OF](value[key])
          : inner[IS_OPTIONAL]
            ? undefined
            : { path: [], message: 'must be there' }
        if (fault !== undefined) return within(key, fault)
      }
      if (!isClosed) return undefined
      for (const key in value) {
        if (!Object.hasOwn(properties, key)) {
          return { path: [key], message: 'must not be there' }
        }
      }
      return undefined
    },
  }
}

function unionOf<S extends readonly Shape[]>(
  anyOf: S,
  notes: Notes = {},
): Shape<Static<S[number]>> {
  return {
    anyOf,
    ...notes,
    [FAULT_OF](value) {
      const faults = anyOf.map((one) => one[FAULT_OF](value))
      if (faults.includes(undefined)) return undefined
      // Where only something inside of the value is wrong, its own kind was the right one.
      const inner = faults.find((fault) => fault!.path.length > 0)
      const messages = faults.map((fault) => fault!.message)
      const message = messages.join(' or ').replaceAll(' or must be ', ' or ')
      return inner ?? { path: [], message }
    },
  }
}

function isNumberWithin({ minimum, maximum, exclusiveMinimum }: NumberLimits) {
  const least = minimum ?? Number.NEGATIVE_INFINITY
  const most = maximum ?? Number.POSITIVE_INFINITY
  const above = exclusiveMinimum ?? Number.NEGATIVE_INFINITY
  return (value: unknown) =>
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= least &&
    value <= most &&
    value > above
}

function numberWords({ minimum, maximum }: NumberLimits): string {
  if (minimum !== undefined && maximum !== undefined) return `number from ${minimum} to ${maximum}`
  if (maximum !== undefined) return `number of at most ${maximum}`
  return minimum === undefined ? 'number' : `number of at least ${minimum}`
}

function isTextWithin({ minLength = 0, maxLength, pattern, enum: known }: TextLimits) {
  const most = maxLength ?? Number.POSITIVE_INFINITY
  const expression = pattern === undefined ? undefined : new RegExp(pattern, 'u')
  return (value: unknown) => {
    if (typeof value !== 'string' || known?.includes(value) === false) return false
    // Characters are code points, of which there are at most as many as code units.
    const length =
      value.length > most || value.length < 2 * minLength ? [...value].length : minLength
    return length >= minLength && length <= most && (expression?.test(value) ?? true)
  }
}

function textWords({ minLength, maxLength, pattern, enum: known }: TextLimits): string {
  if (known !== undefined) return known.map((text) => JSON.stringify(text)).join(' or ')
  if (pattern !== undefined) return `a text of the pattern ${pattern}`
  if (minLength !== undefined && maxLength !== undefined) {
    return `a text of ${minLength} to ${maxLength} characters`
  }
  if (maxLength !== undefined) return `a text of at most ${maxLength} characters`
  return minLength === undefined ? 'a text' : `a text of at least ${minLength} characters`
}

function within(key: string, fault: Fault | undefined): Fault | undefined {
  return fault && { ...fault, path: [key, ...fault.path] }
}

function firstFault<I>(
  items: readonly I[],
  faultOf: (item: I, index: number) => Fault | undefined,
): Fault | undefined {
  for (const [index, item] of items.entries()) {
    const fault = faultOf(item, index)
    if (fault !== undefined) return fault
  }
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof Date)
  )
}
