// One way to look at a user's files: those below a prefix or that a search finds, rolled up into
// folders, in an order. Made once for as many pages as are asked for while nothing changes; keeps
// slots, not files.
import { DfsError } from '@fourfold/storage-node/protocol'
import type { FileTable } from './file-table.ts'
import { firstIndex, nearIndex, sortedByNumber } from './sorted.ts'
import type { FolderInfo, Listing, ListQuery, SortKey } from './store.ts'

/** Slots in order of name, and what the files before each take together. */
export interface NamedSpan {
  slots: Int32Array
  /** `bytesBefore[i]`: plaintext bytes of slots 0 to i-1; one longer than `slots`. */
  bytesBefore: Float64Array
}

export interface ListingView {
  sort: SortKey
  isDescending: boolean
  /** Smallest first, whatever `isDescending` says; folders always stand before files. */
  folders: FolderInfo[]
  files: Int32Array
  total: Listing['total']
}

export type ViewQuery = Pick<ListQuery, 'prefix' | 'delimiter' | 'search' | 'sort' | 'isDescending'>

/** What of a query makes another view. */
export function keyOfView({ prefix, delimiter, search, sort, isDescending }: ViewQuery): string {
  return JSON.stringify([prefix ?? '', delimiter ?? '', search ?? '', sort, isDescending === true])
}

/** `slots`, which are in order of name, with the sums that folders' sizes are taken from. */
export function spanOf(table: FileTable, slots: Int32Array): NamedSpan {
  const bytesBefore = new Float64Array(slots.length + 1)
  for (let at = 0; at < slots.length; at++) {
    bytesBefore[at + 1] = bytesBefore[at]! + table.sizes[slots[at]!]!
  }
  return { slots, bytesBefore }
}

/** A view of `all`, the files of `table`. */
export function createView(table: FileTable, all: NamedSpan, query: ViewQuery): ListingView {
  const { prefix = '', delimiter = '', search = '', sort = 'name', isDescending = false } = query
  let [from, to] = rangeOf(table, all.slots, prefix)
  let span = all
  if (search !== '') {
    span = spanOf(table, found(table, all.slots.subarray(from, to), search))
    from = 0
    to = span.slots.length
  }
  const total = { fileCount: to - from, sizeBytes: span.bytesBefore[to]! - span.bytesBefore[from]! }
  const { folders, files } =
    delimiter === ''
      ? { folders: [], files: span.slots.subarray(from, to) }
      : rollUp(table, { span, from, to, prefix, delimiter })
  if (sort === 'size') folders.sort((a, b) => a.sizeBytes - b.sizeBytes)
  const isByName = sort === 'name'
  const sorted = isByName ? files : sortedByNumber(files, numbersOf(table, sort))
  return { sort, isDescending, folders, files: sorted, total }
}

/** The files whose names begin with `prefix`. */
function rangeOf(table: FileTable, slots: Int32Array, prefix: string): [number, number] {
  if (prefix === '') return [0, slots.length]
  const nameAt = (index: number) => table.shownName(slots[index]!)
  const from = firstIndex(0, slots.length, (index) => nameAt(index) >= prefix)
  const to = firstIndex(from, slots.length, (index) => !nameAt(index).startsWith(prefix))
  return [from, to]
}

function found(table: FileTable, slots: Int32Array, search: string): Int32Array {
  const wanted = search.normalize('NFC').toLowerCase()
  return slots.filter((slot) => table.shownName(slot).toLowerCase().includes(wanted))
}

/** Files with the delimiter after the prefix as one row for each folder; skips from one to next. */
function rollUp(
  table: FileTable,
  options: { span: NamedSpan; from: number; to: number; prefix: string; delimiter: string },
): { folders: FolderInfo[]; files: Int32Array } {
  const { span, from, to, prefix, delimiter } = options
  const { slots, bytesBefore } = span
  const folders: FolderInfo[] = []
  const files = new Int32Array(to - from)
  let fileCount = 0
  for (let at = from; at < to; ) {
    const name = table.shownName(slots[at]!)
    const delimiterAt = name.indexOf(delimiter, prefix.length)
    if (delimiterAt === -1) {
      files[fileCount++] = slots[at++]!
      continue
    }
    const folder = name.slice(0, delimiterAt + delimiter.length)
    const end = nearIndex(at, to, (index) => !table.shownName(slots[index]!).startsWith(folder))
    const sizeBytes = bytesBefore[end]! - bytesBefore[at]!
    folders.push({ prefix: folder, fileCount: end - at, sizeBytes })
    at = end
  }
  return { folders, files: files.slice(0, fileCount) }
}

