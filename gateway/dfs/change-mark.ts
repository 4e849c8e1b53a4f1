// The `change` of a listing: how far the changes of each node are known, as a short text. Nodes
// count their changes themselves, so the same mark means the same files at every gateway.
//
//   mark  = base64url of: user(6) mask(1) { epoch(6) since(6) }
//
// user: who it belongs to, so that nobody takes another's for their own; mask: bit n for each node
// n = 0..3 that contributed; then those nodes in order: the first bytes of the folder's epoch, and
// the cursor (big-endian).
import { ALL_NODES } from './cluster.ts'
import type { NodeCursor } from './user-files.ts'

export const USER_TAG_BYTES = 6
const EPOCH_BYTES = 6
const SINCE_BYTES = 6
const NODE_BYTES = EPOCH_BYTES + SINCE_BYTES

export interface ChangeMark {
  /** 6 bytes that name the user. */
  userTag: Buffer
  /** The nodes that contributed; undefined for the others. */
  cursors: readonly (NodeCursor | undefined)[]
}

/** The mark as text of the base64url alphabet, 63 characters at most. */
export function encodeMark({ userTag, cursors }: ChangeMark): string {
  const parts = cursors.flatMap((cursor) => {
    if (cursor === undefined) return []
    const since = Buffer.alloc(SINCE_BYTES)
    since.writeUIntBE(cursor.since, 0, SINCE_BYTES)
    return [cursor.epoch.subarray(0, EPOCH_BYTES), since]
  })
  const mask = cursors.reduce(
    (sum, cursor, node) => sum | (cursor === undefined ? 0 : 1 << node),
    0,
  )
  return Buffer.concat([userTag, Buffer.of(mask), ...parts]).toString('base64url')
}

/**
 * Where each node's changes since `mark` begin, or undefined where it is not a mark of this user
 * with the same nodes and folders as `now`: then nothing can be said but all.
 */
export function sinceMark(mark: string, now: ChangeMark): (number | undefined)[] | undefined {
  const bytes = Buffer.from(mark, 'base64url')
  const present = Buffer.from(encodeMark(now), 'base64url')
  const headBytes = USER_TAG_BYTES + 1
  if (bytes.length !== present.length) return undefined
  if (!bytes.subarray(0, headBytes).equals(present.subarray(0, headBytes))) return undefined
  const since: (number | undefined)[] = ALL_NODES.map(() => undefined)
  let at = headBytes
  for (const node of ALL_NODES) {
    if (now.cursors[node] === undefined) continue
    const epochOf = (from: Buffer) => from.subarray(at, at + EPOCH_BYTES)
    if (!epochOf(bytes).equals(epochOf(present))) return undefined
    since[node] = bytes.readUIntBE(at + EPOCH_BYTES, SINCE_BYTES)
    at += NODE_BYTES
  }
  return since
}
