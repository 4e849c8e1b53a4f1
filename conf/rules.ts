// What a conf table may hold: unknown keys, wrong values and relative paths. Speaks in whole
// sentences; never repeats a value, since it may be a password.
import { resolve } from 'node:path'
import { faultOf, type Shape, withDefaults } from '@fourfold/storage-node/protocol'

export type Table = Record<string, unknown>

export interface Complaint {
  /** Dotted key. */
  key: string
  sentence: string
}

/** What is wrong with `table`: unknown keys, or else the first wrong value. */
export function complaintsOf(schema: Shape, table: Table): Complaint[] {
  const unknown = unknownKeys(schema, table, [])
  if (unknown.length > 0) return unknown
  const fault = faultOf(schema, withDefaults(schema, table))
  if (fault === undefined) return []
  const key = fault.path.join('.')
  const requirement = fault.isRule ? fault.message : requirementOf(shapeAt(schema, fault.path))
  return [{ key, sentence: `${key} must be ${requirement}.` }]
}

function unknownKeys(shape: Shape, table: Table, path: string[]): Complaint[] {
  const known = Object.keys(shape.properties ?? {})
  return Object.entries(table).flatMap(([name, value]) => {
    const inner = known.includes(name) ? shape.properties?.[name] : undefined
    if (inner === undefined) return [unknownKey(path, name, known)]
    return inner.properties !== undefined && isTable(value)
      ? unknownKeys(inner, value, [...path, name])
      : []
  })
}

function unknownKey(path: string[], name: string, known: string[]): Complaint {
  const key = [...path, name].join('.')
  const near = closest(name, known)
  const advice = near === undefined ? '' : ` Did you mean ${[...path, near].join('.')}?`
  return { key, sentence: `${key} is not a key that this file can have.${advice}` }
}

/** `a whole number of at least 1`. */
function requirementOf(shape: Shape): string {
  if (shape.description !== undefined) return shape.description
  const kind = kinds[shape.type ?? ''] ?? 'of another type'
  const { minimum, maximum, exclusiveMinimum } = shape
  if (minimum !== undefined && maximum !== undefined && maximum < ENDLESS) {
    return `${kind} from ${minimum} to ${maximum}`
  }
  if (minimum !== undefined) return `${kind} of at least ${minimum}`
  if (exclusiveMinimum !== undefined) return `${kind} greater than ${exclusiveMinimum}`
  return kind
}

/** Limits from here on only keep timers and sums exact; a person does not meet them. */
const ENDLESS = 2 ** 31 - 1

const kinds: Record<string, string> = {
  string: 'a text in quotes',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a table',
}

function shapeAt(shape: Shape, path: readonly string[]): Shape {
  let at = shape
  for (const name of path) at = at.properties?.[name] ?? at.items ?? at
  return at
}

/** Makes the paths of the keys that name files absolute; absolute ones and empty ones stay. */
export function resolvePaths(table: Table, folder: string): void {
  for (const [name, value] of Object.entries(table)) {
    if (isTable(value)) resolvePaths(value, folder)
    const isPath = name.endsWith('_file') || name === 'data'
    if (isPath && typeof value === 'string' && value !== '') table[name] = resolve(folder, value)
  }
}

/** Sets a dotted key; what lies on the way and is no table is left for the check to refuse. */
export function setKey(table: Table, key: string, value: unknown): void {
  const [name, ...rest] = key.split('.') as [string, ...string[]]
  if (rest.length === 0) {
    table[name] = value
    return
  }
  if (!Object.hasOwn(table, name)) table[name] = {}
  const inner = table[name]
  if (isTable(inner)) setKey(inner, rest.join('.'), value)
}

function isTable(value: unknown): value is Table {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  )
}

/** The known name that is a slip or two away from `name`; undefined where none is near. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(name.length / 3))
  const [best] = known
    .map((candidate) => ({ candidate, slips: slipsBetween(name, candidate) }))
    .filter(({ slips }) => slips <= limit)
    .sort((a, b) => a.slips - b.slips)
  return best?.candidate
}

/** Levenshtein's distance: letters put in, left out or changed. */
function slipsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
