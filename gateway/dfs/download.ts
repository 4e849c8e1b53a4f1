// One download: the file is found, the rows that the range touches are fetched as four lanes spread
// over the live nodes, opened, and handed on. A reader gets right bytes or an error, never wrong
// ones.
import { createSecretKey, type KeyObject } from 'node:crypto'
import { DfsError } from '@fourfold/storage-node/protocol'
import type { Admission, Leave } from './admission.ts'
import type { Cluster } from './cluster.ts'
import { attemptOfRow } from './description.ts'
import type { Identity } from './identity.ts'
import { LaneReader, laneSources } from './lane-reader.ts'
import { giveBack } from './lease.ts'
import { type FoundFile, lookupExisting, requireReadable } from './lookup.ts'
import { openRow } from './row.ts'
import { rowRuns, slicesOf } from './row-runs.ts'
import { type LanePlace, type RowPieces, sealedRowsAtPace } from './row-source.ts'
import type { ByteRange, Download, DownloadRequest } from './store.ts'
import { openFromTwins } from './twins.ts'

export interface DownloadContext {
  cluster: Cluster
  identity: Identity
  /** Bounds how many downloads there are, and how many rows are on their way. */
  admission: Admission
  /** Told the name of each node that sent a wrong copy. */
  onLiar(node: string): void
}

/**
 * An overwrite between the lookup and the read takes the version away; then the newer one is read.
 */
const MAX_TRIES = 4

/**
 * Finds the file and its first row; the rest is fetched as `content` is read. Read it, or abort
 * `signal`.
 * @throws DfsError FILE_NOT_FOUND, PARTS_UNAVAILABLE, NODES_UNAVAILABLE, NAME_INVALID, BUSY
 */
export async function download(
  context: DownloadContext,
  request: DownloadRequest,
): Promise<Download> {
  const { cluster, identity, admission } = context
  const { signal } = request
  let leave: Leave | undefined
  try {
    for (let tries = 1; ; ) {
      // Two nodes may be enough; where what they have is damaged, all are asked.
      const isQuick = tries === 1
      const found = await lookupExisting(cluster, identity, {
        ...request,
        withParts: true,
        isQuick,
      })
      const selection = request.choose?.(found.info) ?? 'all'
      if (selection === 'nothing') return { file: found.info, selection, content: noContent() }
      requireReadable(found.info)
      const place = { user: identity.user, sizeBytes: found.info.sizeBytes, signal }
      leave ??= admission.tryTransfer(place)
      if (leave === undefined) {
        // What came with the lookup is not held meanwhile, and may be out of date after.
        leave = await admission.transfer(place)
        continue
      }
      const rows = plainContent(context, { found, selection, signal })
      try {
        const first = await rows.next()
        const content = resumed(first, rows, leave)
        signal?.addEventListener('abort', leave, { once: true })
        leave = undefined
        return { file: found.info, selection, content }
      } catch (error) {
        const code = error instanceof DfsError ? error.code : undefined
        const mayHelp = code === 'FILE_NOT_FOUND' || (code === 'DAMAGED' && isQuick)
        if (!mayHelp || tries++ === MAX_TRIES) throw error
      }
    }
  } finally {
    leave?.()
  }
}

interface ContentRequest {
  found: FoundFile
  selection: readonly ByteRange[] | 'all'
  signal: AbortSignal | undefined
}

/**
 * The plaintext of the ranges, slice by slice. A buffer is taken back when the next is asked for;
 * while the reader has it, nothing else is held but what follows it in its row.
 */
