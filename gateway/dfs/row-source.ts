// The sealed rows of a download, fetched no faster than its reader takes them. A fast reader gets
// ever longer runs of rows, streamed ahead of it; for a slow one rows are fetched one by one, and
// between them neither memory nor connections nor a place among the moving rows are held.
import { DfsError, NODE_COUNT } from '@fourfold/storage-node/protocol'
import type { Leave } from './admission.ts'
import type { LaneReader } from './lane-reader.ts'
import { RowAssembly } from './row-assembly.ts'

/** Rows in one go, at first and at most: a fast reader too lets others have their turn. */
const FIRST_WINDOW_ROWS = 4
const MAX_WINDOW_ROWS = 64
/** How much longer each run is than the one before while the reader is fast. */
const GROWTH = 4
/** A reader that takes longer than this for a row is slow: about 4 MiB a second. */
const SLOW_MS = 250
/** A reader that was fast and has stopped: what was fetched ahead for it is dropped. */
const PARK_MS = 1000

export interface RowSourceOptions {
  file: { sizeBytes: number; rowBytes: number }
  /** Rows `fromRow` to `toRow`, the latter not included. */
  fromRow: number
  toRow: number
  signal: AbortSignal | undefined
  /** A lane is not late that takes less, milliseconds. */
  lateMs: number
  /** Waits for a place among the moving rows. */
  enter(): Promise<Leave>
  /** A reader of one lane for rows up to `toRow`, not included, into `assembly`. */
  openLane(place: LanePlace): LaneReader
}

export interface LanePlace {
  lane: number
  fromRow: number
  toRow: number
  assembly: RowAssembly
}

/** The four pieces of one row, in the order of its lanes. */
export interface RowPieces {
  row: number
  pieces: Buffer[]
}

/**
 * Sealed rows in order, each as its four pieces.
 * @throws DfsError BUSY, ABORTED, and what the lanes throw
 */
export async function* sealedRowsAtPace(options: RowSourceOptions): AsyncGenerator<RowPieces> {
  const { fromRow, toRow } = options
  let row = fromRow
  let windowRows = FIRST_WINDOW_ROWS
  while (row < toRow) {
    const run = await openRun(options, row, Math.min(row + windowRows, toRow))
    let slowestMs = 0
    try {
      while (row < run.toRow && !run.isParked) {
        const pieces = await run.take(row)
        const givenMs = performance.now()
        run.startWaiting()
        yield { row, pieces }
        run.stopWaiting()
        slowestMs = Math.max(slowestMs, performance.now() - givenMs)
        row++
      }
    } finally {
      run.end()
    }
    windowRows = slowestMs > SLOW_MS ? 1 : Math.min(windowRows * GROWTH, MAX_WINDOW_ROWS)
  }
}

/** One run of rows on its way. */
async function openRun(options: RowSourceOptions, fromRow: number, toRow: number) {
  const { file, signal, openLane } = options
  const leave = await options.enter()
  const readers: LaneReader[] = []
  const assembly = new RowAssembly({
    file,
    fromRow,
    onRoom: () => {
      for (const reader of readers) reader.resume()
    },
    lateMs: options.lateMs,
    onLate: (lanes) => {
      for (const lane of lanes) readers[lane]!.replaceSlow()
    },
  })
  const onAbort = () => assembly.fail(new DfsError('ABORTED', 'The download was given up.'))
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted === true) onAbort()
  const runs = Array.from({ length: NODE_COUNT }, (_, lane) => {
    const reader = openLane({ lane, fromRow, toRow, assembly })
    readers.push(reader)
    return reader.run().catch((error: DfsError) => assembly.fail(error))
  })
  let parking: NodeJS.Timeout | undefined
  let hasEnded = false

  const run = {
    toRow,
    isParked: false,

    async take(row: number): Promise<Buffer[]> {
      const pieces = await assembly.take()
      if (row + 1 === toRow) {
        // The connections go back to where others take them before the reader is waited for.
        await Promise.all(runs)
        run.end()
      }
      return pieces
    },

    startWaiting(): void {
      if (hasEnded) return
      parking = setTimeout(() => {
        run.isParked = true
        run.end()
      }, PARK_MS)
    },

    stopWaiting(): void {
      clearTimeout(parking)
    },

    end(): void {
      if (hasEnded) return
      hasEnded = true
      clearTimeout(parking)
      signal?.removeEventListener('abort', onAbort)
      for (const reader of readers) reader.stop()
      assembly.drop()
      leave()
    },
  }
  return run
}
