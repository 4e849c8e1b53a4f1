// Gathers a stream of any-sized buffers into rows of plaintext. One row is held at a time.
import { ROW_BYTES } from '@fourfold/storage-node/protocol'
import { giveBack } from './lease.ts'

export interface PlainRow {
  row: number
  /** Valid until the next row is asked for. */
  plain: Buffer
  isLast: boolean
}

export interface PlainRowsOptions {
  source: AsyncIterable<Uint8Array>
  /** Called with every buffer of the source, once and in order, before its bytes are in a row. */
  onBytes(bytes: Uint8Array): void
  /** Called with the bytes of a row as they come into it. */
  onFill?(bytes: Buffer): void
  /**
   * Takes a row, the last one too, when the next is asked for, and answers memory as long as it for
   * the next. Default: the same again.
   */
  exchange?(plain: Buffer): Promise<Buffer>
  /** Gives the memory of the source's buffers back once their bytes are in rows. */
  isSourceOwned?: boolean | undefined
  /** Where known, the bytes to come: a small file takes no more memory than it has. */
  sizeBytes?: number | undefined
}

/**
 * Rows of `ROW_BYTES`, the last one shorter (or empty, for an empty source). Where `sizeBytes` is
 * given, `onBytes` must throw at a byte beyond it.
 */
export async function* plainRows(options: PlainRowsOptions): AsyncGenerator<PlainRow> {
  const { source, onBytes, onFill, exchange, isSourceOwned, sizeBytes = ROW_BYTES } = options
  const capacity = Math.max(1, Math.min(sizeBytes, ROW_BYTES))
  let buffer: Buffer = Buffer.allocUnsafeSlow(capacity)
  let filled = 0
  let row = 0
  for await (const bytes of source) {
    onBytes(bytes)
    let at = 0
    while (at < bytes.length) {
      // A full row is handed on only when a byte follows: only then is it known not to be the last.
      if (filled === capacity) {
        yield { row: row++, plain: buffer, isLast: false }
        if (exchange !== undefined) buffer = await exchange(buffer)
        filled = 0
      }
      const taken = Math.min(capacity - filled, bytes.length - at)
      buffer.set(bytes.subarray(at, at + taken), filled)
      onFill?.(buffer.subarray(filled, filled + taken))
      filled += taken
      at += taken
    }
    if (isSourceOwned === true) giveBack(bytes)
  }
  const plain = buffer.subarray(0, filled)
  yield { row, plain, isLast: true }
  await exchange?.(plain)
}
