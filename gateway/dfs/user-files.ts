// One user's files as the gateway remembers them between listings: what each node said last, by the
// node's change cursor, so that a listing asks the nodes only for what has changed since.
import {
  checkMessage,
  compareVersions,
  DfsError,
  decodeStrict,
  Entry,
  MAX_PAGE_ENTRIES,
  NODE_COUNT,
} from '@fourfold/storage-node/protocol'
import { Type } from 'typebox'
import { ALL_NODES, type Cluster } from './cluster.ts'
import { type Description, openDescription } from './description.ts'
import { type CurrentVersion, currentVersion, fileInfo } from './file-state.ts'
import type { Identity } from './identity.ts'
import type { FileInfo } from './store.ts'

const EntryPage = Type.Array(Entry)

/**
 * What one node said last of one file: its newest committed or deleted entry, and its newest
 * prepared one.
 */
interface NodeRecord {
  settled: Entry | undefined
  prepared: Entry | undefined
}

interface FileRecord {
  byNode: (NodeRecord | undefined)[]
  /** The opened description of the version it belongs to. */
  opened: { version: Uint8Array; description: Description } | undefined
}

interface NodeCursor {
  epoch: string
  since: number
}

export class UserFiles {
  readonly #files = new Map<string, FileRecord>()
  readonly #cursors: (NodeCursor | undefined)[] = new Array(NODE_COUNT).fill(undefined)
  #refreshing: Promise<unknown> = Promise.resolve()

  /** Entries remembered: the measure of memory. */
  get entryCount(): number {
    return this.#files.size
  }

  /**
   * Brings the memory up to what the live nodes say now; answers which nodes contributed. One
   * refresh at a time.
   * @throws DfsError AUTH_FAILED where every node refuses the identity, NODES_UNAVAILABLE where
   *   none answers
   */
  refresh(cluster: Cluster, identity: Identity, signal?: AbortSignal): Promise<number[]> {
    const next = this.#refreshing.then(() => this.#refresh(cluster, identity, signal))
    this.#refreshing = next.catch(() => {})
    return next
  }

  /** All files that exist, in no order, their copies counted on the nodes `live`. */
  *files(identity: Identity, live: readonly number[]): Generator<FileInfo> {
    for (const record of this.#files.values()) {
      const answers = live.flatMap((node) => {
        const known = record.byNode[node]
        if (known === undefined) return []
        return [{ node, entries: [known.settled, known.prepared].filter((e) => e !== undefined) }]
      })
      const current = currentVersion(answers)
      if (current === undefined || current.entry.state === 'deleted') continue
      const description = describe(record, current, identity)
      current.entry = { ...current.entry, x: description.x }
      yield fileInfo(description, current, live)
    }
  }

  async #refresh(cluster: Cluster, identity: Identity, signal?: AbortSignal): Promise<number[]> {
    const live = cluster.live()
    const outcomes = await Promise.all(
      live.map(async (node) => {
        try {
          await this.#refreshNode(cluster, identity, { node, signal })
          return { node, error: undefined }
        } catch (error) {
          return { node, error: error as DfsError }
        }
      }),
    )
    const answered = outcomes.filter(({ error }) => error === undefined).map(({ node }) => node)
    if (answered.length > 0) return answered
    if (signal?.aborted === true) throw new DfsError('ABORTED', 'The request was given up.')
    const refused = outcomes.find(({ error }) => error?.code === 'AUTH_FAILED')
    if (refused?.error !== undefined) throw refused.error
    const nodes = ALL_NODES.map((node) => cluster.states()[node]!.name)
    throw new DfsError('NODES_UNAVAILABLE', 'No node answers: nothing can be listed now.', {
      detail: { nodes },
    })
  }

  async #refreshNode(
    cluster: Cluster,
    identity: Identity,
    { node, signal }: { node: number; signal: AbortSignal | undefined },
  ): Promise<void> {
    const epoch = Buffer.from(cluster.epochOf(node) ?? []).toString('hex')
    if (this.#cursors[node]?.epoch !== epoch) this.#forgetNode(node, epoch)
    const cursor = this.#cursors[node]!
    for (let more = true; more; ) {
      const { header, body } = await cluster.call(node, {
        op: 'changes',
        fields: { since: cursor.since, limit: MAX_PAGE_ENTRIES },
        as: { by: 'user', identity },
        signal,
      })
      const entries =
        body[0] === undefined
          ? []
          : checkMessage(EntryPage, decodeStrict(body[0]), 'a page of changes')
      for (const entry of entries) this.#take(node, entry)
      cursor.since = header.next
      more = header.more
    }
  }

  #take(node: number, entry: Entry): void {
    const id = Buffer.from(entry.file).toString('latin1')
    const record = this.#files.get(id) ?? { byNode: [], opened: undefined }
    this.#files.set(id, record)
    const known = record.byNode[node] ?? { settled: undefined, prepared: undefined }
    const slot = entry.state === 'prepared' ? 'prepared' : 'settled'
    const isNewer =
      known[slot] === undefined || compareVersions(entry.version, known[slot].version) >= 0
    if (isNewer) record.byNode[node] = { ...known, [slot]: entry }
  }

  /** A node with another folder: what it said before counts no more. */
  #forgetNode(node: number, epoch: string): void {
    for (const record of this.#files.values()) record.byNode[node] = undefined
    this.#cursors[node] = { epoch, since: 0 }
  }
}

function describe(record: FileRecord, current: CurrentVersion, identity: Identity): Description {
  const { opened } = record
  const { entry, copies } = current
  if (opened !== undefined && compareVersions(opened.version, entry.version) === 0) {
    return opened.description
  }
  const description = openDescription(identity.entryKey, copies)
  record.opened = { version: entry.version, description }
  return description
}
