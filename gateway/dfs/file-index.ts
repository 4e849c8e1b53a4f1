// What several nodes said of one user's files, brought together: of each file its newest version
// that any node showed as decided, and who holds which parts of it. Fed entry by entry; answers
// views for listings. Knows no node, no key and no network.
import { type ChangedEntry, compareVersions, DfsError } from '@fourfold/storage-node/protocol'
import { FileTable } from './file-table.ts'
import type { Listed } from './listed-description.ts'
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
 * Files of which prepared versions are remembered, and how many of each, in case another node has
 * them committed. What is forgotten costs a copy in the picture until its node tells of it again.
 */
const MAX_PENDING = 10_000
const MAX_PENDING_OF_FILE = 64
/** Views kept while nothing changes: a few windows on one user's files. */
const MAX_VIEWS = 8

interface Prepared {
  node: number
  version: Buffer
  parts: number
}

export class FileIndex {
  readonly table: FileTable
  readonly #order: NameOrder
  /** By slot. */
  readonly #pending = new Map<number, Prepared[]>()
  readonly #views = new Map<string, ListingView>()
  #span: NamedSpan | undefined

  /** Of what is in `table` the first `inOrder` files stand in order of name. */
  constructor(table: FileTable = new FileTable(), inOrder = 0) {
    this.table = table
    const first = Int32Array.from({ length: inOrder }, (_, slot) => slot)
    const nameOf = (slot: number) => table.shownName(slot)
    this.#order = new NameOrder(
      nameOf,
      first.filter((slot) => table.isShown(slot)),
    )
    for (let slot = inOrder; slot < table.count; slot++) {
      if (table.isShown(slot)) this.#order.add(slot)
    }
  }

  /** The slots of all files of which a version is decided: those that exist in order of name. */
  knownSlots(): { slots: Int32Array; inOrder: number } {
    const { table } = this
    const shown = this.#order.settled()
    const all = Int32Array.from({ length: table.count }, (_, slot) => slot)
    const others = all.filter((slot) => table.isKnown(slot) && !table.isShown(slot))
    const slots = new Int32Array(shown.length + others.length)
    slots.set(shown)
    slots.set(others, shown.length)
    return { slots, inOrder: shown.length }
  }

  /**
   * Takes what node 0..3 says of one version. A version that is committed anywhere is committed;
   * a node that still shows it as prepared holds its parts all the same. `open` is asked for the
   * description where the version becomes the file; what it throws leaves the index as it was.
   * Answers false where there is no `open` and one is needed.
   */
  take(node: number, entry: ChangedEntry, open?: () => Listed): boolean {
    const { table } = this
    const { page, fileAt, versionAt, state, parts } = entry
    let slot = table.find(page, fileAt)
    if (slot === -1) slot = table.add(page, fileAt)
    const age = table.compareVersion(slot, page, versionAt)
    if (age > 0) return true
    if (age === 0) table.setHeld(slot, node, parts)
    else if (state === 'prepared') this.#postpone(slot, node, entry)
    else if (state === 'deleted') this.#replace(slot, { node, entry }, undefined)
    else if (open === undefined) return false
    else this.#replace(slot, { node, entry }, open())
    return true
  }

  /** The slot of an entry's file, or -1. */
  slotOf({ page, fileAt }: ChangedEntry): number {
    return this.table.find(page, fileAt)
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
    { node, entry }: { node: number; entry: ChangedEntry },
    description: Listed | undefined,
  ): void {
    const { table } = this
    const { page, versionAt, parts } = entry
    const known = table.nameOf(slot)
    if (description !== undefined && known !== undefined && known !== description.name) {
      throw new DfsError('DAMAGED', 'The description of a file has the name of another.')
    }
    const wasShown = table.isShown(slot)
    table.setVersion(slot, page, versionAt, description === undefined)
    table.setHeld(slot, node, parts)
    if (description !== undefined) table.describe(slot, description)
    if (this.#pending.size > 0) this.#takePending(slot, page.subarray(versionAt, versionAt + 16))
    if (wasShown && description === undefined) this.#order.remove(slot)
    if (!wasShown && description !== undefined) this.#order.add(slot)
    this.#span = undefined
    // To clear what is empty costs as much as a fifth of all that is done here.
    if (this.#views.size > 0) this.#views.clear()
  }

  /** A version that may yet be committed. */
  #postpone(slot: number, node: number, { page, versionAt, parts }: ChangedEntry): void {
    const version = Buffer.from(page.subarray(versionAt, versionAt + 16))
    const others = this.#pending.get(slot) ?? []
    const rest = others.filter((one) => one.node !== node || !one.version.equals(version))
    this.#pending.delete(slot)
    this.#pending.set(slot, [...rest.slice(1 - MAX_PENDING_OF_FILE), { node, version, parts }])
    if (this.#pending.size > MAX_PENDING) this.#pending.delete(this.#pending.keys().next().value!)
  }

  /** What was prepared up to the version that is now the file's is pending no more. */
  #takePending(slot: number, version: Buffer): void {
    const newer = this.#pending.get(slot)?.filter((prepared) => {
      const age = compareVersions(prepared.version, version)
      if (age === 0) this.table.setHeld(slot, prepared.node, prepared.parts)
      return age > 0
    })
    if (newer === undefined) return
    if (newer.length > 0) this.#pending.set(slot, newer)
    else this.#pending.delete(slot)
  }
}
