// The eight copies of one version while they are verified: which were read, which are missing,
// damaged or out of reach, and what that makes of the file. Knows no keys.
import {
  DfsError,
  type ErrorCode,
  NODE_COUNT,
  nodeName,
  nodesOfPart,
  toDfsError,
} from '@fourfold/storage-node/protocol'

export type CopyState = 'whole' | 'missing' | 'damaged' | 'unreachable'

/** One copy of a part, as far as it was verified. */
export interface Copy {
  /** 1..4 */
  part: number
  /** 0..3 */
  node: number
  state: CopyState
}

/**
 * `repairing`: some copies are not whole, and the nodes bring them back from the others.
 * `unchecked`: what could be read is right, but not all nodes could be asked. `lost`: the file, or
 * a row of it, cannot be made from any copies.
 */
export type Verdict = 'whole' | 'repairing' | 'unchecked' | 'lost'

/** What came of verifying one file. */
export interface FileCheck {
  user: string
  /** Only of one's own files; the cluster key opens no name. */
  name?: string
  /** The file's id, 32 hex digits. */
  file: string
  /** Sealed bytes of one set of parts. */
  sizeBytes: number
  /** Copies that are whole, 0..8. */
  copies: number
  faults: { node: string; part: number; state: Exclude<CopyState, 'whole'> }[]
  verdict: Verdict
}

/** The version was replaced or deleted while it was read. */
export class VersionGone extends Error {}

/** Codes that say that a copy, and nothing else, is at fault. */
const states: Partial<Record<ErrorCode, CopyState>> = {
  PART_MISSING: 'missing',
  FILE_NOT_FOUND: 'missing',
  DAMAGED: 'damaged',
  FRAME_DAMAGED: 'damaged',
  DISK_FAILED: 'damaged',
}
/** Codes that no other copy would change. */
const ENDS = new Set<ErrorCode>(['AUTH_FAILED', 'AUTH_THROTTLED', 'FORBIDDEN', 'ABORTED'])

/** All copies of a version; `stateOf` says what is known of them before they are read. */
export function copiesOf(
  x: number,
  stateOf: (copy: Pick<Copy, 'part' | 'node'>) => CopyState,
): Copy[] {
  return Array.from({ length: NODE_COUNT }, (_, index) => index + 1).flatMap((part) =>
    nodesOfPart(part, x).map((node) => ({ part, node, state: stateOf({ part, node }) })),
  )
}

/**
 * What `read` answers of a copy, or undefined, noting why there is nothing. A node that does not
 * know the version: the copy is missing, or VersionGone is thrown.
 * @throws VersionGone; DfsError where no copy could be read
 */
export async function readCopy<T>(
  copy: Copy,
  unknown: 'missing' | 'gone',
  read: () => Promise<T>,
): Promise<T | undefined> {
  if (copy.state === 'missing' || copy.state === 'unreachable') return undefined
  try {
    return await read()
  } catch (thrown) {
    const error = toDfsError(thrown)
    if (error.code === 'FILE_NOT_FOUND' && unknown === 'gone') throw new VersionGone()
    if (ENDS.has(error.code)) throw new DfsError(error.code, error.message, { cause: error })
    copy.state = states[error.code] ?? 'unreachable'
    return undefined
  }
}

/** What the copies of a part, or of a row, make of the file where none could be read. */
export function isLostWithout(copies: readonly Copy[]): boolean {
  return copies.every(({ state }) => state !== 'unreachable')
}

/** `isRead`: everything was had from some copy. `isLost`: something is had from none. */
export function verdictOf(
  copies: readonly Copy[],
  { isLost, isRead }: { isLost: boolean; isRead: boolean },
): Verdict {
  if (isLost) return 'lost'
  if (!isRead) return 'unchecked'
  if (copies.some(({ state }) => state === 'missing' || state === 'damaged')) return 'repairing'
  return copies.every(({ state }) => state === 'whole') ? 'whole' : 'unchecked'
}

/** The copies as callers see them. */
export function reportOf(copies: readonly Copy[]): Pick<FileCheck, 'copies' | 'faults'> {
  return {
    copies: copies.filter(({ state }) => state === 'whole').length,
    faults: copies.flatMap(({ part, node, state }) =>
      state === 'whole' ? [] : [{ node: nodeName(node), part, state }],
    ),
  }
}
