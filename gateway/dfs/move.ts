// Gives a file another name: a new version under the new name, with the parts and the key that the
// old one has, prepared and committed on all four nodes like an upload; with its commit the old
// name ends. Only a description of a few hundred bytes crosses the network.

import { setTimeout as pause } from 'node:timers/promises'
import { DfsError, nodeName, versionAfter, versionTimeMs } from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import { prepareAndCommit } from './commit.ts'
import { sealDescription } from './description.ts'
import { checkFileName } from './file-name.ts'
import type { Identity } from './identity.ts'
import { fileIdOf } from './keys.ts'
import { currentEntry, type FoundFile, lookupExisting } from './lookup.ts'
import type { FileInfo, MoveRequest } from './store.ts'

/** The file may be written or moved by others meanwhile: then it is looked at again. */
const MAX_TRIES = 4
/** Two who move the same file at once may both be refused: they must not meet again. */
const RETRY_WITHIN_MS = 200

/**
 * The file under its new name.
 * @throws DfsError FILE_NOT_FOUND, NAME_EXISTS, PRECONDITION_FAILED (the condition on the file that
 *   is moved), NAME_INVALID, NODES_UNAVAILABLE, BUSY, OUTCOME_UNKNOWN
 */
export async function move(
  cluster: Cluster,
  identity: Identity,
  request: MoveRequest,
): Promise<FileInfo> {
  const { signal } = request
  const name = checkFileName(request.name)
  const to = checkFileName(request.to)
  cluster.requireUp('Moving needs all four nodes.')
  for (let tries = 1; ; tries++) {
    const found = await lookupExisting(cluster, identity, { name, signal })
    requireCondition(found.info, request)
    if (to === name) return found.info
    try {
      return await moveFound(cluster, identity, { ...request, to, found })
    } catch (error) {
      const canRetry = error instanceof DfsError && RETRIED.includes(error.code)
      if (!canRetry || tries === MAX_TRIES) throw tooBusy(error)
      await pause(Math.random() * RETRY_WITHIN_MS, undefined, { ref: false })
    }
  }
}

/** What a node says of a source that is not, or not alone, the newest version there. */
const RETRIED: readonly string[] = ['FILE_NOT_FOUND', 'BUSY']

async function moveFound(
  cluster: Cluster,
  identity: Identity,
  request: MoveRequest & { found: FoundFile },
): Promise<FileInfo> {
  const { to, found, isReplacing = false, signal } = request
  const { current, description, info } = found
  const source = fileIdOf(identity.nameKey, info.name)
  const file = fileIdOf(identity.nameKey, to)
  const target = await currentEntry(cluster, identity, { name: to, signal })
  if (target?.entry.state === 'committed' && !isReplacing) throw nameExists()
  const as = { by: 'user', identity } as const
  const sourceVersion = current.entry.version
  if (current.copies.some(({ state }) => state === 'prepared')) {
    // What one node has committed counts; a node that missed it would not know what to move.
    const fields = { file: source, version: sourceVersion }
    await cluster.callEach(ALL_NODES, () => ({ op: 'commit', fields, as }))
  }
  const describe = (version: Uint8Array) => {
    const moved = { ...description, name: to }
    const place = { file, version }
    return { description: moved, sealed: sealDescription(identity.entryKey, place, moved) }
  }
  const prepare = async (node: number, version: Uint8Array, sealed: Buffer) => {
    const fields = { file, version, source, sourceVersion, sealed }
    const conditional = isReplacing ? fields : { ...fields, condition: null }
    return (await cluster.call(node, { op: 'move', fields: conditional, as, signal })).header
      .replaced
  }
  const after = newer(target?.entry.version, sourceVersion)
  const result = await prepareAndCommit(
    { cluster, identity, file, after },
    describe,
    prepare,
  ).catch((error: unknown) => {
    throw explain(error, isReplacing)
  })
  // The commits have done it, but where a newer version of the new name took the place of this one
  // on its way. The tombstone is the same, and ends no other version.
  const fields = { file: source, version: versionAfter(sourceVersion) }
  await cluster.tellEach({ op: 'delete', fields, as })
  const { copies, state, missingParts, missingNodes } = info
  return { ...result.file, copies, state, missingParts, missingNodes }
}

/** The time of a version counts: the new one is after both, whatever the clock says. */
function newer(target: Uint8Array | undefined, source: Uint8Array): Uint8Array {
  if (target === undefined) return source
  return versionTimeMs(target) > versionTimeMs(source) ? target : source
}

function requireCondition(file: FileInfo, { condition }: MoveRequest): void {
  if (condition === undefined) return
  const isMet =
    condition.kind === 'match' && (condition.md5s === 'any' || condition.md5s.includes(file.md5))
  if (isMet) return
  throw new DfsError('PRECONDITION_FAILED', 'The file is not the one that was expected.')
}

function nameExists(cause?: unknown): DfsError {
  return new DfsError('NAME_EXISTS', 'There is a file of that name already.', { cause })
}

/** What was meant for an upload, told of a move. */
function explain(error: unknown, isReplacing: boolean): unknown {
  if (!(error instanceof DfsError)) return error
  if (error.code === 'PRECONDITION_FAILED' && !isReplacing) return nameExists(error)
  if (error.code !== 'OUTCOME_UNKNOWN') return error
  const message =
    'Too few nodes confirmed the new name: the file has either the old one or the new one.'
  return new DfsError('OUTCOME_UNKNOWN', message, { cause: error })
}

/** After all tries: the file is there, but a node knows it not yet, or not as it is now. */
function tooBusy(error: unknown): unknown {
  if (!(error instanceof DfsError) || !RETRIED.includes(error.code) || error.node === undefined) {
    return error
  }
  const node = nodeName(error.node - 1)
  const message = `${node} is not up to date with this file, or somebody else is changing it.`
  return new DfsError('BUSY', message, { node: error.node, cause: error })
}
