// Uploads on their way in: two files each, one for each lane of this node, growing row by row. An
// upload belongs to a user, not to a connection. Knows no versions and no catalog; a restart
// forgets all uploads, but the files of those that kept-uploads.ts remembers stay.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  unlinkSync,
} from 'node:fs'
import { removeFile, toDiskError } from './durable.ts'
import type { KeptPoint } from './kept-table.ts'
import { CRC_BYTES } from './part-store.ts'
import { DfsError, ignoreBody, lanesOfNode } from './protocol/index.ts'
import { type RowWriterOptions, rowWriter, startSync } from './row-writer.ts'

/** Uploads at once on one node, finished or not; each idle one is a few hundred bytes of memory. */
export const MAX_UPLOADS = 4096
const KEPT_FILE = /^([0-9a-f]{32})\.[0-3]$/
/** Files of uploads that were quiet for this long are closed, and opened again when rows come. */
const QUIET_MS = 5 * 60_000

/** One of the two files of an upload. */
export interface StagedLane {
  readonly lane: number
  readonly path: string
  fd: number | undefined
  /** Length of the first piece, and so of all but the last; 0 before the first row. */
  pieceBytes: number
  /** Bytes of all pieces. */
  bytes: number
  /** CRC-32 over the CRC-32s of the pieces. */
  checksum: number
  unsyncedBytes: number
  syncing: Promise<void> | undefined
}

export interface Upload {
  readonly id: string
  readonly user: string
  readonly first: number
  /** Its files outlive it: giving the upload up leaves them. */
  readonly isKept: boolean
  readonly lanes: readonly [StagedLane, StagedLane]
  rows: number
  /** A row shorter than the first has come: it must be the last. */
  isEnded: boolean
  /** The first failure; nothing more is taken. */
  fault: DfsError | undefined
  /** Given up or taken over by a version: its files are no longer ours. */
  isGone: boolean
  /** Who writes a row now; a newer writer takes over, so that a dead connection blocks nothing. */
  writer: object | undefined
  touchedMs: number
}

/**
 * For so long after a small file came, uploads let no more than this wait for the disk: then small
 * files take half the time, and a large one beside them a tenth more.
 */
const SHARED_MS = 1000
const SHARED_SYNC_BYTES = 1_048_576

export type Staging = ReturnType<typeof createStaging>

