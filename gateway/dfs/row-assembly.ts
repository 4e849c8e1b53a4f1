// The rows of one download between the lanes that fill them and the reader that takes them: each
// row's four sealed pieces, a few rows ahead of the reader and no more.
import {
  type DfsError,
  NODE_COUNT,
  pieceBytes,
  sealedRowBytes,
} from '@fourfold/storage-node/protocol'
import { giveBack } from './lease.ts'

/** Rows that lanes may run ahead of the reader: one is opened while the next arrives. */
const ROWS_AHEAD = 2

/** A lane is late when the reader has waited this many times as long as for half of the lanes. */
const TIMES_HALF = 4

interface RowBuffer {
  /** Of lane 0..3. */
  pieces: Buffer[]
  lanesMissing: Set<number>
}

export interface RowAssemblyOptions {
  file: { sizeBytes: number; rowBytes: number }
  fromRow: number
  /** Called when the reader has moved on and lanes that were held back may go on. */
  onRoom(): void
  /** Nothing is late that takes less. */
  lateMs: number
  /** The reader waits for these lanes (0..3) alone, and much longer than for the others. */
  onLate(lanes: readonly number[]): void
}

export class RowAssembly {
  readonly #options: RowAssemblyOptions
  readonly #rows = new Map<number, RowBuffer>()
  #nextRow: number
  #waiting: { resolve: () => void; reject: (error: unknown) => void; sinceMs: number } | undefined
  #lateTimer: NodeJS.Timeout | undefined
  #failure: unknown

  constructor(options: RowAssemblyOptions) {
    this.#options = options
    this.#nextRow = options.fromRow
  }

  pieceLength(row: number, lane: number): number {
    return pieceBytes(sealedRowBytes(row, this.#options.file), lane)
  }

  write(place: { row: number; lane: number; offset: number }, bytes: Buffer): void {
    const { row, lane, offset } = place
    bytes.copy(this.#rowAt(row).pieces[lane]!, offset)
  }

  /** One lane's piece of `row` is whole. Answers whether the lane may go on to the next row. */
  finishPiece(row: number, lane: number): boolean {
    const { lanesMissing } = this.#rowAt(row)
    lanesMissing.delete(lane)
    if (row === this.#nextRow && this.#waiting !== undefined) {
      if (lanesMissing.size === 0) this.#waiting.resolve()
      else this.#watch(lanesMissing)
    }
    return row + 1 < this.#nextRow + ROWS_AHEAD
  }

  /** Waits for the next row and takes its pieces; they are the caller's from then on. */
  async take(): Promise<Buffer[]> {
    const row = this.#nextRow
    if (this.#failure !== undefined) throw this.#failure
    const { lanesMissing } = this.#rowAt(row)
    if (lanesMissing.size > 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.#waiting = { resolve, reject, sinceMs: performance.now() }
      this.#watch(lanesMissing)
      await promise.finally(() => clearTimeout(this.#lateTimer))
      this.#waiting = undefined
    }
    const { pieces } = this.#rowAt(row)
    this.#rows.delete(row)
    this.#nextRow = row + 1
    this.#options.onRoom()
    return pieces
  }

  /** Nothing more is taken, and nothing more comes: what was fetched ahead is given back. */
  drop(): void {
    clearTimeout(this.#lateTimer)
    for (const { pieces } of this.#rows.values()) pieces.forEach(giveBack)
    this.#rows.clear()
  }

  /** No more will come: a lane has no source left. */
  fail(error: DfsError): void {
    this.#failure ??= error
    this.#waiting?.reject(error)
  }

  /** Once half of the lanes are there, says when the others are late. */
  #watch(lanesMissing: ReadonlySet<number>): void {
    if (lanesMissing.size > NODE_COUNT / 2) return
    clearTimeout(this.#lateTimer)
    const { lateMs, onLate } = this.#options
    const halfMs = performance.now() - this.#waiting!.sinceMs
    const limitMs = Math.max(lateMs, halfMs * TIMES_HALF)
    this.#lateTimer = setTimeout(() => {
      // What arrived while this process itself was late is taken first.
      setImmediate(() => onLate([...lanesMissing]))
    }, limitMs)
  }

  #rowAt(row: number): RowBuffer {
    const known = this.#rows.get(row)
    if (known !== undefined) return known
    const lanes = Array.from({ length: NODE_COUNT }, (_, lane) => lane)
    const pieces = lanes.map((lane) => Buffer.allocUnsafeSlow(this.pieceLength(row, lane)))
    const buffer = { pieces, lanesMissing: new Set(lanes) }
    this.#rows.set(row, buffer)
    return buffer
  }
}
