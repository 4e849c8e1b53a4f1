// The listing as pages of a hundred for people: any order, page by number, on top of a store that
// lists in order of names by cursor. Bounded: what cannot be sorted within the bound is shown by
// name.
import type { Identity } from '../dfs/identity.ts'
import type { FileInfo, Listing, ListQuery, Store } from '../dfs/store.ts'

export type SortKey = 'name' | 'size' | 'modified'

/** What the address of a listing says. */
export interface ListingView {
  folder: string
  search: string
  sort: SortKey
  isDescending: boolean
  /** From 1. */
  page: number
}

export interface ListingPage {
  files: FileInfo[]
  folders: Listing['folders']
  total: Listing['total']
  hasNext: boolean
  /** False where there was too much to sort. */
  isSorted: boolean
}

export const PAGE_ENTRIES = 100
const WINDOW_ENTRIES = 1000
/** Above this many files and folders a listing is shown by name only. */
const MAX_SORTED_ENTRIES = 50_000

export interface ListingRequest {
  store: Store
  identity: Identity
  view: ListingView
  signal: AbortSignal
}

export async function listPage(request: ListingRequest): Promise<ListingPage> {
  const { view } = request
  if (view.sort === 'name' && !view.isDescending) return pageByName(request)
  const all = await listAll(request)
  if (all === undefined) return { ...(await pageByName(request)), isSorted: false }
  const sign = view.isDescending ? -1 : 1
  const folders = all.folders.sort((a, b) => sign * compareFolders(a, b, view.sort))
  const files = all.files.sort((a, b) => sign * compareFiles(a, b, view.sort))
  const from = (view.page - 1) * PAGE_ENTRIES
  const to = from + PAGE_ENTRIES
  return {
    folders: folders.slice(from, to),
    files: files.slice(Math.max(0, from - folders.length), Math.max(0, to - folders.length)),
    total: all.total,
    hasNext: to < folders.length + files.length,
    isSorted: true,
  }
}

/** Walks over the pages before in windows ten times as wide. */
async function pageByName({ store, identity, view, signal }: ListingRequest): Promise<ListingPage> {
  let skip = (view.page - 1) * PAGE_ENTRIES
  const query: ListQuery = { ...queryOf(view), signal }
  while (skip > 0) {
    const limit = skip >= WINDOW_ENTRIES ? WINDOW_ENTRIES : PAGE_ENTRIES
    const { next, total } = await store.list(identity, { ...query, limit })
    if (next === undefined) return { files: [], folders: [], total, hasNext: false, isSorted: true }
    query.cursor = next
    skip -= limit
  }
  const { files, folders, total, next } = await store.list(identity, {
    ...query,
    limit: PAGE_ENTRIES,
  })
  return { files, folders, total, hasNext: next !== undefined, isSorted: true }
}

async function listAll({ store, identity, view, signal }: ListingRequest) {
  const files: FileInfo[] = []
  const folders: Listing['folders'] = []
  const query: ListQuery = { ...queryOf(view), signal, limit: WINDOW_ENTRIES }
  while (true) {
    const listing = await store.list(identity, query)
    files.push(...listing.files)
    folders.push(...listing.folders)
    if (listing.next === undefined) return { files, folders, total: listing.total }
    if (files.length + folders.length >= MAX_SORTED_ENTRIES) return undefined
    query.cursor = listing.next
  }
}

/** A search looks into folders; a plain listing shows them. */
function queryOf({ folder, search }: ListingView): ListQuery {
  return search === '' ? { prefix: folder, delimiter: '/' } : { prefix: folder, search }
}

type Folder = Listing['folders'][number]

/** Folders have no time: by name then. */
function compareFolders(a: Folder, b: Folder, sort: SortKey): number {
  if (sort === 'size' && a.sizeBytes !== b.sizeBytes) return a.sizeBytes - b.sizeBytes
  return compareNames(a.prefix, b.prefix)
}

function compareFiles(a: FileInfo, b: FileInfo, sort: SortKey): number {
  if (sort === 'size' && a.sizeBytes !== b.sizeBytes) return a.sizeBytes - b.sizeBytes
  if (sort === 'modified' && a.modifiedMs !== b.modifiedMs) return a.modifiedMs - b.modifiedMs
  return compareNames(a.name, b.name)
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
