// The listing as pages of a hundred for people: any order, page by number.
import type { Identity } from '../dfs/identity.ts'
import type { FileInfo, Listing, SortKey, Store } from '../dfs/store.ts'

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
}

export const PAGE_ENTRIES = 100

export interface ListingRequest {
  store: Store
  identity: Identity
  view: ListingView
  signal: AbortSignal
}

/** A search looks into folders; a plain listing shows them. */
export async function listPage({
  store,
  identity,
  view,
  signal,
}: ListingRequest): Promise<ListingPage> {
  const { folder, search, sort, isDescending } = view
  const { files, folders, total, next } = await store.list(identity, {
    ...(search === '' ? { prefix: folder, delimiter: '/' } : { prefix: folder, search }),
    ...{ sort, isDescending, signal },
    from: (view.page - 1) * PAGE_ENTRIES,
    limit: PAGE_ENTRIES,
  })
  return { files, folders, total, hasNext: next !== undefined }
}
