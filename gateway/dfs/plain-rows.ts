// Gathers a stream of any-sized buffers into rows of plaintext. One row is held at a time.
import { ROW_BYTES } from '@fourfold/storage-node/protocol'
import { giveBack } from './lease.ts'
import { RowFill } from './row-fill.ts'

export interface PlainRow {
  row: number
  /** The plaintext, in buffers that follow each other; whoever got them may give them back. */
  slices: Buffer[]
  lengthBytes: number
  isLast: boolean
}

export interface PlainRowsOptions {
  source: AsyncIterable<Uint8Array>
  /** Called with every buffer of the source, once and in order, before its bytes are in a row. */
  onBytes(bytes: Uint8Array): void
  /** Called with the bytes of a row as they come into it. */
  onFill?(bytes: Uint8Array): void
  /** Gives the memory of the source's buffers back once their bytes are in rows. */
  isSourceOwned?: boolean | undefined
  /** Where known, the bytes to come: a small file takes no more memory than it has. */
  sizeBytes?: number | undefined
}

/** Rows of `ROW_BYTES`, the last one shorter (or empty, for an empty source). */
export async function* plainRows(options: PlainRowsOptions): AsyncGenerator<PlainRow> {
  const { source, onBytes, onFill, isSourceOwned, sizeBytes } = options
  const fill = new RowFill(sizeBytes)
  let row = 0
  const next = (isLast: boolean): PlainRow => {
    const { lengthBytes } = fill
    return { row: row++, slices: fill.take(), lengthBytes, isLast }
  }
  for await (const bytes of source) {
    onBytes(bytes)
    let at = 0
    while (at < bytes.length) {
      // Where no more was announced, a full row is known not to be the last once a byte follows.
      if (fill.lengthBytes === ROW_BYTES) yield next(false)
      const taken = fill.add(bytes.subarray(at))
      onFill?.(bytes.subarray(at, at + taken))
      at += taken
    }
    if (isSourceOwned === true) giveBack(bytes)
    // Its turn among the rows of others may take a while: only the row itself is held meanwhile.
    if (fill.lengthBytes === ROW_BYTES && fill.isMoreAnnounced) yield next(false)
  }
  yield next(true)
}
