// Which rows a download reads for the byte ranges that are asked of it. Pure: rows that several
// ranges touch are read once, rows between ranges are not read.
import { rowCount } from '@fourfold/storage-node/protocol'
import type { ByteRange } from './store.ts'

/** Rows `fromRow` to `toRow`, the latter not included, and the ranges that they hold, in order. */
export interface RowRun {
  fromRow: number
  toRow: number
  ranges: ByteRange[]
}

/** The rows of a file, of which an empty one has one too, for `ranges` or for all of it. */
export function rowRuns(
  ranges: readonly ByteRange[] | 'all',
  file: { size: number; rowBytes: number },
): RowRun[] {
  const { size, rowBytes } = file
  if (ranges === 'all') {
    return [{ fromRow: 0, toRow: rowCount(size, rowBytes), ranges: [{ from: 0, to: size - 1 }] }]
  }
  const runs: RowRun[] = []
  for (const range of ranges) {
    const fromRow = Math.floor(range.from / rowBytes)
    const toRow = Math.floor(range.to / rowBytes) + 1
    const run = runs.at(-1)
    // A range that goes on where the one before ended, or further on in the same row.
    const isNext = run !== undefined && range.from > run.ranges.at(-1)!.to && fromRow <= run.toRow
    if (isNext) {
      run.ranges.push(range)
      run.toRow = toRow
    } else {
      runs.push({ fromRow, toRow, ranges: [range] })
    }
  }
  return runs
}

/** What the ranges want of the row that begins at `rowStart`, as slices of its plaintext. */
export function* slicesOf(plain: Buffer, rowStart: number, ranges: readonly ByteRange[]) {
  for (const { from, to } of ranges) {
    const start = Math.max(0, from - rowStart)
    const end = Math.min(plain.length, to + 1 - rowStart)
    if (start < end) yield plain.subarray(start, end)
  }
}
