// Listings of all users of this process: pages of a view, what changed since a listing, and word
// to whoever watches. What is remembered for it has one ceiling over all users.
import { createHash } from 'node:crypto'
import { DfsError } from '@fourfold/storage-node/protocol'
import { type ChangeMark, encodeMark, sinceMark, USER_TAG_BYTES } from './change-mark.ts'
import { ALL_NODES, type Cluster } from './cluster.ts'
import type { Identity } from './identity.ts'
import type { ListingSnapshots } from './listing-snapshots.ts'
import { cursorAfter, rowAfter, rowCountOf, rowsOf } from './listing-view.ts'
import { createListingWatch } from './listing-watch.ts'
import { changesSince } from './node-changes.ts'
import type { Listing, ListingChanges, ListQuery } from './store.ts'
import { UserFiles } from './user-files.ts'

const DEFAULT_LIMIT = 1000
const MAX_LIMIT = 10_000
/** Who asks for more changes than this is better served by a listing. */
const MAX_CHANGES = 10_000
/** What is not in the index was changed after the refresh; the next `since` tells of it. */
const UNKNOWN = -1

export interface ListingOptions {
  cluster: Cluster
  /** Where what is remembered outlasts this process; default: nowhere. */
  snapshots?: ListingSnapshots
  /** Files remembered over all users; those of who listed least lately are forgotten first. */
  maxFiles: number
  /** How often the nodes are asked for a user whose files are watched. */
  pollMs: number
}

interface Known {
  userTag: Buffer
  files: UserFiles
}

export type Listings = ReturnType<typeof createListings>

/** Remembers nothing before the first listing of a user. */
export function createListings({ cluster, snapshots, maxFiles, pollMs }: ListingOptions) {
  const users = new Map<string, Known>()

  function knownOf(identity: Identity): Known {
    // An account that was removed and made again under the same name has another user key.
    const digest = createHash('sha256').update(identity.userKey.export()).digest()
    const key = `${identity.user} ${digest.toString('latin1')}`
    let known = users.get(key)
    if (known === undefined) {
      const onGrowth = () => makeRoom(files)
      const files: UserFiles = new UserFiles({ cluster, snapshots, onGrowth })
      known = { userTag: digest.subarray(0, USER_TAG_BYTES), files }
    }
    users.delete(key)
    users.set(key, known)
    return known
  }

  /** @throws DfsError TOO_MANY_FILES, BUSY */
  function makeRoom(growing: UserFiles): void {
    let count = 0
    for (const { files } of users.values()) count += files.fileCount
    for (const [key, { files }] of users) {
      if (count <= maxFiles) return
      if (files.isBusy) continue
      users.delete(key)
      count -= files.fileCount
    }
    if (count <= maxFiles) return
    if (growing.fileCount > maxFiles) {
      const message = `There are more files than this gateway lists, which is ${maxFiles}.`
      throw new DfsError('TOO_MANY_FILES', message)
    }
    throw new DfsError('BUSY', 'Other long listings take all the memory that there is for them.')
  }

  function markOf({ userTag, files }: Known, answered: readonly number[]): ChangeMark {
    const cursors = ALL_NODES.map((node) =>
      answered.includes(node) ? files.cursorOf(node) : undefined,
    )
    return { userTag, cursors }
  }

  /** @throws DfsError BAD_REQUEST, AUTH_FAILED, NODES_UNAVAILABLE, TOO_MANY_FILES, BUSY */
  async function list(identity: Identity, query: ListQuery): Promise<Listing> {
    const limit = checkWindow(query)
    const known = knownOf(identity)
    const { files } = known
    const answered = await files.refresh(identity, query.signal)
    const { table } = files.index
    const view = files.index.view(query)
    const rowCount = rowCountOf(view)
    const start =
      query.cursor === undefined ? (query.from ?? 0) : rowAfter(view, table, query.cursor)
    const from = Math.min(start, rowCount)
    const to = Math.min(from + limit, rowCount)
    const page = rowsOf(view, from, to)
    return {
      files: Array.from(page.slots, (slot) => table.infoOf(slot, answered)),
      folders: page.folders,
      ...(to < rowCount && { next: cursorAfter(view, table, to - 1) }),
      from,
      rowCount,
      total: view.total,
      change: encodeMark(markOf(known, answered)),
      missingNodes: cluster
        .states()
        .filter((_, node) => !answered.includes(node))
        .map(({ name }) => name),
    }
  }

  /** @throws DfsError AUTH_FAILED, NODES_UNAVAILABLE, TOO_MANY_FILES, BUSY */
  async function changes(
    identity: Identity,
    query: { since: string; signal?: AbortSignal },
  ): Promise<ListingChanges> {
    const known = knownOf(identity)
    const answered = await known.files.refresh(identity, query.signal)
    const mark = markOf(known, answered)
    const change = encodeMark(mark)
    const reset = { files: [], gone: [], isReset: true, change }
    const since = sinceMark(query.since, mark)
    if (since === undefined) return reset
    const { index } = known.files
    const changed = new Set<number>()
    for (const node of answered) {
      if (since[node]! >= mark.cursors[node]!.since) continue
      const asked = { node, identity, since: since[node]!, brief: true }
      for await (const { entries, isVoid } of changesSince(cluster, asked)) {
        if (isVoid) return reset
        for (const entry of entries) changed.add(index.slotOf(entry))
        if (changed.size > MAX_CHANGES) return reset
      }
    }
    changed.delete(UNKNOWN)
    const gone: string[] = []
    const files = []
    for (const slot of changed) {
      const name = index.table.nameOf(slot)
      if (index.table.isShown(slot)) files.push(index.table.infoOf(slot, answered))
      // A file that was never seen here may have been seen by who asks, under a name that only a
      // description told.
      else if (name === undefined) return reset
      else gone.push(name)
    }
    return { files, gone, isReset: false, change }
  }

  const watch = createListingWatch({
    pollMs,
    async look(identity) {
      const known = knownOf(identity)
      return encodeMark(markOf(known, await known.files.refresh(identity)))
    },
  })

  return {
    list,
    changes,
    watch: watch.watch,
    touch: watch.touch,
    async close() {
      watch.close()
      await snapshots?.close()
    },
  }
}

/** @throws DfsError BAD_REQUEST */
function checkWindow({ limit = DEFAULT_LIMIT, from, cursor }: ListQuery): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw new DfsError('BAD_REQUEST', `limit must be a whole number from 1 to ${MAX_LIMIT}.`)
  }
  if (from !== undefined && (!Number.isSafeInteger(from) || from < 0)) {
    throw new DfsError('BAD_REQUEST', 'from must be a whole number of at least 0.')
  }
  if (from !== undefined && cursor !== undefined) {
    throw new DfsError('BAD_REQUEST', 'A page begins at a cursor or at a row, not at both.')
  }
  return limit
}