async function* plainContent(
  context: DownloadContext,
  request: ContentRequest,
): AsyncGenerator<Buffer> {
  const { found, selection, signal } = request
  const opener = createOpener(context, found)
  const runs = rowRuns(selection, found.description)
  for (const [at, { fromRow, toRow, ranges }] of runs.entries()) {
    const isLast = at === runs.length - 1
    let next = fromRow
    while (next < toRow) {
      const place = { found, signal, fromRow: next, toRow }
      for await (const { row, pieces } of inlineRow(found, isLast) ?? rowsOf(context, place)) {
        const { slices, isAsSent } = await opener(row, pieces)
        let at = row * found.description.rowBytes
        try {
          for (let slice = slices[0]; slice !== undefined; slice = slices[0]) {
            yield* slicesOf(slice, at, ranges)
            at += slice.length
            giveBack(slice)
            slices.shift()
          }
        } finally {
          for (const slice of slices) giveBack(slice)
        }
        next = row + 1
        // Where a piece was damaged, it is thought over anew which nodes are asked for the rest.
        if (!isAsSent) break
      }
    }
  }
}

/** The only row of a small file, where its pieces came along; the last to ask takes them. */
function inlineRow(found: FoundFile, isLast: boolean): RowPieces[] | undefined {
  const { pieces } = found
  if (pieces.some((piece) => piece === undefined)) return undefined
  const own = pieces.map((piece) => (isLast ? piece! : Buffer.from(piece!)))
  if (isLast) pieces.fill(undefined)
  return [{ row: 0, pieces: own }]
}

interface RowsRequest {
  found: FoundFile
  signal: AbortSignal | undefined
  fromRow: number
  toRow: number
}

/** Sealed rows in order, at the reader's pace. */
function rowsOf(context: DownloadContext, request: RowsRequest): AsyncGenerator<RowPieces> {
  const { cluster, identity, admission } = context
  const { found, signal, fromRow, toRow } = request
  const { size: sizeBytes, rowBytes } = found.description
  return sealedRowsAtPace({
    ...{ file: { sizeBytes, rowBytes }, fromRow, toRow, signal },
    lateMs: cluster.hedge.leastMs,
    enter: () => admission.passage('down', identity.user, signal),
    openLane: (place) => laneReader(context, found, place),
  })
}

function laneReader(
  { cluster, identity }: DownloadContext,
  found: FoundFile,
  { lane, fromRow, toRow, assembly }: LanePlace,
): LaneReader {
  const { entry, partsHeld } = found.current
  return new LaneReader({
    cluster,
    identity,
    entry,
    lane,
    fromRow,
    toRow,
    sources: cluster.hedge.inOrder(laneSources(lane, entry, partsHeld)),
    onBytes: (row, offset, bytes) => assembly.write({ row, lane, offset }, bytes),
    onPiece: (row) => assembly.finishPiece(row, lane),
    pieceLength: (row) => assembly.pieceLength(row, lane),
  })
}

/**
 * Opens rows of one file, and gives their pieces back; where a row does not open as it came, its
 * other copies are tried.
 */
function createOpener(context: DownloadContext, found: FoundFile) {
  const { description, current } = found
  const key: KeyObject = createSecretKey(description.key)
  const { cluster, identity, onLiar } = context
  return async (
    row: number,
    pieces: readonly Buffer[],
  ): Promise<{ slices: Buffer[]; isAsSent: boolean }> => {
    const isLast = row === description.rows - 1
    const position = { row, attempt: attemptOfRow(description.attempts, row), isLast }
    const slices = openRow(key, position, pieces, giveBack)
    if (slices !== undefined) return { slices, isAsSent: true }
    const mended = await openFromTwins({
      cluster,
      identity,
      entry: current.entry,
      partsHeld: current.partsHeld,
      row,
      open: (copies) => openRow(key, position, copies),
      onLiar,
    })
    return { slices: mended, isAsSent: false }
  }
}

/** `first`, which was asked for already, and then the rest; at its end the place is left. */
async function* resumed(
  first: IteratorResult<Buffer>,
  rest: AsyncGenerator<Buffer>,
  leave: Leave,
): AsyncGenerator<Buffer> {
  try {
    if (first.done === true) return
    yield first.value
    yield* rest
  } finally {
    await rest.return(undefined)
    leave()
  }
}

async function* noContent(): AsyncGenerator<Buffer> {}
