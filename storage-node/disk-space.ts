// Whether the disk has room. Asks the system at most once a second; the answer may be that old.
import { statfsSync } from 'node:fs'
import { toDiskError } from './durable.ts'
import { DfsError } from './protocol/index.ts'

const FRESH_MS = 1000

export interface DiskSpace {
  freeBytes(): number
  /** Whether nothing more is taken. */
  isFull(): boolean
  /** Refuses what would eat into the reserve. @throws DfsError NO_SPACE */
  require(sizeBytes: number): void
}

export function createDiskSpace(options: { path: string; reserveBytes: number }): DiskSpace {
  const { path, reserveBytes } = options
  let measured = 0
  let measuredMs = Number.NEGATIVE_INFINITY

  function freeBytes(): number {
    const nowMs = performance.now()
    if (nowMs - measuredMs >= FRESH_MS) {
      try {
        const { bavail, bsize } = statfsSync(path)
        measured = bavail * bsize
      } catch (error) {
        throw toDiskError(error, 'asking for free space')
      }
      measuredMs = nowMs
    }
    return measured
  }

  return {
    freeBytes,
    isFull: () => freeBytes() < reserveBytes,
    require(sizeBytes) {
      if (freeBytes() - sizeBytes >= reserveBytes) return
      throw new DfsError('NO_SPACE', 'The disk of this node has no room to spare.')
    },
  }
}
