// The ranges of a Range header (RFC 9110 section 14), decided for a file of a known size: one pure
// function. Knows no file; what is refused for its cost (section 17.15) is refused here.
import type { ByteRange } from '../dfs/store.ts'

/** Longer headers are an attack or nonsense; both are answered with the whole file. */
const MAX_HEADER_LENGTH = 2048
/** Each range costs a head in the answer and, in a file of many rows, up to two rows of reading. */
const MAX_RANGES = 32
/** Section 14.2: more overlaps than two, or many ranges out of order, may be ignored. */
const MAX_OVERLAPS = 2
const MAX_REVERSALS = 2
/**
 * Ranges with less than this between them become one (section 15.3.7.2): the head of a part of
 * its own would be as long.
 */
const MIN_GAP_BYTES = 80

/**
 * What a Range header asks of `sizeBytes` bytes: the ranges in the order of the answer, inside the
 * file, none touching another. `all`: there is no header, or one that is ignored (section 14.2:
 * malformed, another unit, or dear); `unsatisfiable`: answer 416.
 */
export function chooseRanges(
  header: string | undefined,
  sizeBytes: number,
): ByteRange[] | 'all' | 'unsatisfiable' {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return 'all'
  const asked = parseRanges(header)
  if (asked === undefined || asked.length > MAX_RANGES) return 'all'
  const inside = asked.map((range) => clip(range, sizeBytes)).filter((range) => range !== undefined)
  if (inside.length === 0) return 'unsatisfiable'
  // Satisfiable by the letter (a suffix of an empty file), but no Content-Range can say it.
  if (sizeBytes === 0) return 'all'
  if (overlaps(inside) > MAX_OVERLAPS || reversals(inside) > MAX_REVERSALS) return 'all'
  return coalesce(inside)
}

/** A position of any length stays comparable: what is beyond a double is beyond any file. */
type AskedRange = { first: number; last: number } | { suffixBytes: number }

/** Section 14.1.1; undefined where the whole header is invalid. */
function parseRanges(header: string): AskedRange[] | undefined {
  // Section 14.1: units are compared without regard to case; whitespace only around list items.
  const set = /^[ \t]*bytes=(.*)$/i.exec(header)?.[1]
  if (set === undefined) return undefined
  const asked: AskedRange[] = []
  for (const item of set.split(',')) {
    const text = item.replace(/^[ \t]+|[ \t]+$/g, '')
    // Section 5.6.1.2: empty list items count for nothing.
    if (text === '') continue
    const match = /^(\d*)-(\d*)$/.exec(text)
    if (match === null) return undefined
    const [, first = '', last = ''] = match
    if (first === '' && last === '') return undefined
    if (first === '') {
      asked.push({ suffixBytes: Number(last) })
      continue
    }
    const range = { first: Number(first), last: last === '' ? Number.POSITIVE_INFINITY : +last }
    // A last position before the first makes the header invalid.
    if (range.last < range.first) return undefined
    asked.push(range)
  }
  return asked.length === 0 ? undefined : asked
}

/** The range inside the file; undefined where it is not satisfiable (section 14.1.2). */
function clip(asked: AskedRange, sizeBytes: number): ByteRange | undefined {
  if ('suffixBytes' in asked) {
    if (asked.suffixBytes === 0) return undefined
    return { from: Math.max(0, sizeBytes - asked.suffixBytes), to: sizeBytes - 1 }
  }
  if (asked.first >= sizeBytes) return undefined
  return { from: asked.first, to: Math.min(asked.last, sizeBytes - 1) }
}

/** How many ranges begin inside what those before them, by position, have covered. */
function overlaps(ranges: readonly ByteRange[]): number {
  let count = 0
  let coveredTo = -1
  for (const { from, to } of byPosition(ranges)) {
    if (from <= coveredTo) count++
    coveredTo = Math.max(coveredTo, to)
  }
  return count
}

/** How many ranges begin before the one that stands before them in the header. */
function reversals(ranges: readonly ByteRange[]): number {
  return ranges.filter(({ from }, at) => at > 0 && from < ranges[at - 1]!.from).length
}

/** Joins ranges that overlap or nearly touch; each keeps the place of the first it is made of. */
function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: (ByteRange & { place: number })[] = []
  for (const range of byPosition(ranges)) {
    const before = joined.at(-1)
    const place = ranges.indexOf(range)
    if (before !== undefined && range.from - before.to - 1 < MIN_GAP_BYTES) {
      before.to = Math.max(before.to, range.to)
      before.place = Math.min(before.place, place)
    } else {
      joined.push({ ...range, place })
    }
  }
  return joined.sort((a, b) => a.place - b.place).map(({ from, to }) => ({ from, to }))
}

function byPosition(ranges: readonly ByteRange[]): ByteRange[] {
  return ranges.toSorted((a, b) => a.from - b.from || a.to - b.to)
}
