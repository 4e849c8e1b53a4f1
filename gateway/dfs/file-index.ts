// What several nodes said of one user's files, brought together: of each file its newest version
// that any node showed as decided, and who holds which parts of it. Fed entry by entry; answers
// views for listings. Knows no node, no key and no network.
import type { Entry } from '@fourfold/storage-node/protocol'
import { compareVersions } from '@fourfold/storage-node/protocol'
import type { Description } from './description.ts'
import { FileTable } from './file-table.ts'
import {
  createView,
  keyOfView,
  type ListingView,
  type NamedSpan,
  spanOf,
  type ViewQuery,
} from './listing-view.ts'
import { NameOrder } from './name-order.ts'

/**
 * Prepared versions that are remembered in case another node has them committed. What is
 * forgotten beyond this costs a copy in the picture until its node tells of it again.
 */
const MAX_PENDING = 10_000
/** Views kept while nothing changes: a few windows on one user's files. */
const MAX_VIEWS = 8

interface Prepared {
  slot: number
  node: number
  version: Uint8Array
  parts: number
}

export class FileIndex {
  readonly table = new FileTable()
  readonly #order = new NameOrder((slot) => this.table.shownName(slot))
  readonly #pending = new Map<string, Prepared>()
  readonly #views = new Map<string, ListingView>()
  #span: NamedSpan | undefined

  /**
   * Takes what node 0..3 says of one version. A version that is committed anywhere is committed;
   * a node that still shows it as prepared holds its parts all the same. `open` is asked for the
   * description where the version becomes the file; what it throws leaves the index as it was.
   */
  take(node: number, entry: Entry, open: () => Description): void {
    const { table } = this
    const file = bufferOf(entry.file)
    const version = bufferOf(entry.version)
    let slot = table.find(file, 0)
    if (slot === -1) slot = table.add(file, 0)
    const age = table.compareVersion(slot, version, 0)
    if (age > 0) return
    if (age === 0) table.setHeld(slot, node, entry.parts)
    else if (entry.state === 'prepared') this.#postpone(slot, node, entry)
    else this.#replace(slot, { node, entry, version }, open)
  }

  /** Slots by the ids of `files`, without those that are not known. */
  slotsOf(files: Iterable<Uint8Array>): Set<number> {
    const slots = new Set<number>()
    for (const file of files) slots.add(this.table.find(bufferOf(file), 0))
    slots.delete(-1)
    return slots
  }

  view(query: ViewQuery): ListingView {
    const key = keyOfView(query)
    this.#span ??= spanOf(this.table, this.#order.settled())
    const view = this.#views.get(key) ?? createView(this.table, this.#span, query)
    this.#views.delete(key)
    this.#views.set(key, view)
    if (this.#views.size > MAX_VIEWS) this.#views.delete(this.#views.keys().next().value!)
    return view
  }

  #replace(
    slot: number,
    { node, entry, version }: { node: number; entry: Entry; version: Buffer },
    open: () => Description,
  ): void {
    const { table } = this
    const wasShown = table.isShown(slot)
    const isDeleted = entry.state === 'deleted'
    const description = isDeleted ? undefined : open()
    table.setVersion(slot, version, 0, isDeleted)
    table.setHeld(slot, node, entry.parts)
    if (description !== undefined) table.describe(slot, description)
    if (this.#pending.size > 0) this.#takePending(slot, version)
    if (wasShown && isDeleted) this.#order.remove(slot)
    if (!wasShown && !isDeleted) this.#order.add(slot)
    this.#span = undefined
    this.#views.clear()
  }

  /** A version that may yet be committed; of each node the newest counts. */
  #postpone(slot: number, node: number, { version, parts }: Entry): void {
    const key = `${slot} ${node}`
    const known = this.#pending.get(key)
    if (known !== undefined && compareVersions(known.version, version) > 0) return
    this.#pending.delete(key)
    this.#pending.set(key, { slot, node, version: Uint8Array.from(version), parts })
    if (this.#pending.size > MAX_PENDING) this.#pending.delete(this.#pending.keys().next().value!)
  }

  /** What was prepared up to the version that is now the file's is pending no more. */
  #takePending(slot: number, version: Buffer): void {
    for (let node = 0; node < 4; node++) {
      const key = `${slot} ${node}`
      const prepared = this.#pending.get(key)
      if (prepared === undefined) continue
      const age = compareVersions(prepared.version, version)
      if (age === 0) this.table.setHeld(slot, node, prepared.parts)
      if (age <= 0) this.#pending.delete(key)
    }
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
