// What a node says of a user's files since a cursor, page by page; the next pages are asked for
// while the one before is read.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ChangedEntry, MAX_CHANGES, readChangesPage } from '@fourfold/storage-node/protocol'
import type { Cluster } from './cluster.ts'
import type { Identity } from './identity.ts'
import { giveBack } from './lease.ts'

/** With usual names so many descriptions are half a megabyte, which is what a page may be. */
const FULL_ENTRIES = 2000
/**
 * Pages that wait to be read, 2 MiB at most: nodes whose brief pages are read later make them while
 * what another has said is opened.
 */
const FULL_AHEAD = 4
const BRIEF_AHEAD = 14

export interface ChangesRequest {
  /** 0..3 */
  node: number
  identity: Identity
  since: number
  /** Without sealed descriptions. */
  brief: boolean
}

/** Valid until the next is asked for. */
export interface ChangesPage {
  entries: ChangedEntry[]
  /** The cursor before this page, and behind it. */
  since: number
  next: number
  /** The node has forgotten deletions that came after the cursor: what it told counts no more. */
  isVoid: boolean
}

type Answer = ReturnType<typeof ask>

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
  first: Answer,
): AsyncGenerator<ChangesPage> {
  const ahead: Answer[] = []
  const most = request.brief ? BRIEF_AHEAD : FULL_AHEAD
  let isStopped = false
  /** Where the page after all of these begins, once the last of them is here. */
  let coming: number | undefined

  function expect(answer: Answer): void {
    ahead.push(answer)
    coming = undefined
    answer.then(
      ({ header }) => {
        if (header.more) coming = header.next
        askAhead()
      },
      () => {},
    )
  }
  function askAhead(): void {
    if (coming === undefined || isStopped || ahead.length >= most) return
    expect(ask(cluster, request, coming))
  }

  expect(first)
  try {
    for (let { since } = request; ahead.length > 0; ) {
      const { header, body } = await ahead[0]!
      ahead.shift()
      askAhead()
      // What is asked for is sent in a turn of its own, and others have theirs.
      await nextTurn()
      const { next, collected } = header
      const isVoid = request.since > 0 && request.since < collected
      const page = body[0] ?? Buffer.alloc(0)
      yield { entries: readChangesPage(page), since, next, isVoid }
      giveBack(page)
      since = next
    }
  } finally {
    isStopped = true
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
