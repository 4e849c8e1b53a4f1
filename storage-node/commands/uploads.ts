// Commands of an upload on its way in: open, rows, how far it is on the disk, prepare; and a whole
// file of one row in one message. What they make is prepared: durable, and not yet the file.
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Condition } from '../entries.ts'
import type { StoredPart, VersionName } from '../entry-table.ts'
import { CRC_BYTES, keyOf } from '../part-store.ts'
import {
  type BodySink,
  DfsError,
  ignoreBody,
  lanesOfNode,
  partOfLane,
  type RequestOf,
  type Section,
} from '../protocol/index.ts'
import { requireSound, type Upload } from '../staging.ts'
import type { Call, Commands, CommandsOf, Services } from './table.ts'

/**
 * Pieces up to this size lie in the catalog itself: no file of their own, one sync with all the
 * others.
 */
export const INLINE_BYTES = 65_536

type UploadOp = 'open' | 'staged' | 'prepare' | 'store' | 'abort-upload'

interface NewVersion {
  name: VersionName
  x: number
  sealed: Uint8Array
  condition: Condition
}

export function uploadCommands(
  services: Services,
): CommandsOf<UploadOp> & Pick<Commands, 'append'> {
  const { accounts, catalog, entries, kept, node, parts, space, staging, traffic } = services

  function append(
    call: Call,
    request: RequestOf<'append'>,
    sections: readonly Section[],
  ): BodySink {
    const { row } = request
    let upload: Upload
    try {
      upload = staging.find(call.sender.user, request.upload)
      if (upload.fault === undefined && space.isFull()) {
        upload.fault = new DfsError('NO_SPACE', 'The disk of this node has no room to spare.')
        throw upload.fault
      }
    } catch (error) {
      call.fail(error)
      return ignoreBody
    }
    for (const [lengthBytes] of sections) traffic.pieceBytesReceived += lengthBytes
    return staging.write(upload, { row, sections, hold: call.hold, onFault: call.fail })
  }

  /** Adds the entry, in one transaction with the checks that decide whether it may come. */
  function addEntry(
    version: NewVersion,
    stored: { key: Uint8Array | null; rows: number; first: number; parts: StoredPart[] },
  ): Promise<boolean> {
    const { name, x, sealed } = version
    return catalog.write(() => {
      if (accounts.storedKeyOf(name.user) === undefined) {
        throw new DfsError('ACCOUNT_UNKNOWN', 'The account was removed meanwhile.')
      }
      const isReplacing = entries.checkPrepare(name, version)
      entries.applyPrepare({ ...name, x, sealed, ...stored })
      return isReplacing
    })
  }

  /** Turns a whole upload into a prepared version: data synced, files in place, then the entry. */
  async function place(upload: Upload, version: NewVersion): Promise<boolean> {
    const { name, x } = version
    entries.checkPrepare(name, version)
    const key = keyOf(name)
    const release = parts.reserve(key)
    try {
      const { first, rows } = upload
      const placed = upload.lanes.map((lane) => ({
        path: lane.path,
        part: partOfLane(lane.lane, { first, x }),
        lane,
      }))
      await staging.take(upload)
      // A kept upload keeps its files until the version is committed: this one may yet be aborted.
      if (upload.isKept) await parts.link(key, placed)
      else await parts.place(key, placed, staging.folder)
      const stored = placed.map(({ part, lane: { bytes, pieceBytes, checksum } }) => {
        return { part, bytes, pieceBytes, checksum, data: null }
      })
      try {
        return await addEntry(version, { key, rows, first, parts: stored })
      } catch (error) {
        await parts.remove({ key, parts: 15 })
        throw error
      }
    } finally {
      release()
    }
  }

  /** A file of one row whose pieces are small: parts and entry in the same transaction. */
  function storeInline(call: Call, version: NewVersion): Promise<boolean> {
    const { x } = version
    const lanes = lanesOfNode(node - 1, x)
    staging.noteSmall()
    const stored = call.bodies.map((piece, at) => {
      const crc = Buffer.allocUnsafe(CRC_BYTES)
      crc.writeUInt32BE(call.sections[at]![1], 0)
      return {
        part: partOfLane(lanes[at]!, { first: x, x }),
        bytes: piece.length,
        pieceBytes: piece.length,
        checksum: crc32(crc),
        data: Buffer.concat([piece, crc]),
      }
    })
    return addEntry(version, { key: null, rows: 1, first: x, parts: stored })
  }

  /** A file of one row with long pieces goes the way of every upload. */
  async function storeInFiles(call: Call, version: NewVersion): Promise<boolean> {
    const upload = staging.open(call.sender.user, randomBytes(16), version.x)
    try {
      const { sections, hold } = call
      const sink = staging.write(upload, { row: 0, sections, hold, onFault: () => {} })
      for (const [section, piece] of call.bodies.entries()) sink.write(piece, section)
      sink.end([])
      requireSound(upload)
      return await place(upload, version)
    } catch (error) {
      if (!upload.isGone) await staging.drop(upload)
      throw error
    }
  }

  return {
    append,

    open({ sender }, { upload, first, size }) {
      space.require((size ?? 0) / 2)
      staging.open(sender.user, upload, first)
      return { header: {} }
    },

    async staged({ sender }, { upload }) {
      const rows = await staging.syncedRows(staging.find(sender.user, upload))
      return { header: { rows } }
    },

    async prepare({ sender }, request) {
      const upload = staging.find(sender.user, request.upload)
      requireSound(upload)
      space.require(0)
      requireCounts(upload, request)
      const replaced = await place(upload, versionOf(sender.user, request))
      return { header: { replaced } }
    },

    async store(call, request) {
      const { sections } = call
      if (sections.length !== 2 || sections.some(([lengthBytes]) => lengthBytes === 0)) {
        throw new DfsError('BAD_MESSAGE', 'The body of a row is two pieces, neither of them empty.')
      }
      const sizeBytes = sections[0]![0] + sections[1]![0]
      traffic.pieceBytesReceived += sizeBytes
      space.require(sizeBytes)
      const version = versionOf(call.sender.user, request)
      const isSmall = sections.every(([lengthBytes]) => lengthBytes <= INLINE_BYTES)
      const replaced = await (isSmall ? storeInline(call, version) : storeInFiles(call, version))
      return { header: { replaced } }
    },

    async 'abort-upload'({ sender }, { upload }) {
      const isKnown = staging.has(sender.user, upload)
      if (isKnown) await staging.drop(staging.find(sender.user, upload))
      else await kept.drop(sender.user, upload)
      return { header: {} }
    },
  }
}

function versionOf(
  user: string,
  request: Pick<RequestOf<'store'>, 'file' | 'version' | 'x' | 'sealed' | 'condition'>,
): NewVersion {
  const { file, version, x, sealed, condition } = request
  return { name: { user, file, version }, x, sealed, condition }
}

/** What arrived must be what the sender says that it sent. @throws DfsError COUNT_MISMATCH */
function requireCounts(upload: Upload, request: RequestOf<'prepare'>): void {
  const isSame =
    upload.writer === undefined &&
    request.rows === upload.rows &&
    upload.lanes.every(({ bytes, checksum }, at) => {
      return bytes === request.lanes[at]!.bytes && checksum === request.lanes[at]!.checksum
    })
  if (isSame) return
  const detail = { rows: upload.rows, bytes: upload.lanes.map(({ bytes }) => bytes) }
  throw new DfsError('COUNT_MISMATCH', 'The node has not received what was sent.', { detail })
}
