// One upload from the first byte to the acknowledgement: rows are gathered, sealed, sent to all
// four nodes, prepared on all four, and then committed on all four. What is not committed leaves
// nothing behind.
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import {
  DfsError,
  freshRandom,
  KEY_BYTES,
  lanesOfNode,
  MAX_TYPE_BYTES,
  ROW_BYTES,
  rotationOf,
  rowCount,
  UPLOAD_ID_BYTES,
  versionTimeMs,
} from '@fourfold/storage-node/protocol'
import { abortable } from './abortable.ts'
import { type Admission, type Leave, SMALL_BYTES } from './admission.ts'
import type { Cluster } from './cluster.ts'
import { prepareAndCommit } from './commit.ts'
import { ContentDigest } from './content-digest.ts'
import { type Description, sealDescription } from './description.ts'
import type { DigestThreads } from './digest-threads.ts'
import { checkFileName } from './file-name.ts'
import type { Identity } from './identity.ts'
import { fileIdOf } from './keys.ts'
import { LaneWriter } from './lane-writer.ts'
import { lookup, newestVersion } from './lookup.ts'
import { type PlainRow, plainRows } from './plain-rows.ts'
import { type Piece, sealRow } from './row.ts'
import type { UploadRequest, UploadResult, WriteCondition } from './store.ts'

/** A prepare waits for the disks of nodes that are there to sync what is still dirty. */
const PREPARE_TIMEOUT_MS = 120_000
const DEFAULT_TYPE = 'application/octet-stream'

export interface Uploader {
  cluster: Cluster
  identity: Identity
  /** Bounds how many rows are on their way. */
  admission: Admission
  digestThreads: DigestThreads
}

interface UploadContext extends Uploader {
  request: UploadRequest
  name: string
  file: Buffer
  /** Random, for this version only. */
  contentKey: Buffer
  rowKey: KeyObject
  /** What the name must be now, as nodes check it; undefined: anything. */
  condition: Uint8Array | null | undefined
}

/**
 * Stores a file. Resolves only when the bytes and entries are synced on all four nodes and visible.
 * @throws DfsError NODES_UNAVAILABLE, NO_SPACE, NAME_INVALID, PRECONDITION_FAILED, LENGTH_MISMATCH,
 *   DIGEST_MISMATCH, NODE_GONE, NODE_TIMEOUT, OUTCOME_UNKNOWN
 */
export async function upload(uploader: Uploader, request: UploadRequest): Promise<UploadResult> {
  const { cluster, identity } = uploader
  const name = checkFileName(request.name)
  cluster.requireAll()
  const condition = await nodeCondition(cluster, identity, { ...request, name })
  const contentKey = freshRandom(KEY_BYTES)
  const context: UploadContext = {
    ...uploader,
    request,
    name,
    file: fileIdOf(identity.nameKey, name),
    contentKey,
    rowKey: createSecretKey(contentKey),
    condition,
  }
  using digest = new ContentDigest(request, uploader.digestThreads)
  const rows = plainRows({
    source: abortable(request.source, request.signal),
    isSourceOwned: request.isSourceOwned,
    sizeBytes: request.sizeBytes,
    onBytes(bytes) {
      digest.count(bytes)
      request.onProgress?.(digest.sizeBytes)
    },
    onFill: (bytes) => digest.update(bytes),
  })
  const { value: firstRow } = await rows.next()
  if (firstRow === undefined) throw new DfsError('INTERNAL', 'A source gave no row.')
  if (firstRow.isLast) return await storeSmall(context, firstRow, digest)
  return await storeLarge(context, firstRow, rows, digest)
}

/** A file of one row: sealed once, one message to each node, then the commit. */
async function storeSmall(
  context: UploadContext,
  only: PlainRow,
  digest: ContentDigest,
): Promise<UploadResult> {
  const md5 = await digest.finish()
  const x = rotationOf(md5)
  const describe = describer(context, { md5, x, first: x, sizeBytes: digest.sizeBytes })
  // Small rows are no matter: what they hold is within what their transfer set aside.
  const leave = only.lengthBytes > SMALL_BYTES ? await passage(context) : () => {}
  try {
    const pieces = sealPlainRow(context, only)
    return await prepareAndCommit(context, describe, async (node, version, sealed) => {
      const [before, after] = lanesOfNode(node, x)
      const { file, condition } = context
      const fields = { file, version, x, sealed, ...(condition !== undefined && { condition }) }
      const body = [pieces[before]!, pieces[after]!]
      const call = { op: 'store', fields, body, ...common(context) } as const
      return (await context.cluster.call(node, call)).header.replaced
    })
  } finally {
    leave()
  }
}

