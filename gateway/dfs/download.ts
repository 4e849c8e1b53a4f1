// One download: the file is found, the rows that the range touches are fetched as four lanes spread
// over the live nodes, opened, and handed on. A reader gets right bytes or an error, never wrong
// ones.
import { createSecretKey, type KeyObject } from 'node:crypto'
import { DfsError, NODE_COUNT } from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import { attemptOfRow } from './description.ts'
import type { Gate } from './gate.ts'
import type { Identity } from './identity.ts'
import { LaneReader, laneSources } from './lane-reader.ts'
import { Lease } from './lease.ts'
import { type FoundFile, lookupExisting, requireReadable } from './lookup.ts'
import { openRow } from './row.ts'
import { RowAssembly } from './row-assembly.ts'
import { rowRuns, slicesOf } from './row-runs.ts'
import type { ByteRange, Download, DownloadRequest } from './store.ts'
import { openFromTwins } from './twins.ts'

export interface DownloadContext {
  cluster: Cluster
  identity: Identity
  /** Bounds how many downloads hold rows at once. */
  gate: Gate
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
  for (let tries = 1; ; tries++) {
    const { cluster, identity } = context
    // Two nodes may be enough; where what they have is damaged, all are asked.
    const isQuick = tries === 1
    const found = await lookupExisting(cluster, identity, { ...request, withParts: true, isQuick })
    const selection = request.choose?.(found.info) ?? 'all'
    if (selection === 'nothing') return { file: found.info, selection, content: noContent() }
    requireReadable(found.info)
    const rows = plainContent(context, { found, selection, signal: request.signal })
    try {
      const first = await rows.next()
      return { file: found.info, selection, content: resumed(first, rows) }
    } catch (error) {
      const code = error instanceof DfsError ? error.code : undefined
      const mayHelp = code === 'FILE_NOT_FOUND' || (code === 'DAMAGED' && isQuick)
      if (!mayHelp || tries === MAX_TRIES) throw error
    }
  }
}

interface ContentRequest {
  found: FoundFile
  selection: readonly ByteRange[] | 'all'
  signal: AbortSignal | undefined
}

/** The plaintext of the ranges, row by row. A buffer is taken back when the next is asked for. */
async function* plainContent(
  context: DownloadContext,
  request: ContentRequest,
): AsyncGenerator<Buffer> {
  const { found, selection, signal } = request
  const opener = createOpener(context, found)
  for (const { fromRow, toRow, ranges } of rowRuns(selection, found.description)) {
    for await (const { row, sealed } of sealedRows(context, { found, signal, fromRow, toRow })) {
      const plain = await opener(row, sealed)
      const lease = new Lease(plain, 1)
      try {
        yield* slicesOf(plain, row * found.description.rowBytes, ranges)
      } finally {
        lease.release()
      }
    }
  }
}

interface SealedRequest {
  found: FoundFile
  signal: AbortSignal | undefined
  fromRow: number
  toRow: number
}

/** Sealed rows in order, each put together from its four pieces. */
async function* sealedRows(
  context: DownloadContext,
  request: SealedRequest,
): AsyncGenerator<{ row: number; sealed: Buffer }> {
  const { found, signal, fromRow, toRow } = request
  if (found.pieces.every((piece) => piece !== undefined)) {
    yield { row: 0, sealed: Buffer.concat(found.pieces) }
    return
  }
  const leave = await context.gate.enter(signal)
  const { size: sizeBytes, rowBytes } = found.description
  const readers: LaneReader[] = []
  const assembly = new RowAssembly({
    file: { sizeBytes, rowBytes },
    fromRow,
    onRoom: () => {
      for (const reader of readers) reader.resume()
    },
    lateMs: context.cluster.hedge.leastMs,
    onLate: (lanes) => {
      for (const lane of lanes) readers[lane]!.replaceSlow()
    },
  })
  const onAbort = () => assembly.fail(new DfsError('ABORTED', 'The download was given up.'))
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted === true) onAbort()
  try {
    for (let lane = 0; lane < NODE_COUNT; lane++) {
      const reader = laneReader(context, request, { lane, assembly })
      readers.push(reader)
      reader.run().catch((error: DfsError) => assembly.fail(error))
    }
    for (let row = fromRow; row < toRow; row++) {
      const sealed = await assembly.take()
      const lease = new Lease(sealed, 1)
      try {
        yield { row, sealed }
      } finally {
        lease.release()
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    for (const reader of readers) reader.stop()
    leave()
  }
}

function laneReader(
  { cluster, identity }: DownloadContext,
  { found, fromRow, toRow }: SealedRequest,
  { lane, assembly }: { lane: number; assembly: RowAssembly },
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

/** Opens rows of one file; where a row does not open as it came, its other copies are tried. */
function createOpener(context: DownloadContext, found: FoundFile) {
  const { description, current } = found
  const key: KeyObject = createSecretKey(description.key)
  const { cluster, identity, onLiar } = context
  return async (row: number, sealed: Buffer): Promise<Buffer> => {
    const isLast = row === description.rows - 1
    const position = { row, attempt: attemptOfRow(description.attempts, row), isLast }
    const plain = openRow(key, position, sealed)
    if (plain !== undefined) return plain
    return openFromTwins({
      cluster,
      identity,
      entry: current.entry,
      partsHeld: current.partsHeld,
      row,
      open: (pieces) => openRow(key, position, Buffer.concat(pieces)),
      onLiar,
    })
  }
}

/** `first`, which was asked for already, and then the rest. */
async function* resumed(
  first: IteratorResult<Buffer>,
  rest: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    if (first.done === true) return
    yield first.value
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}

async function* noContent(): AsyncGenerator<Buffer> {}