export function createStaging(options: {
  folder: string
  /** 1..4 */
  node: number
  ageMs: number
  syncEveryBytes: number
}) {
  const { folder, node, ageMs, syncEveryBytes } = options
  const uploads = new Map<string, Upload>()
  /** When a small file last waited for the disk. */
  let smallMs = -SHARED_MS

  /** @throws DfsError UPLOAD_EXISTS, BUSY, NO_SPACE, DISK_FAILED */
  function open(user: string, uploadId: Uint8Array, first: number): Upload {
    const id = Buffer.from(uploadId).toString('hex')
    if (uploads.has(id)) throw new DfsError('UPLOAD_EXISTS', 'That upload id is taken.')
    if (uploads.size >= MAX_UPLOADS) {
      throw new DfsError('BUSY', 'This node has too many unfinished uploads.')
    }
    const [one, two] = lanesOfNode(node - 1, first)
    const lanes = [newLane(`${folder}/${id}`, one), newLane(`${folder}/${id}`, two)] as const
    try {
      for (const lane of lanes) lane.fd = openSync(lane.path, 'wx+', 0o600)
    } catch (error) {
      for (const lane of lanes) discardLane(lane)
      throw toDiskError(error, 'opening an upload')
    }
    const state = { rows: 0, isEnded: false, fault: undefined, isGone: false, writer: undefined }
    const upload = { id, user, first, isKept: false, lanes, ...state, touchedMs: Date.now() }
    uploads.set(id, upload)
    return upload
  }

  /**
   * A kept upload as it was at a checkpoint, under an id that its present writer alone knows; what
   * its files hold beyond is cut off.
   * @throws DfsError NO_SPACE, DISK_FAILED
   */
  function reopen(
    place: { id: string; user: string; first: number; fileName: string },
    point: Pick<KeptPoint, 'rows' | 'lanes'>,
  ): Upload {
    const { id, user, first, fileName } = place
    const { rows } = point
    const lanes = lanesOfNode(node - 1, first).map((lane, at) => {
      return { ...newLane(`${folder}/${fileName}`, lane), ...point.lanes[at]! }
    }) as unknown as Upload['lanes']
    const isEnded = lanes.some(({ bytes, pieceBytes }) => bytes < rows * pieceBytes)
    const state = { rows, isEnded, fault: undefined, isGone: false, writer: undefined }
    const upload = { id, user, first, isKept: true, lanes, ...state, touchedMs: Date.now() }
    try {
      for (const lane of lanes) {
        lane.fd = openSync(lane.path, constants.O_RDWR | constants.O_CREAT, 0o600)
        requireWhole(upload, lane)
        cutTail(upload, lane)
      }
    } catch (error) {
      for (const lane of lanes) closeLane(lane)
      throw toDiskError(error, 'opening an upload')
    }
    uploads.set(id, upload)
    return upload
  }

  /** @throws DfsError UPLOAD_UNKNOWN, also where the upload is another user's */
  function find(user: string, uploadId: Uint8Array): Upload {
    const upload = uploads.get(Buffer.from(uploadId).toString('hex'))
    if (upload?.user !== user) {
      throw new DfsError('UPLOAD_UNKNOWN', 'This node has no such upload.')
    }
    upload.touchedMs = Date.now()
    return upload
  }

  function has(user: string, uploadId: Uint8Array): boolean {
    return uploads.get(Buffer.from(uploadId).toString('hex'))?.user === user
  }

  /** Takes the body of one row. A broken upload has said so once and stays silent. */
  function write(upload: Upload, row: Omit<RowWriterOptions, 'syncEveryBytes'>) {
    if (upload.fault !== undefined) return ignoreBody
    try {
      for (const lane of upload.lanes) lane.fd ??= openSync(lane.path, 'r+')
    } catch (error) {
      upload.fault = toDiskError(error, 'opening an upload')
      row.onFault(upload.fault)
      return ignoreBody
    }
    const isShared = performance.now() - smallMs < SHARED_MS
    const everyBytes = isShared ? Math.min(SHARED_SYNC_BYTES, syncEveryBytes) : syncEveryBytes
    return rowWriter(upload, { ...row, syncEveryBytes: everyBytes })
  }

  /** A small file is to wait for the disk, behind all that uploads have yet to push to it. */
  function noteSmall(): void {
    smallMs = performance.now()
  }

  /** Rows that are on the disk. @throws DfsError the fault of the upload, NO_SPACE, DISK_FAILED */
  async function syncedRows(upload: Upload): Promise<number> {
    requireSound(upload)
    const { rows } = upload
    await syncedLanes(upload)
    return rows
  }

  /**
   * Ends an upload: its files are whole, synced and closed, and the caller's.
   * @throws DfsError NO_SPACE, DISK_FAILED; the upload and its files (but kept ones) are then gone
   */
  async function take(upload: Upload): Promise<void> {
    forget(upload)
    try {
      for (const lane of upload.lanes) cutTail(upload, lane)
      await Promise.all(upload.lanes.map((lane) => syncLane(upload, lane, 'taken')))
      if (upload.fault !== undefined) throw upload.fault
      for (const lane of upload.lanes) closeLane(lane)
    } catch (error) {
      for (const lane of upload.lanes) upload.isKept ? closeLane(lane) : discardLane(lane)
      throw toDiskError(error, 'finishing an upload')
    }
  }

  /** Gives an upload up and removes its files, unless they are kept. */
  async function drop(upload: Upload): Promise<void> {
    await release(upload)
    if (upload.isKept) return
    for (const lane of upload.lanes) await removeFile(lane.path)
  }

  /** Takes no more of an upload and closes its files. */
  async function release(upload: Upload): Promise<void> {
    forget(upload)
    for (const lane of upload.lanes) while (lane.syncing !== undefined) await lane.syncing
    for (const lane of upload.lanes) closeLane(lane)
  }

  function forget(upload: Upload): void {
    upload.isGone = true
    uploads.delete(upload.id)
  }

  /** Drops uploads that nobody touched for too long, and closes the files of quiet ones. */
  async function collect(nowMs: number): Promise<number> {
    let droppedCount = 0
    for (const upload of uploads.values()) {
      const quietMs = nowMs - upload.touchedMs
      if (quietMs > ageMs) {
        await drop(upload)
        droppedCount++
      } else if (quietMs > QUIET_MS) {
        // A row that stands still for so long is given up; its connection is, too.
        upload.writer = undefined
        for (const lane of upload.lanes) if (lane.syncing === undefined) closeLane(lane)
      }
    }
    return droppedCount
  }

  async function dropUser(user: string): Promise<void> {
    for (const upload of uploads.values()) if (upload.user === user) await drop(upload)
  }

  /** Removes what the process before left, but for the files of kept uploads. */
  async function clear(isKept: (id: string) => boolean): Promise<number> {
    const names = readdirSync(folder).filter((name) => {
      const id = KEPT_FILE.exec(name)?.[1]
      return id === undefined || !isKept(id)
    })
    for (const name of names) await removeFile(`${folder}/${name}`)
    return names.length
  }

  async function close(): Promise<void> {
    for (const upload of uploads.values()) await drop(upload)
  }

  return {
    ...{ folder, open, reopen, find, has, write, noteSmall, syncedRows, take, drop, release },
    ...{ collect, dropUser, clear, close },
  }
}

