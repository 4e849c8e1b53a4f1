// Deletes a file: a tombstone, newer than every version, on the nodes that answer; three at the
// least.
import { DfsError, newVersion } from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster, joinNames } from './cluster.ts'
import { newestNamed } from './commit.ts'
import type { Identity } from './identity.ts'
import { fileIdOf } from './keys.ts'
import { lookupExisting } from './lookup.ts'
import type { WriteCondition } from './store.ts'

/**
 * Any set of nodes that can read a file has two; with three told, one of those two knows of the
 * deletion.
 */
const LEAST_NODES = 3
const MAX_VERSION_TRIES = 5

export interface RemovalRequest {
  name: string
  condition?: WriteCondition
  signal?: AbortSignal
}

/** @throws DfsError FILE_NOT_FOUND, PRECONDITION_FAILED, NODES_UNAVAILABLE, OUTCOME_UNKNOWN */
export async function remove(
  cluster: Cluster,
  identity: Identity,
  request: RemovalRequest,
): Promise<void> {
  requireThree(cluster)
  const { info, current } = await lookupExisting(cluster, identity, request)
  const { condition } = request
  if (
    condition?.kind === 'match' &&
    condition.md5s !== 'any' &&
    !condition.md5s.includes(info.md5)
  ) {
    throw new DfsError('PRECONDITION_FAILED', 'The file is not the one that was expected.')
  }
  const file = fileIdOf(identity.nameKey, info.name)
  const expected = condition === undefined ? {} : { condition: current.entry.version }
  let after = current.entry.version
  for (let tries = 1; ; tries++) {
    const version = newVersion(Date.now(), after)
    const outcomes = await cluster.callEach(cluster.live(), () => ({
      op: 'delete',
      fields: { file, version, ...expected },
      as: { by: 'user', identity },
    }))
    const failures = outcomes.flatMap(({ error }) => error ?? [])
    const confirmed = outcomes.filter(({ error }) => error === undefined).map(({ node }) => node)
    // One tombstone is enough to delete the file: who missed it must not bring the file back.
    if (confirmed.length > 0) {
      const refused = outcomes.flatMap(({ node, error }) => (isRefusal(error) ? [node] : []))
      if (condition !== undefined) {
        confirmed.push(...(await overrule(cluster, identity, { file, version, refused })))
      }
      const missed = ALL_NODES.filter((node) => !confirmed.includes(node))
      const as = { by: 'user', identity } as const
      cluster.tellLater(missed, { op: 'delete', fields: { file, version }, as })
    }
    if (confirmed.length >= LEAST_NODES) return
    const serious = failures.find(({ code }) => code !== 'STALE_VERSION')
    if (serious === undefined && failures.length > 0 && tries < MAX_VERSION_TRIES) {
      after = Buffer.from(newestNamed(failures))
      continue
    }
    if (failures.length === outcomes.length && serious !== undefined) throw serious
    const message = 'Too few nodes confirmed the deletion; repeating it is safe.'
    throw new DfsError('OUTCOME_UNKNOWN', message, { cause: serious ?? failures[0] })
  }
}

/**
 * The condition held where the deletion was confirmed first, and there it cannot be taken back:
 * what other nodes refused it for came after it. Answers which of them have the tombstone, or what
 * is newer than it.
 */
async function overrule(
  cluster: Cluster,
  identity: Identity,
  { file, version, refused }: { file: Uint8Array; version: Uint8Array; refused: readonly number[] },
): Promise<number[]> {
  const as = { by: 'user', identity } as const
  const outcomes = await cluster.callEach(refused, () => {
    return { op: 'delete', fields: { file, version }, as }
  })
  return outcomes.flatMap(({ node, error }) =>
    error === undefined || error.code === 'STALE_VERSION' ? [node] : [],
  )
}

function isRefusal(error: DfsError | undefined): boolean {
  return error?.code === 'PRECONDITION_FAILED' || error?.code === 'STALE_VERSION'
}

function requireThree(cluster: Cluster): void {
  const nodes = cluster.missing()
  if (nodes.length <= 4 - LEAST_NODES) return
  const message = `${joinNames(nodes)} are not answering. Deleting needs three nodes, so that the file stays deleted.`
  throw new DfsError('NODES_UNAVAILABLE', message, { detail: { nodes } })
}
