// The slots of a user's files in order of name, kept from listing to listing: what is new is
// sorted alone and merged in, so that one upload among a million files costs a search and a copy.
// Order is that of UTF-16 code units, in which all names with one prefix stand together.
import { firstIndex } from './sorted.ts'

/** New slots are sorted in runs of so many while they arrive, so that no sort takes long. */
const RUN_SLOTS = 8192
/** From here on what is new is searched for its place; else both sides are walked through. */
const SEARCH_RATIO = 16

export class NameOrder {
  readonly #nameOf: (slot: number) => string
  #slots: Int32Array
  #fresh: number[] = []
  /** Sorted, the longest first; each about twice as long as the next. */
  #runs: Int32Array[] = []
  /** Slots in `#slots`, `#runs` or `#fresh` that are to be left out. */
  readonly #gone = new Set<number>()

  /** `slots` are in order already. */
  constructor(nameOf: (slot: number) => string, slots: Int32Array = new Int32Array(0)) {
    this.#nameOf = nameOf
    this.#slots = slots
  }

  /** A file that was not there is there now. */
  add(slot: number): void {
    if (this.#gone.delete(slot)) return
    this.#fresh.push(slot)
    if (this.#fresh.length >= RUN_SLOTS) this.#endRun()
  }

  /** A file that was there is there no more; its name is still known. */
  remove(slot: number): void {
    this.#gone.add(slot)
  }

  /** All slots in order; not to be changed, and outdated by the next `add` or `remove`. */
  settled(): Int32Array {
    if (this.#fresh.length > 0) this.#endRun()
    while (this.#runs.length > 1) this.#mergeLastRuns()
    const run = this.#runs.pop()
    if (run !== undefined) this.#slots = this.#merge(this.#slots, run)
    if (this.#gone.size > 0) {
      this.#slots = this.#slots.filter((slot) => !this.#gone.has(slot))
      this.#gone.clear()
    }
    return this.#slots
  }

  #endRun(): void {
    const nameOf = this.#nameOf
    // Files come in the order in which they were stored, folder by folder: unlike that of a typed
    // array, the sort of an array makes use of what is in order already.
    this.#fresh.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    this.#runs.push(Int32Array.from(this.#fresh))
    this.#fresh = []
    while (this.#runs.length > 1 && this.#runs.at(-2)!.length < 2 * this.#runs.at(-1)!.length) {
      this.#mergeLastRuns()
    }
  }

  #mergeLastRuns(): void {
    const second = this.#runs.pop()!
    const first = this.#runs.pop()!
    this.#runs.push(this.#merge(first, second))
  }

  #merge(long: Int32Array, short: Int32Array): Int32Array {
    if (long.length === 0) return short
    const merged = new Int32Array(long.length + short.length)
    if (long.length > SEARCH_RATIO * short.length) this.#place(merged, long, short)
    else this.#interleave(merged, long, short)
    return merged
  }

  /** Searches the place of each of `short` and copies what stands between. */
  #place(merged: Int32Array, long: Int32Array, short: Int32Array): void {
    let from = 0
    for (const [at, slot] of short.entries()) {
      const name = this.#nameOf(slot)
      const to = firstIndex(from, long.length, (index) => this.#nameOf(long[index]!) > name)
      merged.set(long.subarray(from, to), from + at)
      merged[to + at] = slot
      from = to
    }
    merged.set(long.subarray(from), from + short.length)
  }

  #interleave(merged: Int32Array, a: Int32Array, b: Int32Array): void {
    let ofA = 0
    let ofB = 0
    let nameA = this.#nameOf(a[0]!)
    let nameB = this.#nameOf(b[0]!)
    for (let at = 0; at < merged.length; at++) {
      if (ofB === b.length || (ofA < a.length && nameA < nameB)) {
        merged[at] = a[ofA++]!
        if (ofA < a.length) nameA = this.#nameOf(a[ofA]!)
      } else {
        merged[at] = b[ofB++]!
        if (ofB < b.length) nameB = this.#nameOf(b[ofB]!)
      }
    }
  }
}