/** All rows that are written now are on the disk then. @throws DfsError the fault of the upload */
export async function syncedLanes(upload: Upload): Promise<void> {
  requireSound(upload)
  await Promise.all(upload.lanes.map((lane) => syncLane(upload, lane, 'sound')))
  requireSound(upload)
}

/** @throws DfsError the first failure of the upload */
export function requireSound(upload: Upload): void {
  if (upload.fault !== undefined) throw upload.fault
  if (upload.isGone) throw new DfsError('UPLOAD_UNKNOWN', 'The upload was given up.')
}

async function syncLane(upload: Upload, lane: StagedLane, mayBe: 'sound' | 'taken'): Promise<void> {
  while (lane.syncing !== undefined) await lane.syncing
  if (mayBe === 'sound') requireSound(upload)
  try {
    lane.fd ??= openSync(lane.path, 'r+')
  } catch (error) {
    upload.fault ??= toDiskError(error, 'syncing an upload')
    return
  }
  startSync(upload, lane)
  await lane.syncing
}

/** A row that broke off leaves bytes behind the last whole piece. */
function cutTail(upload: Upload, lane: StagedLane): void {
  lane.fd ??= openSync(lane.path, 'r+')
  const wholeBytes = lane.bytes + upload.rows * CRC_BYTES
  if (fstatSync(lane.fd).size > wholeBytes) ftruncateSync(lane.fd, wholeBytes)
}

/** What a checkpoint counts on is there. @throws DfsError DAMAGED */
function requireWhole({ rows }: Upload, lane: StagedLane): void {
  if (fstatSync(lane.fd!).size >= lane.bytes + rows * CRC_BYTES) return
  throw new DfsError('DAMAGED', 'The files of the upload are gone or cut short.')
}

function newLane(prefix: string, lane: number): StagedLane {
  const progress = { pieceBytes: 0, bytes: 0, checksum: 0, unsyncedBytes: 0, syncing: undefined }
  return { lane, path: `${prefix}.${lane}`, fd: undefined, ...progress }
}

function closeLane(lane: StagedLane): void {
  if (lane.fd === undefined) return
  closeSync(lane.fd)
  lane.fd = undefined
}

function discardLane(lane: StagedLane): void {
  if (lane.fd === undefined) return
  closeLane(lane)
  try {
    unlinkSync(lane.path)
  } catch {
    // It was moved or never made; what is left is cleared at the next start.
  }
}
