// One user's files as the gateway remembers them between listings: brought up to date by the nodes'
// change cursors, so that a listing asks only for what has changed since the last.
import {
  type ChangedEntry,
  DfsError,
  keptEntry,
  NODE_COUNT,
  toDfsError,
} from '@fourfold/storage-node/protocol'
import { ALL_NODES, type Cluster } from './cluster.ts'
import { FileIndex } from './file-index.ts'
import type { Identity } from './identity.ts'
import { ListedOpener } from './listed-description.ts'
import type { ListingSnapshots } from './listing-snapshots.ts'
import { type ChangesPage, changesSince } from './node-changes.ts'
import { nodesWithSameFiles } from './same-files.ts'

/** How far one node's changes are known; they are those of the folder with this epoch. */
export interface NodeCursor {
  epoch: Buffer
  since: number
}

/** Entries with a sealed description that does not open, kept until another node's copy is seen. */
const MAX_DAMAGED = 1000
/** With fewer files than this, what a node has is asked for at once: it is a page or two. */
const MANY_FILES = 4096
/** A snapshot is made when this part of the files is new to it. */
const KEEP_FRACTION = 10

export interface UserFilesOptions {
  cluster: Cluster
  snapshots?: ListingSnapshots | undefined
  /** Called as the memory grows. @throws DfsError where there is no room for more */
  onGrowth(): void
}

/** One walk over what all nodes have to say. */
interface Refresh {
  identity: Identity
  opener: ListedOpener
  damaged: { node: number; entry: ChangedEntry }[]
  /** A node has forgotten deletions that this memory has not heard of. */
  isVoid: boolean
}

