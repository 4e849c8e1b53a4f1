// The hot path of uploads: takes the two pieces of one row as they come off the socket and writes
// them straight to the files of their lanes, each piece followed by its CRC-32. No copy and no
// promise for each buffer; background syncs bound what the disk has yet to take.
import { crc32 } from 'node:zlib'
import { syncData, toDiskError, writeAll } from './durable.ts'
import { CRC_BYTES } from './part-store.ts'
import { type BodySink, DfsError, ignoreBody, type Section } from './protocol/index.ts'
import type { StagedLane, Upload } from './staging.ts'

export interface RowWriterOptions {
  row: number
  sections: readonly Section[]
  syncEveryBytes: number
  /** Stops the source until the answer is called. */
  hold: () => () => void
  /** Told why the row was not taken, at most once. */
  onFault: (error: DfsError) => void
}

/** The sink for one row of a sound upload whose files are open. */
export function rowWriter(upload: Upload, options: RowWriterOptions): BodySink {
  const { row, sections, syncEveryBytes, hold, onFault } = options
  const fault = faultOf(upload, row, sections)
  if (fault !== undefined) {
    breakUpload(fault)
    return ignoreBody
  }
  const self = {}
  upload.writer = self
  const positions = upload.lanes.map((lane) => row * (lane.pieceBytes + CRC_BYTES))

  function breakUpload(error: DfsError): void {
    upload.fault ??= error
    upload.writer = undefined
    onFault(error)
  }

  function isMine(): boolean {
    return upload.writer === self && !upload.isGone && upload.fault === undefined
  }

  function write(bytes: Buffer, section: number): void {
    if (!isMine()) return
    const lane = upload.lanes[section]!
    try {
      writeAll(lane.fd!, bytes, positions[section]!)
    } catch (error) {
      breakUpload(toDiskError(error, 'writing a row'))
      return
    }
    positions[section]! += bytes.length
    upload.touchedMs = Date.now()
    lane.unsyncedBytes += bytes.length
    if (lane.unsyncedBytes >= syncEveryBytes) pushToDisk(upload, lane, hold)
  }

  function end(damaged: readonly number[]): void {
    if (!isMine()) {
      // Broken while the body came: said already. Otherwise the row was overtaken or the upload
      // given up.
      if (upload.fault === undefined) onFault(lostRow(upload))
      return
    }
    if (damaged.length > 0) {
      breakUpload(new DfsError('FRAME_DAMAGED', `A piece of row ${row} arrived damaged.`))
      return
    }
    for (const [section, [, crc]] of sections.entries()) write(crcBytes(crc), section)
    if (!isMine()) return
    for (const [section, lane] of upload.lanes.entries()) addPiece(lane, sections[section]!)
    upload.isEnded = upload.lanes.some((lane, at) => sections[at]![0] < lane.pieceBytes)
    upload.rows++
    upload.writer = undefined
  }

  return { write, end }
}

/** Why this row cannot come now. */
function faultOf(upload: Upload, row: number, sections: readonly Section[]): DfsError | undefined {
  if (sections.length !== 2 || sections.some(([lengthBytes]) => lengthBytes === 0)) {
    return new DfsError('BAD_MESSAGE', 'The body of a row is two pieces, neither of them empty.')
  }
  if (row !== upload.rows) {
    const detail = { expected: upload.rows }
    const message = `Row ${row} came where row ${upload.rows} is next.`
    return new DfsError('OUT_OF_ORDER', message, { detail })
  }
  if (row === 0) return undefined
  const isTooLong = upload.lanes.some((lane, at) => sections[at]![0] > lane.pieceBytes)
  if (isTooLong || upload.isEnded) {
    return new DfsError('BAD_MESSAGE', 'All rows but the last must be as long as the first.')
  }
  return undefined
}

function addPiece(lane: StagedLane, [lengthBytes, crc]: Section): void {
  if (lane.pieceBytes === 0) lane.pieceBytes = lengthBytes
  lane.bytes += lengthBytes
  lane.checksum = crc32(crcBytes(crc), lane.checksum)
}

/**
 * Starts a sync of what is written, or holds the source while the one before is still under way:
 * the pages that wait for the disk stay few, and with them the time that others' commits take.
 */
function pushToDisk(upload: Upload, lane: StagedLane, hold: () => () => void): void {
  if (lane.syncing !== undefined) {
    const release = hold()
    void lane.syncing.then(release)
    return
  }
  startSync(upload, lane)
}

/** Syncs what is written so far. `lane.syncing` does not reject: a failure breaks the upload. */
export function startSync(upload: Upload, lane: StagedLane): void {
  lane.unsyncedBytes = 0
  lane.syncing = syncData(lane.fd!)
    .catch((error: unknown) => {
      upload.fault ??= toDiskError(error, 'syncing an upload')
    })
    .finally(() => {
      lane.syncing = undefined
    })
}

function lostRow(upload: Upload): DfsError {
  return upload.isGone
    ? new DfsError(
        'UPLOAD_UNKNOWN',
        'The upload was given up or finished before the row was whole.',
      )
    : new DfsError('OUT_OF_ORDER', 'Another connection sent a row of this upload meanwhile.')
}

function crcBytes(crc: number): Buffer {
  const bytes = Buffer.allocUnsafe(CRC_BYTES)
  bytes.writeUInt32BE(crc, 0)
  return bytes
}
