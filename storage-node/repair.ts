// Fetches parts that this node should hold and does not, from the twins that hold the other copy:
// small ones straight into the catalog, long ones piece by piece into a file that is synced,
// compared with the twin's figures and then put into its place. A part is claimed only after that.
// Where single pieces of a part are damaged, only these are fetched.
import { readdir } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { Catalog } from './catalog.ts'
import type { DiskSpace } from './disk-space.ts'
import { removeFile } from './durable.ts'
import type { StoredPart, VersionName } from './entry-table.ts'
import { CRC_BYTES, keyOf, type PartStore } from './part-store.ts'
import { openPartial } from './partial-part.ts'
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
  /** Where parts grow until they are whole. */
  partialPath: string
  space: DiskSpace
  peers: readonly Peer[]
  /** Of this node, 1..4. */
  node: number
  /** Waits so long that the bytes per second stay below the limit. */
  pace: (sizeBytes: number) => Promise<void>
  /** Told the bytes of each piece that came. */
  onBytes: (sizeBytes: number) => void
  /** Counts a part of `sizeBytes` bytes as brought back; runs in the write that claims it. */
  applyDone: (sizeBytes: number) => void
  /** Told how much of a long part is here. */
  onPartial: (sizeBytes: number) => void
}

export type Repair = ReturnType<typeof createRepair>

type Figures = ResponseOf<'peer-part'>

export function createRepair(options: RepairOptions) {
  const { catalog, peerEntries, parts, partialPath, space, peers, node, pace } = options
  const { applyDone, onBytes, onPartial } = options

  function twinOf(lack: Pick<Lack, 'x'>, part: number): number {
    return nodesOfPart(part, lack.x).find((index) => index !== node - 1)! + 1
  }

  async function twinLink(lack: Lack, part: number): Promise<PeerLink> {
    const peer = peers.find((one) => one.node === twinOf(lack, part))
    if (peer === undefined) throw new DfsError('NODE_GONE', 'The twin of this part is not known.')
    return peer.link()
  }

  /** Claims a part that is on the disk, or in this very write. */
  function hold(name: VersionName, stored: StoredPart, key: Buffer | null): Promise<boolean> {
    return catalog.write(() => {
      const isHeld = peerEntries.applyHold(name, stored, key)
      if (isHeld) applyDone(stored.bytes)
      return isHeld
    })
  }

  async function holdInline(name: VersionName, stored: StoredPart): Promise<number> {
    await pace(stored.bytes)
    return (await hold(name, stored, null)) ? stored.bytes : 0
  }

  const partialOf = (key: Buffer, part: number) =>
    `${partialPath}/${key.toString('hex')}.part${part}`

  async function fetchFile(
    link: PeerLink,
    source: { lack: Lack; part: number; figures: Figures },
  ): Promise<number> {
    const { lack, part, figures } = source
    const { user, file, version, rows } = lack
    const { bytes, pieceBytes, checksum } = figures
    const key = keyOf(lack)
    const partial = await openPartial(partialOf(key, part), figures)
    try {
      space.require(bytes - partial.bytes)
      const runRows = Math.max(1, Math.floor(RUN_BYTES / pieceBytes))
      while (partial.rows < rows) {
        const from = partial.rows
        const to = Math.min(rows, from + runRows)
        const before = partial.bytes
        await link.read({ file, version, part, from, to }, user, (_row, piece, crc) => {
          onBytes(piece.length)
          partial.add(piece, crc)
        })
        await partial.sync()
        onPartial(partial.bytes)
        await pace(partial.bytes - before)
      }
      await partial.sync()
      await partial.requireSame()
    } finally {
      partial.close()
    }
    const release = parts.reserve(key)
    try {
      await parts.replace(key, { path: partial.path, part }, partialPath)
      const stored = { part, bytes, pieceBytes, checksum, data: null }
      const isHeld = await hold(lack, stored, key)
      if (!isHeld) await parts.remove({ key, parts: 1 << (part - 1) })
      return isHeld ? bytes : 0
    } finally {
      release()
    }
  }

  return {
    /** The node (1..4) that has the other copy. */
    twinOf,

    /**
     * Fetches part `part` of a version, and claims it once it is durable; answers its bytes, 0
     * where the version is no longer wanted. What came of a long part before it failed stays.
     * @throws DfsError NODE_GONE, NODE_TIMEOUT, PART_MISSING, FILE_NOT_FOUND, DAMAGED (of the
     *   twin), NO_SPACE, DISK_FAILED, STALE_VERSION (the version is being changed)
     */
    async fetch(lack: Lack, part: number): Promise<number> {
      const link = await twinLink(lack, part)
      const { user, file, version, rows } = lack
      const { header, bodies } = await link.request('peer-part', { file, version, part }, user)
      const { bytes, pieceBytes, checksum } = header
      const lastBytes = bytes - (rows - 1) * pieceBytes
      if (header.rows !== rows || lastBytes <= 0 || lastBytes > pieceBytes) throw damaged(part)
      const [piece] = bodies
      if (piece === undefined) return fetchFile(link, { lack, part, figures: header })
      onBytes(piece.length)
      const crc = bytesOf(crc32(piece))
      if (rows !== 1 || piece.length !== bytes || crc32(crc) !== checksum) throw damaged(part)
      space.require(bytes)
      return holdInline(lack, {
        ...{ part, bytes, pieceBytes, checksum },
        data: Buffer.concat([piece, crc]),
      })
    },

    /**
     * The piece of one row from the twin, with its CRC-32.
     * @throws DfsError as `fetch`
     */
    async fetchPiece(lack: Lack, part: number, row: number) {
      const link = await twinLink(lack, part)
      const { user, file, version } = lack
      let got: { piece: Buffer; crc: number } | undefined
      const request = { file, version, part, from: row, to: row + 1 }
      await link.read(request, user, (_row, piece, crc) => {
        onBytes(piece.length)
        got = { piece: Buffer.from(piece), crc }
      })
      await pace(got!.piece.length)
      return got!
    },

    /** Removes what had come of a part that is no longer wanted. */
    forget: (lack: Lack, part: number) => removeFile(partialOf(keyOf(lack), part)),

    /**
     * Removes what had come of all parts but these: of versions that were replaced or deleted while
     * their parts were on the way and this node, or the twin, was down. Nothing may be on its way.
     */
    async forgetOthers(wanted: Iterable<Lack>): Promise<void> {
      const stale = new Set((await readdir(partialPath)).map((name) => `${partialPath}/${name}`))
      if (stale.size === 0) return
      for (const lack of wanted) {
        for (const part of lack.missing) stale.delete(partialOf(keyOf(lack), part))
      }
      for (const path of stale) await removeFile(path)
    },
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