/** A file of many rows: opened on all nodes, streamed, prepared, committed. */
async function storeLarge(
  context: UploadContext,
  firstRow: PlainRow,
  rest: AsyncIterable<PlainRow>,
  digest: ContentDigest,
): Promise<UploadResult> {
  const { cluster, identity, request } = context
  const first = rotationOf(digest.soFar())
  const id = randomBytes(UPLOAD_ID_BYTES)
  const { sizeBytes } = request
  const writer = await LaneWriter.open({ cluster, identity, upload: id, first, sizeBytes })
  try {
    await sendRow(context, writer, firstRow, digest)
    for await (const row of rest) await sendRow(context, writer, row, digest)
    const md5 = await digest.finish()
    const x = rotationOf(md5)
    const rows = rowCount(digest.sizeBytes, ROW_BYTES)
    const describe = describer(context, { md5, x, first, sizeBytes: digest.sizeBytes })
    // Staged bytes are prepared once: a version that turns out stale would cost the whole upload.
    const after = await newestVersion(cluster, identity, context)
    const result = await prepareAndCommit(
      { ...context, after, isStaged: true },
      describe,
      async (node, version, sealed) => {
        const { file, condition } = context
        const lanes = writer.sumsOf(node)
        const fields = { upload: id, file, version, x, rows, lanes, sealed }
        const answer = writer.connectionTo(node).request({
          op: 'prepare',
          fields: condition === undefined ? fields : { ...fields, condition },
          ...common(context),
        })
        return (await cluster.whileHeard(node, answer)).header.replaced
      },
    )
    writer.close()
    return result
  } catch (error) {
    await writer.abort()
    throw explain(error, writer)
  }
}

/** The client is waited for before and after, and not while the row takes the place of others. */
async function sendRow(
  context: UploadContext,
  writer: LaneWriter,
  row: PlainRow,
  digest: ContentDigest,
): Promise<void> {
  const leave = await passage(context)
  try {
    const pieces = sealPlainRow(context, row)
    await Promise.all([writer.write(row.row, pieces), digest.take(row.slices)])
  } finally {
    leave()
  }
}

function passage({ admission, identity, request }: UploadContext): Promise<Leave> {
  return admission.passage('up', identity.user, request.signal)
}

/** Seals the description for a version; a retry with a newer version needs it again. */
function describer(
  context: UploadContext,
  content: { md5: Buffer; x: number; first: number; sizeBytes: number },
) {
  const { request, name, contentKey } = context
  const { md5, x, first, sizeBytes } = content
  return (version: Uint8Array): { description: Description; sealed: Buffer } => {
    const description: Description = {
      name,
      size: sizeBytes,
      md5,
      ...(request.sha256 !== undefined && { sha256: request.sha256 }),
      type: typeOf(request.type),
      modified: request.modifiedMs ?? versionTimeMs(version),
      key: contentKey,
      rowBytes: ROW_BYTES,
      rows: rowCount(sizeBytes, ROW_BYTES),
      first,
      x,
      attempts: [0],
    }
    const place = { file: context.file, version }
    return { description, sealed: sealDescription(context.identity.entryKey, place, description) }
  }
}

/** The type that is kept of the one that was told. */
export function typeOf(type: string | undefined): string {
  if (type === undefined || type === '') return DEFAULT_TYPE
  return Buffer.byteLength(type) > MAX_TYPE_BYTES ? DEFAULT_TYPE : type
}

function sealPlainRow(context: UploadContext, { row, slices, isLast }: PlainRow): Piece[] {
  return sealRow(context.rowKey, { row, attempt: 0, isLast }, slices)
}

/**
 * What the nodes are to check at prepare, from what the caller asks.
 * @throws DfsError PRECONDITION_FAILED
 */
export async function nodeCondition(
  cluster: Cluster,
  identity: Identity,
  request: { name: string; condition?: WriteCondition; signal?: AbortSignal },
): Promise<Uint8Array | null | undefined> {
  const { condition } = request
  if (condition === undefined) return undefined
  const found = await lookup(cluster, identity, request)
  if (condition.kind === 'absent') {
    if (found === undefined) return null
    throw new DfsError('PRECONDITION_FAILED', 'There is a file of that name already.')
  }
  const isMatch =
    found !== undefined && (condition.md5s === 'any' || condition.md5s.includes(found.info.md5))
  if (isMatch) return found.current.entry.version
  throw new DfsError('PRECONDITION_FAILED', 'The file is not the one that was expected.')
}

/** Where a node said why it refused a row, that is the reason; what followed from it is not. */
function explain(error: unknown, writer: LaneWriter): unknown {
  return writer.failure ?? error
}

function common(context: UploadContext) {
  const as = { by: 'user', identity: context.identity } as const
  return { as, timeoutMs: PREPARE_TIMEOUT_MS, signal: context.request.signal }
}
