// What a node says of a user's files since a cursor, page by page; the next page is asked for
// while the one before is read.
import {
  checkMessage,
  decodeStrict,
  Entry,
  MAX_PAGE_ENTRIES,
} from '@fourfold/storage-node/protocol'
import { Type } from 'typebox'
import type { Cluster } from './cluster.ts'
import type { Identity } from './identity.ts'

const EntryPage = Type.Array(Entry)

export interface ChangesRequest {
  /** 0..3 */
  node: number
  identity: Identity
  since: number
}

export interface ChangesPage {
  entries: Entry[]
  /** The cursor behind this page. */
  next: number
}

/** @throws DfsError as `cluster.call`, BAD_MESSAGE */
export async function* changesSince(
  cluster: Cluster,
  request: ChangesRequest,
): AsyncGenerator<ChangesPage> {
  let coming = ask(cluster, request, request.since)
  for (;;) {
    const { header, body } = await coming
    const { next, more } = header
    if (more) {
      coming = ask(cluster, request, next)
      // It may fail while the page before is still being read; it is awaited after that.
      coming.catch(() => {})
    }
    const entries =
      body[0] === undefined
        ? []
        : checkMessage(EntryPage, decodeStrict(body[0]), 'a page of changes')
    yield { entries, next }
    if (!more) return
  }
}

function ask(cluster: Cluster, { node, identity }: ChangesRequest, since: number) {
  return cluster.call(node, {
    op: 'changes',
    fields: { since, limit: MAX_PAGE_ENTRIES },
    as: { by: 'user', identity },
  })
}
