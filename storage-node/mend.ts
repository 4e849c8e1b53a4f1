// Mends a part file of which some pieces are damaged, where it lies: only these pieces come from
// the twin, so that two copies that are damaged in different places mend each other. Writing in
// place is safe: a piece is wrong before, and until the write is whole its checksum says so.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { toDiskError, writeAll } from './durable.ts'
import type { StoredPart } from './entry-table.ts'
import { CRC_BYTES } from './part-store.ts'
import type { Lack } from './peer-entries.ts'
import type { Repair } from './repair.ts'

/** A part as it should be, and where its file is. */
export interface PartFile extends Omit<StoredPart, 'data'> {
  path: string
  rows: number
}

export interface MendResult {
  /** Pieces that were replaced. */
  mended: number
  /**
   * Every piece has the checksum that goes with it, and yet they are not those that were stored:
   * the whole part is to be fetched.
   */
  isForeign: boolean
}

/**
 * Reads every piece of the file and replaces the damaged ones from the twin, durably.
 * @throws DfsError as `Repair.fetchPiece`: what was mended before stays
 */
export async function mendPieces(
  repair: Pick<Repair, 'fetchPiece'>,
  lack: Lack,
  part: PartFile,
): Promise<MendResult> {
  const { path, rows, bytes, pieceBytes } = part
  const file = await open(path, constants.O_RDWR).catch((error: unknown) => {
    throw toDiskError(error, 'opening a part')
  })
  const buffer = Buffer.allocUnsafeSlow(pieceBytes + CRC_BYTES)
  const crcBytes = Buffer.alloc(CRC_BYTES)
  let mended = 0
  let checksum = 0
  try {
    for (let row = 0; row < rows; row++) {
      const length = row === rows - 1 ? bytes - (rows - 1) * pieceBytes : pieceBytes
      const position = row * (pieceBytes + CRC_BYTES)
      const wanted = length + CRC_BYTES
      // A disk that cannot read a piece may well take it anew.
      const { bytesRead } = await file
        .read(buffer, 0, wanted, position)
        .catch(() => ({ bytesRead: 0 }))
      const isRight =
        bytesRead === wanted && crc32(buffer.subarray(0, length)) === buffer.readUInt32BE(length)
      if (!isRight) {
        const { piece, crc } = await repair.fetchPiece(lack, part.part, row)
        if (piece.length !== length) return { mended, isForeign: true }
        piece.copy(buffer)
        buffer.writeUInt32BE(crc, length)
        writeAll(file.fd, buffer.subarray(0, wanted), position)
        mended++
      }
      buffer.copy(crcBytes, 0, length, wanted)
      checksum = crc32(crcBytes, checksum)
    }
    if (mended > 0) await file.datasync()
  } catch (error) {
    throw toDiskError(error, 'mending a part')
  } finally {
    await file.close()
  }
  return { mended, isForeign: checksum !== part.checksum }
}
