// A part on its way from its twin: a file that grows piece by piece, each with its CRC-32, and that
// a restart or a lost peer does not take away. What it says of itself is only believed as far as
// its checksums hold. Knows no peers and no catalog.
import { closeSync, constants, ftruncateSync, openSync, read } from 'node:fs'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { removeFile, syncData, toDiskError, writeAll } from './durable.ts'
import { CRC_BYTES } from './part-store.ts'
import { DfsError } from './protocol/index.ts'

const readAsync = promisify(read)

/** What a part is to be in the end. */
export interface PartFigures {
  rows: number
  /** Of all pieces. */
  bytes: number
  pieceBytes: number
  /** CRC-32 over the CRC-32s of all pieces. */
  checksum: number
}

export type PartialPart = Awaited<ReturnType<typeof openPartial>>

/**
 * Opens the file of a part that may have been begun before, and reads what it holds: the first
 * piece that is not whole and right, and all after it, are cut off.
 * @throws DfsError DISK_FAILED, NO_SPACE
 */
export async function openPartial(path: string, figures: PartFigures) {
  const { rows, pieceBytes } = figures
  const sum = { rows: 0, bytes: 0, checksum: 0, position: 0 }
  let fd: number
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  } catch (error) {
    throw toDiskError(error, 'opening a part that is being fetched')
  }

  function lengthOf(row: number): number {
    return row === rows - 1 ? figures.bytes - (rows - 1) * pieceBytes : pieceBytes
  }

  function count(lengthBytes: number, crcBytes: Buffer): void {
    sum.rows++
    sum.bytes += lengthBytes
    sum.position += lengthBytes + CRC_BYTES
    sum.checksum = crc32(crcBytes, sum.checksum)
  }

  async function findEnd(): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(pieceBytes + CRC_BYTES)
    while (sum.rows < rows) {
      const length = lengthOf(sum.rows)
      const wanted = length + CRC_BYTES
      const { bytesRead } = await readAsync(fd, buffer, 0, wanted, sum.position)
      const isWhole = bytesRead === wanted
      if (!isWhole || crc32(buffer.subarray(0, length)) !== buffer.readUInt32BE(length)) break
      count(length, buffer.subarray(length, wanted))
    }
    ftruncateSync(fd, sum.position)
  }

  try {
    await findEnd()
  } catch (error) {
    closeSync(fd)
    throw toDiskError(error, 'reading a part that is being fetched')
  }

  return {
    path,
    /** Rows and bytes of pieces that are here. */
    get rows() {
      return sum.rows
    },
    get bytes() {
      return sum.bytes
    },
    /** Adds the next piece. @throws DfsError DAMAGED where its length is wrong, NO_SPACE, ... */
    add(piece: Buffer, crc: number): void {
      if (piece.length !== lengthOf(sum.rows)) throw notSame()
      const crcBytes = Buffer.alloc(CRC_BYTES)
      crcBytes.writeUInt32BE(crc)
      try {
        writeAll(fd, piece, sum.position)
        writeAll(fd, crcBytes, sum.position + piece.length)
      } catch (error) {
        throw toDiskError(error, 'writing a part')
      }
      count(piece.length, crcBytes)
    },
    sync: () => syncData(fd),
    /** @throws DfsError DAMAGED where what came is not what was promised; the file is then gone */
    async requireSame(): Promise<void> {
      if (sum.bytes === figures.bytes && sum.checksum === figures.checksum) return
      await removeFile(path)
      throw notSame()
    },
    close: () => closeSync(fd),
  }
}

function notSame(): DfsError {
  return new DfsError('DAMAGED', "The twin's copy is not what its figures say.")
}
