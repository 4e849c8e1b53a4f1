// One user's files as the gateway remembers them between listings: brought up to date by the nodes'
// change cursors, so that a listing asks only for what has changed since the last.
import { DfsError, type Entry, NODE_COUNT, toDfsError } from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import { openDescription } from './description.ts'
import { FileIndex } from './file-index.ts'
import type { Identity } from './identity.ts'
import { changesSince } from './node-changes.ts'

/** How far one node's changes are known; they are those of the folder with this epoch. */
export interface NodeCursor {
  epoch: Buffer
  since: number
}

/** Entries with a sealed description that does not open, kept until another node's copy is seen. */
const MAX_DAMAGED = 1000

interface Said {
  node: number
  entry: Entry
}

export interface UserFilesOptions {
  cluster: Cluster
  /** Called as the memory grows. @throws DfsError where there is no room for more */
  onGrowth(): void
}

export class UserFiles {
  readonly #options: UserFilesOptions
  #index = new FileIndex()
  #cursors: (NodeCursor | undefined)[] = new Array(NODE_COUNT).fill(undefined)
  #tail: Promise<unknown> = Promise.resolve()
  #waiting: { identity: Identity; run: Promise<number[]> } | undefined
  #runCount = 0

  constructor(options: UserFilesOptions) {
    this.#options = options
  }

  get index(): FileIndex {
    return this.#index
  }

  /** Files remembered, deleted ones among them: the measure of memory. */
  get fileCount(): number {
    return this.#index.table.count
  }

  /** Whether it is in use, so that forgetting it would free nothing. */
  get isBusy(): boolean {
    return this.#runCount > 0
  }

  cursorOf(node: number): NodeCursor | undefined {
    return this.#cursors[node]
  }

  /**
   * Brings the memory up to what the live nodes say now; answers which nodes contributed. One at a
   * time; whoever comes while one is under way shares the next, because the one under way may have
   * asked before that caller's change.
   * @throws DfsError AUTH_FAILED where every node refuses the identity, NODES_UNAVAILABLE where
   *   none answers, TOO_MANY_FILES, BUSY, ABORTED
   */
  refresh(identity: Identity, signal?: AbortSignal): Promise<number[]> {
    if (this.#waiting === undefined || !isSameProof(this.#waiting.identity, identity)) {
      this.#runCount++
      const turn = {
        identity,
        run: this.#tail
          .then(() => {
            if (this.#waiting === turn) this.#waiting = undefined
            return this.#refresh(identity)
          })
          .finally(() => this.#runCount--),
      }
      this.#waiting = turn
      this.#tail = turn.run.catch(() => {})
    }
    return orAborted(this.#waiting.run, signal)
  }

  async #refresh(identity: Identity): Promise<number[]> {
    const { cluster } = this.#options
    const live = cluster.live()
    // A node with another folder: nothing of what it said before may count.
    if (live.some((node) => this.#isReplaced(node))) this.#forgetAll()
    const damaged: Said[] = []
    const outcomes = await Promise.all(
      live.map(async (node) => {
        try {
          await this.#refreshNode(node, identity, damaged)
          return { node, error: undefined }
        } catch (error) {
          return { node, error: error as DfsError }
        }
      }),
    )
    for (const { error } of outcomes) if (error !== undefined && isOurs(error)) throw error
    // What did not open at one node has opened at another by now, or it is lost.
    for (const said of damaged) this.#take(said, identity)
    const answered = outcomes.filter(({ error }) => error === undefined).map(({ node }) => node)
    if (answered.length > 0) return answered
    const refused = outcomes.find(({ error }) => error?.code === 'AUTH_FAILED')
    if (refused?.error !== undefined) throw refused.error
    const nodes = ALL_NODES.map((node) => cluster.states()[node]!.name)
    throw new DfsError('NODES_UNAVAILABLE', 'No node answers: nothing can be listed now.', {
      detail: { nodes },
    })
  }

  async #refreshNode(node: number, identity: Identity, damaged: Said[]): Promise<void> {
    const { cluster, onGrowth } = this.#options
    const epoch = Buffer.from(cluster.epochOf(node) ?? [])
    this.#cursors[node] ??= { epoch, since: 0 }
    const cursor = this.#cursors[node]
    for await (const page of changesSince(cluster, { node, identity, since: cursor.since })) {
      for (const entry of page.entries) {
        try {
          this.#take({ node, entry }, identity)
        } catch (error) {
          if (toDfsError(error).code !== 'DAMAGED' || damaged.length >= MAX_DAMAGED) throw error
          damaged.push({ node, entry })
        }
      }
      cursor.since = page.next
      onGrowth()
    }
  }

  #take({ node, entry }: Said, identity: Identity): void {
    this.#index.take(node, entry, () => openDescription(identity.entryKey, [entry]))
  }

  #isReplaced(node: number): boolean {
    const epoch = this.#options.cluster.epochOf(node)
    const known = this.#cursors[node]?.epoch
    return epoch !== undefined && known !== undefined && Buffer.compare(known, epoch) !== 0
  }

  #forgetAll(): void {
    this.#index = new FileIndex()
    this.#cursors = this.#cursors.map(() => undefined)
  }
}

/** Errors that are no node's: the listing must not go on as if the node were only silent. */
function isOurs(error: unknown): boolean {
  return toDfsError(error).node === undefined
}

/** Another password for the same files must prove itself. */
function isSameProof(a: Identity, b: Identity): boolean {
  return a.clientKeys.every((key, node) => key.equals(b.clientKeys[node]!))
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(new DfsError('ABORTED', 'The request was given up.'))
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([promise, aborted]).finally(() =>
    signal.removeEventListener('abort', onAbort),
  )
}
