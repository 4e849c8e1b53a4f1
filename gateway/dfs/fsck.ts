// Verifies every copy of a user's own files: each piece of both copies of each part is read and
// compared with its checksum, rows are opened, and the content with its MD5. A few rows in memory
// at a time. Mends nothing: a node that meets damage does that by itself.
import { createHash, createSecretKey } from 'node:crypto'
import {
  type Entry,
  laneOfPart,
  NODE_COUNT,
  pieceBytes,
  sealedRowBytes,
} from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import {
  type Copy,
  copiesOf,
  type FileCheck,
  isLostWithout,
  readCopy,
  reportOf,
  VersionGone,
  verdictOf,
} from './copy-check.ts'
import { attemptOfRow } from './description.ts'
import type { Identity } from './identity.ts'
import { type FoundFile, lookup } from './lookup.ts'
import { openRow } from './row.ts'
import type { Listing, ListQuery } from './store.ts'

/** Rows that are read at once: of each, eight pieces of a quarter of a megabyte at most. */
const ROWS_AT_ONCE = 4
const MAX_TRIES = 3
/** Files that are listed at once. */
const PAGE_FILES = 1000

interface CheckContext {
  cluster: Cluster
  identity: Identity
  signal?: AbortSignal | undefined
}

/**
 * Verifies all files of a user, in order of name. `list` answers a page of them.
 * @throws DfsError as `lookup` and `list`
 */
export async function* checkFiles(
  context: CheckContext & { list: (query: ListQuery) => Promise<Listing> },
): AsyncGenerator<FileCheck> {
  const { list, signal } = context
  for (let cursor: string | undefined; ; ) {
    const page = await list({
      limit: PAGE_FILES,
      ...(cursor !== undefined && { cursor }),
      ...(signal !== undefined && { signal }),
    })
    for (const { name } of page.files) {
      const check = await checkFile(context, name)
      if (check !== undefined) yield check
    }
    cursor = page.next
    if (cursor === undefined) return
  }
}

/** Verifies the newest version of a file; undefined where there is none any more. */
async function checkFile(context: CheckContext, name: string): Promise<FileCheck | undefined> {
  const { cluster, identity, signal } = context
  for (let tries = 1; ; tries++) {
    const found = await lookup(cluster, identity, { name, signal })
    if (found === undefined) return undefined
    try {
      return await checkVersion(context, found)
    } catch (error) {
      // It was replaced meanwhile: then the newer one is verified.
      if (!(error instanceof VersionGone)) throw error
      if (tries === MAX_TRIES) return undefined
    }
  }
}

async function checkVersion(context: CheckContext, found: FoundFile): Promise<FileCheck> {
  const { cluster, identity } = context
  const { description, current } = found
  const { entry, partsHeld } = current
  const copies = copiesOf(description.x, ({ part, node }) => {
    if (!cluster.isLive(node)) return 'unreachable'
    return (partsHeld[node]! & (1 << (part - 1))) === 0 ? 'missing' : 'whole'
  })
  const content = createHash('md5')
  const opener = rowOpener(found)
  let isLost = false
  let isRead = true
  let sizeBytes = 0
  for (let from = 0; from < description.rows; from += ROWS_AT_ONCE) {
    const to = Math.min(from + ROWS_AT_ONCE, description.rows)
    const rows = Array.from({ length: to - from }, (_, at) => from + at)
    const read = await Promise.all(rows.map((row) => readRow(context, { entry, copies, row })))
    for (const [at, pieces] of read.entries()) {
      sizeBytes += sealedRowBytes(rows[at]!, { ...description, sizeBytes: description.size })
      const plain = opener(rows[at]!, pieces)
      for (const slice of plain ?? []) content.update(slice)
      if (plain === undefined) {
        isRead = false
        isLost ||= pieces.some((lane) => lane.length === 0 && isLostWithout(lane.copies))
        isLost ||= pieces.every((lane) => lane.length > 0)
      }
    }
  }
  if (isRead && !content.digest().equals(description.md5)) isLost = true
  const file = Buffer.from(entry.file).toString('hex')
  const verdict = verdictOf(copies, { isLost, isRead })
  return {
    user: identity.user,
    name: description.name,
    file,
    sizeBytes,
    ...reportOf(copies),
    verdict,
  }
}

/** The pieces of one lane of a row, from the copies that have them; and all its copies. */
type LanePieces = { copy: Copy; piece: Buffer }[] & { copies: Copy[] }

/** The pieces of one row by lane, each from as many copies as have it. */
async function readRow(
  { cluster, identity, signal }: CheckContext,
  { entry, copies, row }: { entry: Entry; copies: readonly Copy[]; row: number },
): Promise<LanePieces[]> {
  const { file, version } = entry
  const lanes = Array.from({ length: NODE_COUNT }, () => {
    return Object.assign([], { copies: [] }) as unknown as LanePieces
  })
  await Promise.all(
    copies.map(async (copy) => {
      const { part, node } = copy
      const lane = lanes[laneOfPart(part, entry)]!
      lane.copies.push(copy)
      const answer = await readCopy(copy, 'gone', () =>
        cluster.call(node, {
          op: 'read',
          fields: { file, version, part, from: row, to: row + 1 },
          as: { by: 'user', identity },
          signal,
        }),
      )
      const piece = answer?.body[0]
      if (piece !== undefined) lane.push({ copy, piece })
    }),
  )
  return lanes
}

/**
 * Opens a row from whichever pieces open together; copies whose piece is another than that are
 * damaged, though their checksums hold.
 */
function rowOpener({ description }: FoundFile) {
  const key = createSecretKey(description.key)
  const { rows, attempts } = description
  return (row: number, lanes: readonly LanePieces[]): Buffer[] | undefined => {
    const sealedBytes = sealedRowBytes(row, { ...description, sizeBytes: description.size })
    for (const [lane, pieces] of lanes.entries()) {
      for (const { copy, piece } of pieces) {
        if (piece.length !== pieceBytes(sealedBytes, lane)) copy.state = 'damaged'
      }
    }
    const position = { row, attempt: attemptOfRow(attempts, row), isLast: row === rows - 1 }
    for (let choice = 0; choice < 1 << NODE_COUNT; choice++) {
      const chosen = lanes.map((pieces, lane) => pieces[(choice >> lane) & 1]?.piece)
      if (chosen.some((piece) => piece === undefined)) continue
      const plain = openRow(key, position, chosen as Buffer[])
      if (plain === undefined) continue
      for (const [lane, pieces] of lanes.entries()) {
        for (const { copy, piece } of pieces) {
          if (!piece.equals(chosen[lane]!)) copy.state = 'damaged'
        }
      }
      return plain
    }
    return undefined
  }
}
