// The rows of one download between the lanes that fill them and the reader that takes them: each
// row's sealed bytes are put together in one buffer, a few rows ahead of the reader and no more.
import {
  type DfsError,
  NODE_COUNT,
  pieceBytes,
  pieceOffset,
  sealedRowBytes,
} from '@fourfold/storage-node/protocol'

/** Rows that lanes may run ahead of the reader: one is opened while the next arrives. */
const ROWS_AHEAD = 2

interface RowBuffer {
  sealed: Buffer
  lanesMissing: number
}

export interface RowAssemblyOptions {
  file: { sizeBytes: number; rowBytes: number }
  fromRow: number
  /** Called when the reader has moved on and lanes that were held back may go on. */
  onRoom(): void
}

export class RowAssembly {
  readonly #options: RowAssemblyOptions
  readonly #rows = new Map<number, RowBuffer>()
  #nextRow: number
  #waiting: { row: number; resolve: () => void; reject: (error: unknown) => void } | undefined
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
    const { sealed } = this.#rowAt(row)
    bytes.copy(sealed, pieceOffset(sealed.length, lane) + offset)
  }

  /** One lane's piece of `row` is whole. Answers whether the lane may go on to the next row. */
  finishPiece(row: number): boolean {
    const buffer = this.#rowAt(row)
    buffer.lanesMissing--
    if (buffer.lanesMissing === 0 && this.#waiting?.row === row) this.#waiting.resolve()
    return row + 1 < this.#nextRow + ROWS_AHEAD
  }

  /** Waits for the next row and takes it; it is the caller's from then on. */
  async take(): Promise<Buffer> {
    const row = this.#nextRow
    if (this.#failure !== undefined) throw this.#failure
    if (this.#rowAt(row).lanesMissing > 0) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.#waiting = { row, resolve, reject }
      await promise
      this.#waiting = undefined
    }
    const { sealed } = this.#rowAt(row)
    this.#rows.delete(row)
    this.#nextRow = row + 1
    this.#options.onRoom()
    return sealed
  }

  /** No more will come: a lane has no source left. */
  fail(error: DfsError): void {
    this.#failure ??= error
    this.#waiting?.reject(error)
  }

  #rowAt(row: number): RowBuffer {
    const known = this.#rows.get(row)
    if (known !== undefined) return known
    const sealed = Buffer.allocUnsafeSlow(sealedRowBytes(row, this.#options.file))
    const buffer = { sealed, lanesMissing: NODE_COUNT }
    this.#rows.set(row, buffer)
    return buffer
  }
}
