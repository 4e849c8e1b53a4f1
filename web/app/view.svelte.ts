// What the person looks at: folder, search, order, filter; and which rows that makes. Kept in the
// page's address, so that it can be shared, reloaded, and read without scripts.
import { listingPath } from '../paths.ts'
import type { Cluster } from './cluster.svelte.ts'
import type { Item } from './files.ts'
import type { Library } from './library.svelte.ts'
import { countHealth, type Filter, filesBelow, listItems, type SortKey } from './order.ts'

export class View {
  folder = $state('')
  search = $state('')
  filter = $state<Filter>('all')
  sort = $state<SortKey>('name')
  isDescending = $state(false)
  /** Which screen the address names. */
  screen = $state<'files' | 'cluster'>('files')
  readonly #base: string
  readonly #library: Library
  readonly #cluster: Cluster
  /** Files of the folder and below it. */
  below = $derived.by(() => filesBelow(this.#library.files, this.folder))
  counts = $derived.by(() => countHealth(this.below, this.#cluster.mask))
  /** A filter that finds nothing any more is off. */
  activeFilter = $derived<Filter>(
    this.filter === 'all' || this.counts[this.filter] === 0 ? 'all' : this.filter,
  )
  items: readonly Item[] = $derived.by(() => {
    const { folder, sort, isDescending, activeFilter } = this
    const view = { folder, search: this.search.trim(), filter: activeFilter, sort, isDescending }
    return listItems(this.below, view, this.#cluster.mask)
  })
  /** Found files come from anywhere below: their way from the folder is shown. */
  isFlat = $derived(this.search.trim() !== '' || this.activeFilter !== 'all')

  constructor(base: string, library: Library, cluster: Cluster) {
    this.#base = base
    this.#library = library
    this.#cluster = cluster
    this.readAddress()
  }

  /** Takes over what the address says: at the start, and when the person goes back. */
  readAddress(): void {
    const query = new URLSearchParams(location.search)
    const folder = query.get('folder') ?? ''
    this.folder = folder === '' || folder.endsWith('/') ? folder : `${folder}/`
    this.search = query.get('q') ?? ''
    const sort = query.get('sort')
    this.sort = sort === 'size' || sort === 'modified' ? sort : 'name'
    this.isDescending = query.get('dir') === 'desc'
    this.screen = location.hash === '#cluster' ? 'cluster' : 'files'
  }

  open(folder: string): void {
    this.folder = folder
    this.search = ''
    this.filter = 'all'
    this.screen = 'files'
    this.#write('push')
  }

  show(screen: 'files' | 'cluster'): void {
    this.screen = screen
    this.#write('push')
  }

  find(text: string): void {
    this.search = text
    this.#write('replace')
  }

  /** Names from A, sizes and times from the greatest; the same column again turns it round. */
  sortBy(key: SortKey): void {
    this.isDescending = this.sort === key ? !this.isDescending : key !== 'name'
    this.sort = key
    this.#write('replace')
  }

  addressOf(folder: string): string {
    return listingPath(this.#base, { folder })
  }

  #write(how: 'push' | 'replace'): void {
    const { folder, sort, isDescending } = this
    const search = this.search.trim()
    const path = listingPath(this.#base, { folder, search, sort, isDescending })
    const address = this.screen === 'cluster' ? `${path}#cluster` : path
    if (how === 'push') history.pushState(null, '', address)
    else history.replaceState(null, '', address)
  }
}
