// What a node says of a user's files since a cursor, page by page; the next page is asked for
// while the one before is read.
import { type ChangedEntry, MAX_CHANGES, readChangesPage } from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { Identity } from './identity.ts'

/** With usual names so many descriptions are half a megabyte, which is what a page may be. */
const FULL_ENTRIES = 2000

export interface ChangesRequest {
  /** 0..3 */
  node: number
  identity: Identity
  since: number
  /** Without sealed descriptions. */
  brief: boolean
}

export interface ChangesPage {
  entries: ChangedEntry[]
  /** The cursor before this page, and behind it. */
  since: number
  next: number
  /** The node has forgotten deletions that came after the cursor: what it told counts no more. */
  isVoid: boolean
}

/**
 * The pages after `since`; the first is asked for at once.
 * @throws DfsError as `cluster.call`, BAD_MESSAGE
 */
export function changesSince(
  cluster: Cluster,
  request: ChangesRequest,
): AsyncGenerator<ChangesPage> {
  return pages(cluster, request, ask(cluster, request, request.since))
}

async function* pages(
  cluster: Cluster,
  request: ChangesRequest,
  first: ReturnType<typeof ask>,
): AsyncGenerator<ChangesPage> {
  let coming = first
  for (let since = request.since; ; ) {
    const { header, body } = await coming
    const { next, more, collected } = header
    if (more) coming = ask(cluster, request, next)
    const isVoid = request.since > 0 && request.since < collected
    yield { entries: readChangesPage(body[0] ?? Buffer.alloc(0)), since, next, isVoid }
    if (!more) return
    since = next
  }
}

function ask(cluster: Cluster, { node, identity, brief }: ChangesRequest, since: number) {
  const answer = cluster.call(node, {
    op: 'changes',
    fields: { since, limit: brief ? MAX_CHANGES : FULL_ENTRIES, brief },
    as: { by: 'user', identity },
  })
  // It may fail before anybody waits for it; whoever does is told.
  answer.catch(() => {})
  return answer
}
