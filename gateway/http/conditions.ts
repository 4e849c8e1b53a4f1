// Conditional requests (RFC 9110 section 13): whether a request may go on, for a file with a strong
// entity tag and a time. Pure functions over header texts; nothing here knows sockets or stores.
import { DfsError, versionTimeMs } from '@fourfold/storage-node/protocol'
import type { WriteCondition } from '../dfs/store.ts'
import { parseHttpDate } from './http-date.ts'

/** What the conditions are about. */
export interface Validators {
  /** 32 hex digits; the entity tag is this in quotes. */
  md5: string
  modifiedMs: number
  /** Version id, 32 hex digits: tells whether the time is that of the upload. */
  version?: string
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
  const unmodifiedSince = parseHttpDate(headers['if-unmodified-since'])
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, file.md5, 'strong')) return 'failed'
  } else if (unmodifiedSince !== undefined && wholeSeconds(file.modifiedMs) > unmodifiedSince) {
    return 'failed'
  }
  const ifNoneMatch = headers['if-none-match']
  const modifiedSince = parseHttpDate(headers['if-modified-since'])
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, file.md5, 'weak')) return 'not-modified'
  } else if (modifiedSince !== undefined && wholeSeconds(file.modifiedMs) <= modifiedSince) {
    return 'not-modified'
  }
  return 'proceed'
}

/**
 * Step 5: whether a Range header counts. Section 13.1.5: an entity tag compares strongly, a date
 * only exactly, and only where it is a strong validator (section 8.8.2.2): a second older than
 * `nowMs`, and our own time of the upload, for one that the uploader gave may have been given to
 * other bytes as well.
 */
export function rangeApplies(headers: ConditionHeaders, file: Validators, nowMs: number): boolean {
  const ifRange = headers['if-range']
  if (ifRange === undefined) return true
  if (/^(W\/)?"/.test(ifRange)) return matches(ifRange, file.md5, 'strong')
  const dateMs = parseHttpDate(ifRange)
  if (dateMs !== wholeSeconds(file.modifiedMs) || nowMs - dateMs < 1000) return false
  const { version } = file
  return version === undefined || versionTimeMs(Buffer.from(version, 'hex')) === file.modifiedMs
}

/**
 * The condition of a write, for the store to hold at commit. `stat` is asked only where a header
 * cannot be told without the present file; undefined is a file that does not exist.
 * @throws DfsError PRECONDITION_FAILED where it already fails, BAD_REQUEST where a list of entity
 *   tags is none: passed over, it would let a write through that was meant to be held back
 */
export async function writeCondition(
  headers: ConditionHeaders,
  stat: () => Promise<Validators | undefined>,
): Promise<WriteCondition | undefined> {
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']
  requireTags('If-Match', ifMatch)
  requireTags('If-None-Match', ifNoneMatch)
  const unmodifiedSince = parseHttpDate(headers['if-unmodified-since'])
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

/** Section 8.8.3, in a list whose items may be empty (section 5.6.1.2). */
const TAG = '(?:W/)?"[\\x21\\x23-\\x7e\\x80-\\xff]*"'
const TAG_LIST = new RegExp(`^[ \\t,]*${TAG}(?:[ \\t]*,[ \\t]*(?:${TAG})?)*$`)

function entityTags(header: string): { value: string; isWeak: boolean }[] {
  if (!TAG_LIST.test(header.trim())) return []
  return [...header.matchAll(/(W\/)?"([^"]*)"/g)].map((match) => ({
    isWeak: match[1] !== undefined,
    value: match[2]!,
  }))
}

function requireTags(field: string, header: string | undefined): void {
  if (header === undefined || header.trim() === '*' || TAG_LIST.test(header.trim())) return
  throw new DfsError('BAD_REQUEST', `${field} is neither * nor a list of entity tags in quotes.`)
}

function refuse(): never {
  throw new DfsError('PRECONDITION_FAILED', 'The file is not the one that the request expects.')
}