/** Folders and files of a view together. */
export function rowCountOf({ folders, files }: ListingView): number {
  return folders.length + files.length
}

/** Rows `from` to `to` (not included). */
export function rowsOf(
  view: ListingView,
  from: number,
  to: number,
): { folders: FolderInfo[]; slots: Int32Array } {
  const { folders, files } = view
  const part = <T extends { length: number }>(all: T, slice: (from: number, to: number) => T) => {
    return (first: number, last: number) => {
      const [a, b] = [clamp(first, all.length), clamp(last, all.length)]
      return view.isDescending ? slice(all.length - b, all.length - a) : slice(a, b)
    }
  }
  const folderRows = part(folders, (a, b) => folders.slice(a, b))(from, to)
  const fileRows = part(files, (a, b) => files.slice(a, b))(
    from - folders.length,
    to - folders.length,
  )
  if (view.isDescending) {
    folderRows.reverse()
    fileRows.reverse()
  }
  return { folders: folderRows, slots: fileRows }
}

/** A cursor says the row it stands after: folder or file, its name, and what it is sorted by. */
export function cursorAfter(view: ListingView, table: FileTable, row: number): string {
  const { folders, slots } = rowsOf(view, row, row + 1)
  const [folder] = folders
  const mark =
    folder === undefined
      ? ['file', table.shownName(slots[0]!), numberOf(table, view.sort, slots[0]!)]
      : ['folder', folder.prefix, folder.sizeBytes]
  const text = JSON.stringify([view.sort, view.isDescending, ...mark])
  return Buffer.from(text).toString('base64url')
}

/**
 * The first row behind a cursor, also where the row it stands after is gone.
 * @throws DfsError BAD_REQUEST
 */
export function rowAfter(view: ListingView, table: FileTable, cursor: string): number {
  const [kind, name, number] = marksOf(cursor, view)
  const isFolder = kind === 'folder'
  const all = isFolder ? view.folders : view.files
  const compare = (index: number) => {
    if (isFolder) {
      const { prefix, sizeBytes } = view.folders[index]!
      return view.sort === 'size'
        ? sizeBytes - number || compareNames(prefix, name)
        : compareNames(prefix, name)
    }
    const slot = view.files[index]!
    const difference = numberOf(table, view.sort, slot) - number
    return difference || compareNames(table.shownName(slot), name)
  }
  const offset = isFolder ? 0 : view.folders.length
  if (!view.isDescending) return offset + firstIndex(0, all.length, (index) => compare(index) > 0)
  return offset + all.length - firstIndex(0, all.length, (index) => compare(index) >= 0)
}

function marksOf(cursor: string, view: ListingView): [string, string, number] {
  try {
    const text = Buffer.from(cursor, 'base64url').toString()
    const [sort, isDescending, kind, name, number] = JSON.parse(text) as unknown[]
    const isWhole =
      sort === view.sort &&
      isDescending === view.isDescending &&
      (kind === 'file' || kind === 'folder') &&
      typeof name === 'string' &&
      typeof number === 'number'
    if (isWhole) return [kind, name, number]
  } catch {
    // Not ours: told below.
  }
  throw new DfsError('BAD_REQUEST', 'The cursor is not one that a listing in this order gave.')
}

function numbersOf(table: FileTable, sort: 'size' | 'modified'): Float64Array {
  return sort === 'size' ? table.sizes : table.modified
}

function numberOf(table: FileTable, sort: SortKey, slot: number): number {
  return sort === 'name' ? 0 : numbersOf(table, sort)[slot]!
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function clamp(index: number, length: number): number {
  return Math.min(Math.max(index, 0), length)
}