export class UserFiles {
  readonly #options: UserFilesOptions
  #index = new FileIndex()
  #cursors: (NodeCursor | undefined)[] = new Array(NODE_COUNT).fill(undefined)
  #tail: Promise<unknown> = Promise.resolve()
  #waiting: { identity: Identity; run: Promise<number[]> } | undefined
  #runCount = 0
  /** Whether a snapshot was looked for. */
  #isBegun = false
  /** Entries read in full that no snapshot has. */
  #unkept = 0

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
   *   none answers, TOO_MANY_FILES, BUSY, DAMAGED, ABORTED
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
    await this.#begin(identity)
    const live = cluster.live()
    // A node with another folder: nothing of what it said before may count.
    if (live.some((node) => this.#isReplaced(node))) this.#forgetAll()
    const opener = new ListedOpener(identity.entryKey)
    const refresh: Refresh = { identity, opener, damaged: [], isVoid: false }
    // One node gives the descriptions. What has changed at the others, they are asked at once; it
    // is read when what the first has said is known. Which one is first spreads over the users.
    const turn = identity.clientKeys[0]![0]!
    const inTurn = live.map((_, place) => live[(place + turn) % live.length]!)
    const unheard = inTurn.slice(1).filter((node) => !this.#cursors[node]?.since)
    const [first, ...others] = inTurn.map((node, place) => this.#read(node, refresh, place > 0))
    const outcomes = [await first?.()]
    await this.#passOver(unheard, identity)
    outcomes.push(...(await Promise.all(others.map((read) => read()))))
    // What was deleted meanwhile some node no longer tells: all is asked for anew.
    if (refresh.isVoid) {
      this.#forgetAll()
      return this.#refresh(identity)
    }
    // What did not open at one node has opened at another by now, or it is lost.
    for (const { node, entry } of refresh.damaged) {
      this.#index.take(node, entry, () => opener.openOne(entry))
    }
    const answered = this.#answered(inTurn, outcomes)
    this.#keep(identity)
    return answered
  }

  /** From what was kept, where that is; the nodes tell what has changed since. */
  async #begin(identity: Identity): Promise<void> {
    if (this.#isBegun) return
    this.#isBegun = true
    const known = await this.#options.snapshots?.load(identity)
    if (known === undefined) return
    this.#index = known.index
    this.#cursors = known.cursors
    this.#options.onGrowth()
  }

  #keep(identity: Identity): void {
    if (this.#unkept * KEEP_FRACTION < this.fileCount) return
    const known = { index: this.#index, cursors: this.#cursors }
    if (this.#options.snapshots?.keep(identity, known)) this.#unkept = 0
  }

  /** The nodes that answered. @throws DfsError where none did, or the failure was not a node's */
  #answered(nodes: readonly number[], outcomes: (DfsError | undefined)[]): number[] {
    const failures = outcomes.filter((error) => error !== undefined)
    const ours = failures.find(({ node }) => node === undefined)
    if (ours !== undefined) throw ours
    if (failures.length < nodes.length) {
      return nodes.filter((_, place) => outcomes[place] === undefined).sort()
    }
    const refused = failures.find(({ code }) => code === 'AUTH_FAILED')
    if (refused !== undefined) throw refused
    const names = ALL_NODES.map((node) => this.#options.cluster.states()[node]!.name)
    throw new DfsError('NODES_UNAVAILABLE', 'No node answers: nothing can be listed now.', {
      detail: { nodes: names },
    })
  }

  /** Of nodes that have told nothing yet: passes over what they would say, where all is known. */
  async #passOver(nodes: readonly number[], identity: Identity): Promise<void> {
    const { table } = this.#index
    if (nodes.length === 0 || table.count < MANY_FILES) return
    const options = { identity, nodes, table }
    for (const { node, next } of await nodesWithSameFiles(this.#options.cluster, options)) {
      table.holdWhole(node)
      this.#cursors[node]!.since = next
    }
  }

  /**
   * Asks a node, but for one that has told nothing yet and may have nothing new; answers how to
   * read what it says, which answers why that failed, if it did.
   */
  #read(node: number, refresh: Refresh, brief: boolean): () => Promise<DfsError | undefined> {
    const { cluster, onGrowth } = this.#options
    const { identity } = refresh
    const epoch = Buffer.from(cluster.epochOf(node) ?? [])
    this.#cursors[node] ??= { epoch, since: 0 }
    const cursor = this.#cursors[node]
    const ask = () => changesSince(cluster, { node, identity, since: cursor.since, brief })
    const asked = brief && cursor.since === 0 ? undefined : ask()
    return async () => {
      try {
        for await (const page of asked ?? ask()) {
          if (page.isVoid) {
            refresh.isVoid = true
            return undefined
          }
          if (!this.#take(node, page, refresh, brief)) await this.#readInFull(node, page, refresh)
          cursor.since = page.next
          onGrowth()
        }
        return undefined
      } catch (error) {
        return toDfsError(error)
      }
    }
  }

  /** Of a page that told of versions that are new here too: their descriptions. */
  async #readInFull(node: number, { since, next }: ChangesPage, refresh: Refresh): Promise<void> {
    const { cluster } = this.#options
    const { identity } = refresh
    for await (const page of changesSince(cluster, { node, identity, since, brief: false })) {
      this.#take(node, page, refresh, false)
      if (page.next >= next) return
    }
  }

  /** Answers false where descriptions are needed that a brief page has not. */
  #take(node: number, { entries }: ChangesPage, refresh: Refresh, brief: boolean): boolean {
    const { opener, damaged } = refresh
    const openAt = opener.openPage(entries)
    let at = 0
    const open = brief ? undefined : () => openAt(at)
    let isKnown = true
    if (!brief) this.#unkept += entries.length
    for (; at < entries.length; at++) {
      const entry = entries[at]!
      try {
        isKnown = this.#index.take(node, entry, open) && isKnown
      } catch (error) {
        if (toDfsError(error).code !== 'DAMAGED' || damaged.length >= MAX_DAMAGED) throw error
        damaged.push({ node, entry: keptEntry(entry) })
      }
    }
    return isKnown
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
