// What values may look like: the few kinds that messages, descriptions and conf files are made of.
// A shape checks values, names what is wrong, fills in defaults, and has a static type. It carries
// the keywords of JSON Schema that say the same. (TypeBox, which the HTTP face uses, does all of
// this and more, and would be half of the time that a node or `dfc` takes to start.)

/** A shape of values of type T. */
export interface Shape<T = unknown> {
  /** For the type checker alone. */
  readonly '~type'?: T
  readonly type?: string
  readonly isOptional?: true
  readonly default?: unknown
  readonly description?: string
  readonly properties?: Record<string, Shape>
  readonly items?: Shape
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly enum?: unknown[]
  /** Tells the first thing that is wrong with a value, undefined where nothing is. */
  readonly faultOf: (value: unknown) => Fault | undefined
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
type OptionalShape = { readonly isOptional: true }
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
type TextLimits = Notes & { minLength?: number; maxLength?: number; pattern?: string }
type ListLimits = Notes & { minItems?: number; maxItems?: number; uniqueItems?: boolean }

/** Makes shapes; named as in JSON Schema. */
export const Type = {
  Unknown: () => shape<unknown>({}, () => true, 'anything'),
  Unsafe: <T>(_: object) => shape<T>({}, () => true, 'anything'),
  Null: () => shape<null>({ type: 'null' }, (value) => value === null, 'null'),
  Boolean: (notes: Notes = {}) =>
    shape<boolean>(
      { ...notes, type: 'boolean' },
      (value) => typeof value === 'boolean',
      'a boolean',
    ),
  Literal: <const L extends string | number>(literal: L) =>
    shape<L>({ enum: [literal] }, (value) => value === literal, JSON.stringify(literal)),
  Number: (limits: NumberLimits = {}) =>
    shape<number>({ ...limits, type: 'number' }, isNumberWithin(limits), numberWords(limits)),
  Integer: (limits: NumberLimits = {}) => {
    const isWithin = isNumberWithin(limits)
    const isRight = (value: unknown) => Number.isInteger(value) && isWithin(value)
    return shape<number>({ ...limits, type: 'integer' }, isRight, `a whole ${numberWords(limits)}`)
  },
  String: (limits: TextLimits = {}) =>
    shape<string>({ ...limits, type: 'string' }, isTextWithin(limits), textWords(limits)),
  Array: listOf,
  Tuple: tupleOf,
  Object: objectOf,
  Record: <V extends Shape>(_key: Shape<string>, of: V): Shape<Record<string, Static<V>>> => ({
    type: 'object',
    faultOf(value) {
      if (!isRecord(value)) return { path: [], message: 'must be a map' }
      const keys = Object.keys(value)
      return firstFault(keys, (key) => within(key, of.faultOf(value[key])))
    },
  }),
  Union: unionOf,
  Optional: <S extends Shape>(of: S): S & OptionalShape => ({ ...of, isOptional: true }),
  /** A rule beyond the kind, for values that are of the kind. */
  Refine: <S extends Shape>(
    of: S,
    holds: (value: Static<S>) => boolean,
    sentence: () => string,
  ): S => ({
    ...of,
    faultOf: (value) =>
      of.faultOf(value) ??
      (holds(value as Static<S>) ? undefined : { path: [], message: sentence(), isRule: true }),
  }),
}

/** Whether `value` is of the shape. */
export function fits<S extends Shape>(of: S, value: unknown): value is Static<S> {
  return of.faultOf(value) === undefined
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
  return { ...keywords, faultOf: (value) => (isRight(value) ? undefined : { path: [], message }) }
}

function listOf<S extends Shape>(items: S, limits: ListLimits = {}): Shape<Static<S>[]> {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, uniqueItems = false } = limits
  return {
    ...limits,
    type: 'array',
    items,
    faultOf(value) {
      if (!Array.isArray(value)) return { path: [], message: 'must be an array' }
      const isSized = value.length >= minItems && value.length <= maxItems
      if (!isSized) return { path: [], message: `must have ${minItems} to ${maxItems} items` }
      if (uniqueItems && new Set(value).size < value.length) {
        return { path: [], message: 'must not have the same item twice' }
      }
      return firstFault(value, (item, index) => within(String(index), items.faultOf(item)))
    },
  }
}

function tupleOf<const S extends readonly Shape[]>(
  items: S,
): Shape<{ -readonly [K in keyof S]: Static<S[K]> }> {
  return {
    type: 'array',
    faultOf(value) {
      if (!Array.isArray(value) || value.length !== items.length) {
        return { path: [], message: `must be an array of ${items.length}` }
      }
      return firstFault(items, (item, index) => within(String(index), item.faultOf(value[index])))
    },
  }
}

function objectOf<P extends Properties>(
  properties: P,
  options: Notes & { additionalProperties?: false } = {},
): Shape<Flat<StaticObject<P>>> & { readonly properties: P } {
  const known = Object.entries(properties)
  const isClosed = options.additionalProperties === false
  return {
    ...options,
    type: 'object',
    properties,
    faultOf(value) {
      if (!isRecord(value)) return { path: [], message: 'must be a map' }
      for (const [key, inner] of known) {
        const fault = Object.hasOwn(value, key)
          ? inner.faultOf(value[key])
          : inner.isOptional
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

function unionOf<S extends readonly Shape[]>(of: S): Shape<Static<S[number]>> {
  return {
    faultOf(value) {
      const faults = of.map((one) => one.faultOf(value))
      if (faults.includes(undefined)) return undefined
      return { path: [], message: faults.map((fault) => fault!.message).join(' or ') }
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
  const from = minimum === undefined ? '' : ` from ${minimum}`
  return `number${from}${maximum === undefined ? '' : ` to ${maximum}`}`
}

function isTextWithin({ minLength = 0, maxLength, pattern }: TextLimits) {
  const most = maxLength ?? Number.POSITIVE_INFINITY
  const expression = pattern === undefined ? undefined : new RegExp(pattern, 'u')
  return (value: unknown) => {
    if (typeof value !== 'string') return false
    // Characters are code points, of which there are at most as many as code units.
    const length =
      value.length > most || value.length < 2 * minLength ? [...value].length : minLength
    return length >= minLength && length <= most && (expression?.test(value) ?? true)
  }
}

function textWords({ minLength, maxLength, pattern }: TextLimits): string {
  if (pattern !== undefined) return `a text of the pattern ${pattern}`
  const from = minLength === undefined ? '' : ` from ${minLength}`
  return `a text${from}${maxLength === undefined ? '' : ` to ${maxLength} characters`}`
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
