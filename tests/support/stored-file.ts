// Files as a node sees them: opaque pieces, ids and versions; and the walk that stores and reads
// them.
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { newVersion } from '@fourfold/storage-node/protocol'
import type { Prover, WireClient } from './wire-client.ts'

/** One version of a file, as much of it as one node gets: rows of two pieces. */
export interface StoredFile {
  file: Buffer
  version: Buffer
  x: number
  first: number
  sealed: Buffer
  rows: [Buffer, Buffer][]
}

/** Random rows: all of `pieceBytes` but the last, of `lastBytes`. */
export function newStoredFile(
  options: {
    rows?: number
    pieceBytes?: number
    lastBytes?: number
    x?: number
    first?: number
  } = {},
): StoredFile {
  const { rows = 1, pieceBytes = 1000, lastBytes = pieceBytes, x = 0, first = x } = options
  return {
    file: randomBytes(16),
    version: newVersion(Date.now()),
    x,
    first,
    sealed: randomBytes(200),
    rows: Array.from({ length: rows }, (_, row) => {
      const length = row === rows - 1 ? lastBytes : pieceBytes
      return [randomBytes(length), randomBytes(length)]
    }),
  }
}

/** The same file again, as a newer version with other bytes. */
export function newerVersion(old: StoredFile): StoredFile {
  const { file, version, x, first, rows } = old
  const fresh = newStoredFile({ x, first, rows: rows.length, pieceBytes: rows[0]![0].length })
  return { ...fresh, file, version: newVersion(Date.now(), version) }
}

/** What `prepare` says of a lane. */
export function laneCount(stored: StoredFile, lane: 0 | 1): { bytes: number; checksum: number } {
  const crc = Buffer.alloc(4)
  return stored.rows.reduce(
    ({ bytes, checksum }, row) => {
      crc.writeUInt32BE(crc32(row[lane]))
      return { bytes: bytes + row[lane].length, checksum: crc32(crc, checksum) }
    },
    { bytes: 0, checksum: 0 },
  )
}

/** Opens an upload and sends all rows; answers its id. */
export async function stage(client: WireClient, as: Prover, stored: StoredFile): Promise<Buffer> {
  const upload = randomBytes(16)
  await client.request('open', { upload, first: stored.first }, { as })
  for (const [row, body] of stored.rows.entries()) {
    client.socket.write(client.frame('append', { upload, row }, { as, body }))
  }
  return upload
}

/** The fields of the `prepare` that fits. */
export function prepareOf(stored: StoredFile, upload: Buffer) {
  const { file, version, x, sealed, rows } = stored
  const lanes: [ReturnType<typeof laneCount>, ReturnType<typeof laneCount>] = [
    laneCount(stored, 0),
    laneCount(stored, 1),
  ]
  return { upload, file, version, x, rows: rows.length, lanes, sealed }
}

/** Open, rows, prepare. Answers whether it would replace a file. */
export async function prepare(
  client: WireClient,
  as: Prover,
  stored: StoredFile,
): Promise<boolean> {
  const upload = await stage(client, as, stored)
  const answer = await client.request('prepare', prepareOf(stored, upload), { as })
  return answer.header.replaced
}

/** A file of one row in one message. */
export async function store(client: WireClient, as: Prover, stored: StoredFile): Promise<boolean> {
  const { file, version, x, sealed, rows } = stored
  const answer = await client.request('store', { file, version, x, sealed }, { as, body: rows[0]! })
  return answer.header.replaced
}

export async function commit(client: WireClient, as: Prover, stored: StoredFile): Promise<void> {
  await client.request('commit', { file: stored.file, version: stored.version }, { as })
}

/** The pieces of one part, rows `from` to `to` (not included). */
export async function readPart(
  client: WireClient,
  as: Prover,
  request: { stored: StoredFile; part: number; from?: number; to?: number },
): Promise<Buffer[]> {
  const { stored, part, from = 0, to = stored.rows.length } = request
  const { file, version } = stored
  const pieces: Buffer[] = []
  for await (const { header, bodies, damaged } of client.answers(
    'read',
    { file, version, part, from, to },
    { as },
  )) {
    if (header.row !== from + pieces.length) throw new Error(`row ${header.row} came out of order`)
    if (damaged.length > 0) throw new Error(`row ${header.row} came damaged`)
    pieces.push(bodies[0]!)
  }
  return pieces
}
