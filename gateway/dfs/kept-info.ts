// What the faces say and hear of a kept upload, and how that becomes what is sealed and back.
import { randomBytes } from 'node:crypto'
import { DfsError, NODE_COUNT, ROW_BYTES } from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import { sayableTime } from './description.ts'
import { checkFileName } from './file-name.ts'
import type { Identity } from './identity.ts'
import { sealedCondition } from './kept-finish.ts'
import type { KeptAt } from './kept-nodes.ts'
import { type KeptState, MAX_CONDITION_TAGS, MAX_NOTE_BYTES } from './kept-state.ts'
import { RowDigest } from './row-digest.ts'
import type { WriteCondition } from './store.ts'
import { nodeCondition, typeOf } from './upload.ts'

export interface KeptRequest {
  name: string
  type?: string
  /** Plaintext bytes of the file; may be told later. */
  sizeBytes?: number
  /** Expected MD5, 16 bytes: checked at the end (DIGEST_MISMATCH). */
  md5?: Uint8Array
  modifiedMs?: number
  /** Checked now and at the end. */
  condition?: WriteCondition
  /** Kept for the client, at most 3072 characters. */
  note?: string
}

export interface KeptInfo {
  /** 32 hex digits. */
  id: string
  name: string
  sizeBytes?: number
  /** Bytes that are on the disks of all four nodes. */
  offsetBytes: number
  expiresMs: number
  modifiedMs?: number
  note: string
  /** Where it became a file: the file's MD5, 32 hex digits, and whether the name was new. */
  stored?: { md5: string; isNew: boolean }
}

/** The state of an upload before its first byte. @throws DfsError as `create` */
export async function newState(
  cluster: Cluster,
  identity: Identity,
  request: KeptRequest,
): Promise<KeptState> {
  const name = checkFileName(request.name)
  cluster.requireAll()
  const condition = sealedCondition(request.condition)
  const { note = '' } = request
  if (note.length > MAX_NOTE_BYTES || (condition?.length ?? 0) > MAX_CONDITION_TAGS) {
    throw new DfsError('TOO_LARGE', 'The upload says more of itself than is kept.')
  }
  await nodeCondition(cluster, identity, { ...request, name })
  const { sizeBytes, md5, modifiedMs } = request
  return {
    ...{ name, note, condition, type: typeOf(request.type) },
    ...{ size: sizeBytes ?? null, md5: md5 ?? null, modified: modifiedMs ?? null },
    ...{ key: randomBytes(32), offset: 0, state: (await RowDigest.create()).state() },
    lanes: Array.from({ length: NODE_COUNT }, (): [number, number] => [0, 0]),
    ...{ attempts: [0], take: 0, closed: true, stored: null },
  }
}

/** @throws DfsError BAD_REQUEST where the length told now cannot be */
export function declaredSize(
  { state, rows }: KeptAt,
  sizeBytes: number | undefined,
): number | null {
  if (sizeBytes === undefined) return state.size
  if (state.size !== null && state.size !== sizeBytes) {
    throw new DfsError('BAD_REQUEST', `The length was told before: ${state.size} bytes.`)
  }
  // A row that was sent on is not the last: a byte had come after it.
  const isShort = state.size === null && rows > 0 && sizeBytes === rows * ROW_BYTES
  if (sizeBytes < state.offset || (isShort && sizeBytes === state.offset)) {
    throw new DfsError('BAD_REQUEST', 'More bytes have come than the file is to have.')
  }
  return sizeBytes
}

/** What the faces are told of an upload. */
export function infoOf({ id, state, expiresMs }: KeptAt): KeptInfo {
  return {
    id: id.toString('hex'),
    name: state.name,
    ...(state.size !== null && { sizeBytes: state.size }),
    offsetBytes: state.offset,
    expiresMs,
    ...(state.modified !== null && { modifiedMs: sayableTime(state.modified) }),
    note: state.note,
    ...(state.stored !== null && { stored: state.stored }),
  }
}

/** @throws DfsError UPLOAD_UNKNOWN where it is no id at all */
export function idOf(id: string): Buffer {
  if (/^[0-9a-f]{32}$/.test(id)) return Buffer.from(id, 'hex')
  throw new DfsError('UPLOAD_UNKNOWN', 'There is no such upload.')
}
