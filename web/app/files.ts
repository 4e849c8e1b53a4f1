// A file and a folder as the page holds them: by the hundred thousand, so plain data without
// getters. Pure functions over them; what is asked of the gateway is api.ts's.
import type { PageFile, PageNode } from '../page.ts'
import { QUARTER_COUNT, type QuarterState, quarterState, ringState } from '../ring.ts'
import type { FileJson } from './api.ts'

export interface LibraryFile {
  name: string
  sizeBytes: number
  modifiedMs: number
  type: string
  md5: string
  /** Mask of copies when the listing was made. */
  copies: number
}

export interface LibraryFolder {
  /** Ends in '/'. */
  prefix: string
  fileCount: number
  sizeBytes: number
}

export type Item = LibraryFile | LibraryFolder

export function isFolder(item: Item): item is LibraryFolder {
  return 'prefix' in item
}

/** Name of a file or prefix of a folder: what tells an item from all others. */
export function keyOf(item: Item): string {
  return isFolder(item) ? item.prefix : item.name
}

export function libraryFile({ name, size, modified, type, md5, copies }: FileJson): LibraryFile {
  return { name, sizeBytes: size, modifiedMs: Date.parse(modified), type, md5, copies }
}

/** `ringState` of every mask, since a hundred thousand files are asked at once. */
const HEALTH: readonly QuarterState[] = Array.from({ length: 256 }, (_, mask) => ringState(mask))

export function healthOf(copies: number): QuarterState {
  return HEALTH[copies & 0xff]!
}

/** The rotation: MD5 mod 4, the last two bits of its last hex digit. */
export function rotationOf(file: Pick<LibraryFile, 'md5'>): number {
  return Number.parseInt(file.md5.slice(-1), 16) & 3
}

/** The part that lies on quarter `quarter`, 1..4. */
export function partOn(quarter: number, x: number): number {
  return ((((quarter + 1 - x) % QUARTER_COUNT) + QUARTER_COUNT) % QUARTER_COUNT) + 1
}

/** What the sentences of words.ts need of a file whose copies on live nodes are `copies`. */
export function pageFile(file: LibraryFile, copies: number, nodes: readonly PageNode[]): PageFile {
  const { name, sizeBytes, modifiedMs } = file
  const health = healthOf(copies)
  const x = rotationOf(file)
  const lost = [0, 1, 2, 3].filter((quarter) => quarterState(copies, quarter) === 'lost')
  const missing = new Set(lost.flatMap((quarter) => [quarter, (quarter + 1) % QUARTER_COUNT]))
  return {
    ...{ name, sizeBytes, modifiedMs, copies },
    state: health === 'whole' ? 'complete' : health === 'thin' ? 'degraded' : 'insufficient',
    missingParts: lost.map((quarter) => partOn(quarter, x)).sort(),
    missingNodes: nodes
      .filter((node, index) => missing.has(index) && !node.isUp)
      .map(({ name }) => name),
  }
}

/** What of `name` is shown in `folder`. */
export function shownName(item: Item, folder: string): string {
  const key = isFolder(item) ? item.prefix.slice(0, -1) : item.name
  return key.startsWith(folder) ? key.slice(folder.length) : key
}
