// Pages of what changed of a user's files, written by the database itself: one row of SQL is a
// whole page, because fetching a million entries one by one costs ten times as much as reading
// them. The form is that of protocol/changes-page.ts.
import type { Catalog } from './catalog.ts'
import { CHANGED_FIXED_BYTES, MAX_BODY_BYTES, MAX_SEALED_BYTES } from './protocol/index.ts'

/** A page is cut here; of entries with descriptions it is not tried with more than these. */
const PAGE_BYTES = MAX_BODY_BYTES / 2
const MAX_FULL = 2048

/** SQL has no way to make bytes of a number but to take them out of all there are. */
const FACTS = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
const LENGTHS = Buffer.alloc((MAX_SEALED_BYTES + 1) * 2)
for (let length = 0; length <= MAX_SEALED_BYTES; length++) LENGTHS.writeUInt16BE(length, length * 2)

/**
 * `||` of blobs is a text to SQL; the bytes are the same, and the cast says what they are. The
 * inner query is written to memory first: it names no more columns than are needed.
 */
const pageSql = (columns: string, sealed: string) => `
  SELECT max(change) AS next, count(*) AS count, CAST(group_concat(
    file || version || substr(:facts, state * 16 + parts + 1, 1) || ${sealed},
  '') AS BLOB) AS page
  FROM (
    SELECT ${columns} FROM entries WHERE user = :user AND change > :since
    ORDER BY change LIMIT :limit
  )`
const COLUMNS = 'change, file, version, state, parts'
const FULL = pageSql(`${COLUMNS}, sealed`, 'substr(:lengths, length(sealed) * 2 + 1, 2) || sealed')
const BRIEF = pageSql(COLUMNS, "X'0000'")

const NOTHING = new Uint8Array()

export interface ChangesRequest {
  user: string
  since: number
  /** Entries at most. */
  limit: number
  /** Without sealed descriptions. */
  brief: boolean
}

export interface ChangesReply {
  /** The cursor behind the page. */
  next: number
  more: boolean
  page: Uint8Array
}

interface PageRow {
  next: number | null
  count: number
  page: Uint8Array | null
}

export function createChanges({ database }: Catalog) {
  const full = database.prepare(FULL)
  const brief = database.prepare(BRIEF)
  const beyond = database.prepare('SELECT 1 FROM entries WHERE user = ? AND change > ? LIMIT 1')

  /** The entries that changed after `since`, the oldest change first. */
  return function changesSince(request: ChangesRequest): ChangesReply {
    const { user, since, limit, brief: isBrief } = request
    for (let most = isBrief ? limit : Math.min(limit, MAX_FULL); ; ) {
      const values = { facts: FACTS, user, since, limit: most }
      const row = isBrief ? brief.get(values) : full.get({ ...values, lengths: LENGTHS })
      const { next, count, page } = row as unknown as PageRow
      if (next === null || page === null) return { next: since, more: false, page: NOTHING }
      if (page.length > PAGE_BYTES && count > 1) {
        most = Math.max(1, Math.floor(((PAGE_BYTES - CHANGED_FIXED_BYTES) / page.length) * count))
        continue
      }
      return { next, more: beyond.get(user, next) !== undefined, page }
    }
  }
}
