// What the list shows and in which order: the folder's own files and folders, or whatever a search
// or a filter finds below it. Pure; made for a hundred thousand files.
import type { QuarterState } from '../ring.ts'
import {
  healthOf,
  type Item,
  isFolder,
  keyOf,
  type LibraryFile,
  type LibraryFolder,
} from './files.ts'

export type SortKey = 'name' | 'size' | 'modified'
export type Filter = 'all' | 'thin' | 'lost'

export interface ListView {
  /** '' or a prefix that ends in '/'. */
  folder: string
  search: string
  filter: Filter
  sort: SortKey
  isDescending: boolean
}

/** Numbers count as numbers, capitals as small letters: as people order names. */
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

/** Sorts by name as people do, equal ones by code units; done once for each listing. */
export function sortByName(files: LibraryFile[]): LibraryFile[] {
  return files.sort((a, b) => collator.compare(a.name, b.name) || (a.name < b.name ? -1 : 1))
}

/** Files of `folder` and below it. */
export function filesBelow(files: readonly LibraryFile[], folder: string): readonly LibraryFile[] {
  return folder === '' ? files : files.filter(({ name }) => name.startsWith(folder))
}

/** How many files below are in which state, while the nodes of `mask` answer. */
export function countHealth(
  files: readonly LibraryFile[],
  mask: number,
): Record<QuarterState, number> {
  const counts = { whole: 0, thin: 0, lost: 0 }
  for (const { copies } of files) counts[healthOf(copies & mask)] += 1
  return counts
}

/** @param files in order of names */
export function listItems(files: readonly LibraryFile[], view: ListView, mask: number): Item[] {
  const { folder, search, filter } = view
  if (search === '' && filter === 'all') {
    const { own, folders } = groupFolders(files, folder)
    return [...sortFolders(folders, view), ...sortFiles(own, view)]
  }
  const wanted = search.toLowerCase()
  const found = files.filter(
    ({ name, copies }) =>
      (wanted === '' || name.slice(folder.length).toLowerCase().includes(wanted)) &&
      (filter === 'all' || healthOf(copies & mask) === filter),
  )
  return sortFiles(found, view)
}

/** Files right in `folder`, and the folders in it with all that is below them. */
function groupFolders(files: readonly LibraryFile[], folder: string) {
  const own: LibraryFile[] = []
  const folders = new Map<string, LibraryFolder>()
  for (const file of files) {
    const slash = file.name.indexOf('/', folder.length)
    if (slash < 0) {
      own.push(file)
      continue
    }
    const prefix = file.name.slice(0, slash + 1)
    const known = folders.get(prefix)
    if (known === undefined)
      folders.set(prefix, { prefix, fileCount: 1, sizeBytes: file.sizeBytes })
    else {
      known.fileCount += 1
      known.sizeBytes += file.sizeBytes
    }
  }
  return { own, folders: [...folders.values()] }
}

function sortFolders(folders: LibraryFolder[], { sort, isDescending }: ListView): LibraryFolder[] {
  folders.sort((a, b) =>
    sort === 'size' && a.sizeBytes !== b.sizeBytes
      ? a.sizeBytes - b.sizeBytes
      : collator.compare(a.prefix, b.prefix),
  )
  return isDescending && sort !== 'modified' ? folders.reverse() : folders
}

/** Sorting is stable, so files of equal size or time stay in order of names. */
function sortFiles(files: readonly LibraryFile[], { sort, isDescending }: ListView): LibraryFile[] {
  if (sort === 'name') return isDescending ? files.toReversed() : [...files]
  const sign = isDescending ? -1 : 1
  return sort === 'size'
    ? files.toSorted((a, b) => sign * (a.sizeBytes - b.sizeBytes))
    : files.toSorted((a, b) => sign * (a.modifiedMs - b.modifiedMs))
}

/** The files that are meant where `keys` are chosen: a folder means all that is below it. */
export function filesOf(files: readonly LibraryFile[], keys: ReadonlySet<string>): LibraryFile[] {
  const prefixes = [...keys].filter((key) => key.endsWith('/'))
  return files.filter(
    ({ name }) => keys.has(name) || prefixes.some((prefix) => name.startsWith(prefix)),
  )
}

export function positionOf(items: readonly Item[], key: string): number {
  return items.findIndex((item) => keyOf(item) === key)
}

export function sumBytes(items: readonly (LibraryFile | LibraryFolder)[]): number {
  return items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

export function countFiles(items: readonly Item[]): number {
  return items.reduce((sum, item) => sum + (isFolder(item) ? item.fileCount : 1), 0)
}
