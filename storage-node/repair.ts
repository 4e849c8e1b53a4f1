// Fetches parts that this node should hold and does not, from the twins that hold the other copy:
// small ones straight into the catalog, long ones piece by piece into a staged file that is synced,
// compared with the twin's figures and then put into its place. A part is claimed only after that.
import { closeSync, openSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Catalog } from './catalog.ts'
import type { DiskSpace } from './disk-space.ts'
import { removeFile, syncData, toDiskError, writeAll } from './durable.ts'
import type { StoredPart, VersionName } from './entry-table.ts'
import { CRC_BYTES, keyOf, type PartStore } from './part-store.ts'
import type { Lack, PeerEntryBook } from './peer-entries.ts'
import type { PeerLink } from './peer-link.ts'
import type { Peer } from './peers.ts'
import { DfsError, nodesOfPart, type ResponseOf } from './protocol/index.ts'

/** Bytes of one request for pieces: between two of them the pace is kept. */
const RUN_BYTES = 4_194_304

export interface RepairOptions {
  catalog: Catalog
  peerEntries: PeerEntryBook
  parts: PartStore
  stagingPath: string
  space: DiskSpace
  peers: readonly Peer[]
  /** Of this node, 1..4. */
  node: number
  /** Waits so long that the bytes per second stay below the limit. */
  pace: (sizeBytes: number) => Promise<void>
}

/** Fetches part `part` of a version; answers its bytes, 0 where the version is no longer wanted. */
export type FetchPart = (lack: Lack, part: number) => Promise<number>

/**
 * The function that fetches one part, and claims it once it is durable.
 * @throws DfsError NODE_GONE, NODE_TIMEOUT, PART_MISSING, FILE_NOT_FOUND, DAMAGED (of the twin),
 * NO_SPACE, DISK_FAILED, STALE_VERSION (the version is being changed)
 */
export function createFetchPart(options: RepairOptions): FetchPart {
  const { catalog, peerEntries, parts, stagingPath, space, peers, node, pace } = options

  async function twinLink(lack: Lack, part: number): Promise<PeerLink> {
    const twin = nodesOfPart(part, lack.x).find((index) => index !== node - 1)! + 1
    const peer = peers.find((one) => one.node === twin)
    if (peer === undefined) throw new DfsError('NODE_GONE', 'The twin of this part is not known.')
    return peer.link()
  }

  async function holdInline(name: VersionName, stored: StoredPart): Promise<number> {
    await pace(stored.bytes)
    const isHeld = await catalog.write(() => peerEntries.applyHold(name, stored, null))
    return isHeld ? stored.bytes : 0
  }

  /** Writes the pieces as they come, each with its CRC-32. */
  async function fetchPieces(
    link: PeerLink,
    source: { lack: Lack; part: number; figures: ResponseOf<'peer-part'> },
    fd: number,
  ): Promise<void> {
    const { lack, part, figures } = source
    const { user, file, version, rows } = lack
    const sum = { bytes: 0, checksum: 0, position: 0 }
    const onPiece = (row: number, piece: Buffer, crc: number) => {
      const isRight =
        row === rows - 1 ? piece.length <= figures.pieceBytes : piece.length === figures.pieceBytes
      if (!isRight) throw damaged(part)
      const crcBytes = bytesOf(crc)
      writeAll(fd, piece, sum.position)
      writeAll(fd, crcBytes, sum.position + piece.length)
      sum.position += piece.length + CRC_BYTES
      sum.bytes += piece.length
      sum.checksum = crc32(crcBytes, sum.checksum)
    }
    const runRows = Math.max(1, Math.floor(RUN_BYTES / figures.pieceBytes))
    for (let from = 0; from < rows; from += runRows) {
      const to = Math.min(rows, from + runRows)
      const before = sum.bytes
      await link.read({ file, version, part, from, to }, user, onPiece)
      await pace(sum.bytes - before)
      await syncData(fd)
    }
    const isSame = sum.bytes === figures.bytes && sum.checksum === figures.checksum
    if (!isSame) throw damaged(part)
  }

  async function fetchFile(
    link: PeerLink,
    source: { lack: Lack; part: number; figures: ResponseOf<'peer-part'> },
  ): Promise<number> {
    const { lack, part, figures } = source
    const { bytes, pieceBytes, checksum } = figures
    const key = keyOf(lack)
    const path = `${stagingPath}/${key.toString('hex')}.repair${part}`
    space.require(bytes)
    await removeFile(path)
    const fd = openStaged(path)
    try {
      await fetchPieces(link, source, fd)
    } catch (error) {
      await removeFile(path)
      throw toDiskError(error, 'writing a part')
    } finally {
      closeSync(fd)
    }
    const release = parts.reserve(key)
    try {
      await parts.replace(key, { path, part }, stagingPath)
      const stored = { part, bytes, pieceBytes, checksum, data: null }
      const isHeld = await catalog.write(() => peerEntries.applyHold(lack, stored, key))
      if (!isHeld) await parts.remove({ key, parts: 1 << (part - 1) })
      return isHeld ? bytes : 0
    } finally {
      release()
    }
  }

  return async (lack, part) => {
    const link = await twinLink(lack, part)
    const { user, file, version, rows } = lack
    const { header, bodies } = await link.request('peer-part', { file, version, part }, user)
    const { bytes, pieceBytes, checksum } = header
    if (header.rows !== rows || pieceBytes > bytes || bytes === 0) throw damaged(part)
    const [piece] = bodies
    if (piece === undefined) return fetchFile(link, { lack, part, figures: header })
    const crc = bytesOf(crc32(piece))
    if (rows !== 1 || piece.length !== bytes || crc32(crc) !== checksum) throw damaged(part)
    space.require(bytes)
    return holdInline(lack, {
      ...{ part, bytes, pieceBytes, checksum },
      data: Buffer.concat([piece, crc]),
    })
  }
}

function openStaged(path: string): number {
  try {
    return openSync(path, 'wx', 0o600)
  } catch (error) {
    throw toDiskError(error, 'opening a staged part')
  }
}

function bytesOf(crc: number): Buffer {
  const bytes = Buffer.alloc(CRC_BYTES)
  bytes.writeUInt32BE(crc)
  return bytes
}

function damaged(part: number): DfsError {
  return new DfsError('DAMAGED', `The twin's part ${part} is not what its figures say.`)
}
