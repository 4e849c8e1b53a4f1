// A page of a long list: as many items as were asked for and as a body holds, in CBOR.
import { crc32 } from 'node:zlib'
import { encodeHeader, MAX_BODY_BYTES } from '../protocol/index.ts'

/** A page is cut here; the longest item that may follow still fits into a body. */
const PAGE_BYTES = MAX_BODY_BYTES / 2

export interface Page<T> {
  /** Where to begin. */
  since: number
  limit: number
  /** Answers up to `limit` items after a cursor, each with its own cursor. */
  items: (since: number, limit: number) => Iterable<[number, T]>
  /** About how long an item is in CBOR. */
  sizeOf: (item: T) => number
  /** The cursor behind all that there is, where nothing follows. Default: that of the last item. */
  end?: number
}

/** The answer that carries the page: the cursor to go on with, whether there is more, the items. */
export function pageReply<T>({ since, limit, items, sizeOf, end = 0 }: Page<T>) {
  const page: T[] = []
  let next = since
  let sizeBytes = 0
  let more = false
  // One beyond the limit tells whether there is more.
  for (const [cursor, item] of items(since, limit + 1)) {
    more = page.length === limit || sizeBytes >= PAGE_BYTES
    if (more) break
    page.push(item)
    next = cursor
    sizeBytes += sizeOf(item)
  }
  if (!more) next = Math.max(next, end)
  const bytes = encodeHeader(page)
  return { header: { next, more }, body: [{ bytes, crc: crc32(bytes) }] }
}
