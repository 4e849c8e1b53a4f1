// Gathers a stream of any-sized buffers into rows of plaintext. One row is held at a time, in one
// buffer.
import { ROW_BYTES } from '@fourfold/storage-node/protocol'

export interface PlainRow {
  row: number
  /** Valid until the next row is asked for. */
  plain: Buffer
  isLast: boolean
}

/**
 * Rows of `ROW_BYTES`, the last one shorter (or empty, for an empty source). `onBytes` is called
 * with every buffer of the source, once and in order, before its bytes are in a row.
 */
export async function* plainRows(
  source: AsyncIterable<Uint8Array>,
  onBytes: (bytes: Uint8Array) => void,
): AsyncGenerator<PlainRow> {
  const buffer = Buffer.allocUnsafeSlow(ROW_BYTES)
  let filled = 0
  let row = 0
  for await (const bytes of source) {
    onBytes(bytes)
    let at = 0
    while (at < bytes.length) {
      // A full row is handed on only when a byte follows: only then is it known not to be the last.
      if (filled === ROW_BYTES) {
        yield { row: row++, plain: buffer, isLast: false }
        filled = 0
      }
      const taken = Math.min(ROW_BYTES - filled, bytes.length - at)
      buffer.set(bytes.subarray(at, at + taken), filled)
      filled += taken
      at += taken
    }
  }
  yield { row, plain: buffer.subarray(0, filled), isLast: true }
}
