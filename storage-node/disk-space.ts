// Whether the disk has room. Asks the system at most once a second; the answer may be that old.
import { statfsSync } from 'node:fs'
import { toDiskError } from './durable.ts'
import { DfsError } from './protocol/index.ts'

const FRESH_MS = 1000
/** Files that must still be possible: two for each upload under way, and the catalog's own. */
const LEAST_FILES = 256

export interface DiskSpace {
  freeBytes(): number
  /** Size of the whole disk. */
  diskBytes(): number
  /** Whether nothing more is taken. */
  isFull(): boolean
  /** Refuses what would eat into the reserve. @throws DfsError NO_SPACE */
  require(sizeBytes: number): void
}

export function createDiskSpace(options: { path: string; reserveBytes: number }): DiskSpace {
  const { path, reserveBytes } = options
  let measured = 0
  let isOutOfFiles = false
  let diskBytes = 0
  let measuredMs = Number.NEGATIVE_INFINITY

  function freeBytes(): number {
    const nowMs = performance.now()
    if (nowMs - measuredMs >= FRESH_MS) {
      try {
        const found = statfsSync(path)
        const { bavail, bsize, files, ffree } = found
        measured = bavail * bsize
        diskBytes = found.blocks * bsize
        // File systems that make room for files as they come say that there are none at all.
        isOutOfFiles = files > 0 && ffree < LEAST_FILES
      } catch (error) {
        throw toDiskError(error, 'asking for free space')
      }
      measuredMs = nowMs
    }
    return measured
  }

  return {
    freeBytes,
    diskBytes() {
      freeBytes()
      return diskBytes
    },
    isFull: () => freeBytes() < reserveBytes || isOutOfFiles,
    require(sizeBytes) {
      if (freeBytes() - sizeBytes >= reserveBytes && !isOutOfFiles) return
      throw new DfsError('NO_SPACE', 'The disk of this node has no room to spare.')
    },
  }
}
