// Gives all files of a folder new names, one after the other: a folder is no more than what names
// begin with. Looks for names in the way before it begins; what fails in the middle is told with
// how far it came, and repeating it moves the rest.
import { DfsError, toDfsError } from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import { checkFileName } from './file-name.ts'
import type { Identity } from './identity.ts'
import { move } from './move.ts'
import type { FolderMoveRequest, Listing, ListQuery } from './store.ts'

/** Files that are moved at once: enough to share the nodes' syncs. */
const AT_ONCE = 16
/** Names in the way that an error tells of. */
const MAX_NAMED = 100

export interface FolderMoveContext {
  cluster: Cluster
  identity: Identity
  list: (query: ListQuery) => Promise<Listing>
}

/** How many files have new names. For its errors see `Store.moveFolder`. */
export async function moveFolder(
  context: FolderMoveContext,
  request: FolderMoveRequest,
): Promise<number> {
  const { isReplacing = false, onProgress = () => {}, signal } = request
  const folder = checkFolder(request.folder)
  const to = checkFolder(request.to)
  if (to.startsWith(folder) && to !== folder) {
    throw new DfsError('NAME_INVALID', 'A folder cannot be moved into itself.')
  }
  context.cluster.requireUp('Moving needs all four nodes.')
  const names = await namesIn(context, folder, signal)
  if (names.length === 0) throw new DfsError('FILE_NOT_FOUND', 'There is no such folder.')
  if (to === folder) return names.length
  const moves = names.map((name) => ({ name, to: to + name.slice(folder.length) }))
  for (const one of moves) checkFileName(one.to)
  if (!isReplacing) await requireFree(context, to, { moves, signal })

  let movedCount = 0
  let failure: DfsError | undefined
  const left = moves.values()
  const lane = async () => {
    for (const one of left) {
      try {
        if (signal?.aborted === true) throw new DfsError('ABORTED', 'The request was given up.')
        await move(context.cluster, context.identity, { ...one, isReplacing })
        onProgress(++movedCount, moves.length)
      } catch (thrown) {
        const error = toDfsError(thrown)
        // Deleted or moved by somebody else meanwhile: nothing is left to move.
        if (error.code !== 'FILE_NOT_FOUND') failure ??= error
      }
      if (failure !== undefined) return
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  if (failure !== undefined) throw cutOff(failure, movedCount, moves.length)
  return movedCount
}

/** @throws DfsError NAME_INVALID */
function checkFolder(folder: string): string {
  if (folder.endsWith('/')) return `${checkFileName(folder.slice(0, -1))}/`
  throw new DfsError('NAME_INVALID', 'The name of a folder ends with a slash.')
}

/** All names that begin with `prefix`. */
async function namesIn(
  { list }: FolderMoveContext,
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const names: string[] = []
  let cursor: string | undefined
  do {
    const query = { prefix, ...(cursor !== undefined && { cursor }) }
    const page = await list(signal === undefined ? query : { ...query, signal })
    names.push(...page.files.map(({ name }) => name))
    cursor = page.next
  } while (cursor !== undefined)
  return names
}

/** @throws DfsError NAME_EXISTS with the names in the way */
async function requireFree(
  context: FolderMoveContext,
  to: string,
  request: { moves: readonly { to: string }[]; signal: AbortSignal | undefined },
): Promise<void> {
  const present = new Set(await namesIn(context, to, request.signal))
  const names = request.moves.map((one) => one.to).filter((name) => present.has(name))
  if (names.length === 0) return
  const count = names.length === 1 ? 'A file is' : `${names.length} files are`
  const message = `${count} in the way under the new name.`
  throw new DfsError('NAME_EXISTS', message, { detail: { names: names.slice(0, MAX_NAMED) } })
}

/** Says how far it came: what was moved stays so. */
function cutOff(failure: DfsError, moved: number, total: number): DfsError {
  const message = `${moved} of ${total} files are moved, then: ${failure.message}`
  const options = { detail: { ...failure.detail, moved, left: total - moved }, cause: failure }
  return new DfsError(failure.code, message, {
    ...options,
    ...(failure.node !== undefined && { node: failure.node }),
  })
}
