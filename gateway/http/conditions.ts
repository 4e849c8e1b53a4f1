// Conditional requests (RFC 9110 section 13): whether a request may go on, for a file with a strong
// entity tag and a time. Pure functions over header texts; nothing here knows sockets or stores.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { WriteCondition } from '../dfs/store.ts'

/** What the conditions are about. */
export interface Validators {
  /** 32 hex digits; the entity tag is this in quotes. */
  md5: string
  modifiedMs: number
}

/** The header fields of section 13.1, as Node gives them. */
export interface ConditionHeaders {
  'if-match'?: string | undefined
  'if-none-match'?: string | undefined
  'if-modified-since'?: string | undefined
  'if-unmodified-since'?: string | undefined
  'if-range'?: string | undefined
}

/** Go on; say that nothing changed (304); refuse (412). */
export type Verdict = 'proceed' | 'not-modified' | 'failed'

/** Evaluates GET and HEAD in the order of section 13.2.2, steps 1 to 4. */
export function judgeRead(headers: ConditionHeaders, file: Validators): Verdict {
  const ifMatch = headers['if-match']
  const unmodifiedSince = httpDate(headers['if-unmodified-since'])
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, file.md5, 'strong')) return 'failed'
  } else if (unmodifiedSince !== undefined && wholeSeconds(file.modifiedMs) > unmodifiedSince) {
    return 'failed'
  }
  const ifNoneMatch = headers['if-none-match']
  const modifiedSince = httpDate(headers['if-modified-since'])
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, file.md5, 'weak')) return 'not-modified'
  } else if (modifiedSince !== undefined && wholeSeconds(file.modifiedMs) <= modifiedSince) {
    return 'not-modified'
  }
  return 'proceed'
}

/**
 * Step 5: whether a Range header counts. Section 13.1.5: an entity tag compares strongly, a date
 * only exactly, and only where it is a strong validator (section 8.8.2.2: a second older than
 * `nowMs`).
 */
export function rangeApplies(headers: ConditionHeaders, file: Validators, nowMs: number): boolean {
  const ifRange = headers['if-range']
  if (ifRange === undefined) return true
  if (/^(W\/)?"/.test(ifRange)) return matches(ifRange, file.md5, 'strong')
  const dateMs = httpDate(ifRange)
  return dateMs === wholeSeconds(file.modifiedMs) && nowMs - dateMs >= 1000
}

/**
 * The condition of a write, for the store to hold at commit. `stat` is asked only where a header
 * cannot be told without the present file; undefined is a file that does not exist.
 * @throws DfsError PRECONDITION_FAILED where it already fails
 */
export async function writeCondition(
  headers: ConditionHeaders,
  stat: () => Promise<Validators | undefined>,
): Promise<WriteCondition | undefined> {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  const unmodifiedSince = httpDate(headers['if-unmodified-since'])
  const match = ifMatch === undefined ? undefined : matchCondition(ifMatch)
  if (ifNoneMatch?.trim() === '*') {
    if (match !== undefined) refuse()
    return { kind: 'absent' }
  }
  const isTimed = ifMatch === undefined && unmodifiedSince !== undefined
  if (ifNoneMatch === undefined && !isTimed) return match
  const file = await stat()
  if (file === undefined) return match ?? { kind: 'absent' }
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, file.md5, 'weak')) refuse()
  if (isTimed && wholeSeconds(file.modifiedMs) > unmodifiedSince) refuse()
  // What was looked at must still be the file at commit.
  return match ?? { kind: 'match', md5s: [file.md5] }
}

/** `Last-Modified` has whole seconds, so comparisons have them too. */
export function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000
}

function matchCondition(header: string): WriteCondition {
  if (header.trim() === '*') return { kind: 'match', md5s: 'any' }
  const md5s = entityTags(header)
    .filter((tag) => !tag.isWeak)
    .map((tag) => tag.value)
  return { kind: 'match', md5s }
}

/** Section 8.8.3.2: a strong comparison refuses every weak tag. */
function matches(header: string, md5: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true
  return entityTags(header).some(
    (tag) => tag.value === md5 && (comparison === 'weak' || !tag.isWeak),
  )
}

function entityTags(header: string): { value: string; isWeak: boolean }[] {
  return [...header.matchAll(/(W\/)?"([^"]*)"/g)].map((match) => ({
    isWeak: match[1] !== undefined,
    value: match[2]!,
  }))
}

/** Section 13.1.3: a field that is not an HTTP date is ignored. */
function httpDate(text: string | undefined): number | undefined {
  if (text === undefined || !/^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/.test(text)) return undefined
  // The obsolete asctime form names no zone; all HTTP dates are UTC (section 5.6.7).
  const timeMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

function refuse(): never {
  throw new DfsError('PRECONDITION_FAILED', 'The file is not the one that the request expects.')
}
