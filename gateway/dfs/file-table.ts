// One user's files as columns: what a million files cost in memory is decided here. Ids, versions
// and digests lie in one buffer and numbers in typed arrays, so that the collector has nothing to
// visit but the names. A file keeps its slot for as long as the table lives, also when it is
// deleted: its tombstone must outlast what a node that slept still says.
import { addEntryDigests, factsOf, NODE_COUNT } from '@fourfold/storage-node/protocol'
import { partsMask, type Readability, readability } from './file-state.ts'
import type { Listed } from './listed-description.ts'
import type { FileInfo } from './store.ts'

const ID_BYTES = 16
const VERSION_AT = ID_BYTES
const MD5_AT = VERSION_AT + 16
const STRIDE_BYTES = MD5_AT + 16
const FIRST_CAPACITY = 64
/** Bits of a flag byte: two of the rotation, then these. */
const IS_KNOWN = 4
const IS_DELETED = 8
/** A file outside of memory: as in `#keys`, then size, time, held, flags, number of its type. */
const SIZE_AT = STRIDE_BYTES
const MODIFIED_AT = SIZE_AT + 8
const HELD_AT = MODIFIED_AT + 8
const FLAGS_AT = HELD_AT + 2
const TYPE_AT = FLAGS_AT + 1
const RECORD_BYTES = TYPE_AT + 2
/** By rotation, the parts (masks) that each node 0..3 holds of a file that misses no copy. */
const WHOLE = [0, 1, 2, 3].map((x) =>
  Array.from({ length: NODE_COUNT }, (_, node) => partsMask(node, x)),
)
/** The facts of each node's entry of a file that misses no copy, and of one that is deleted. */
const WHOLE_FACTS = WHOLE.map((masks) => masks.map((mask) => factsOf('committed', mask)))
const DELETED_FACTS = new Array<number>(NODE_COUNT).fill(factsOf('deleted', 0))
/** Combinations of what is held, how files are rotated, and who answers. */
const MAX_READABILITIES = 1000

/** Files as `pack` gives and `append` takes them. */
export interface PackedFiles {
  records: Buffer
  /** Null where a file was deleted before its name was seen. */
  names: (string | null)[]
  types: string[]
}

export class FileTable {
  #count = 0
  #capacity = FIRST_CAPACITY
  #keys = Buffer.alloc(FIRST_CAPACITY * STRIDE_BYTES)
  #names: (string | undefined)[] = []
  #sizes = new Float64Array(FIRST_CAPACITY)
  #modified = new Float64Array(FIRST_CAPACITY)
  /** Four bits for each node: which parts of the version it holds. */
  #held = new Uint16Array(FIRST_CAPACITY)
  #flags = new Uint8Array(FIRST_CAPACITY)
  #types = new Uint32Array(FIRST_CAPACITY)
  readonly #typeNames: string[] = []
  readonly #typeNumbers = new Map<string, number>()
  /** Open addressing by the first bytes of an id; slot + 1, at most half full. */
  #buckets = new Int32Array(FIRST_CAPACITY * 2)
  /** The slot that was found last, or -1. */
  #found = -1
  readonly #readabilities = new Map<number, Readability>()

  /** Slots in use, deleted files among them: the measure of memory. */
  get count(): number {
    return this.#count
  }

  /** Plaintext bytes and milliseconds since 1970 by slot; another array when the table grew. */
  get sizes(): Float64Array {
    return this.#sizes
  }

  get modified(): Float64Array {
    return this.#modified
  }

  /** The slot of the file whose id begins at `at`, or -1. */
  find(bytes: Buffer, at: number): number {
    // Nodes tell of files in nearly the same order: no search for most of what a second one says.
    const next = this.#found + 1
    const isNext = next < this.#count && this.#isSame(next, bytes, at)
    this.#found = isNext ? next : this.#search(bytes, at)
    return this.#found
  }

  #search(bytes: Buffer, at: number): number {
    const mask = this.#buckets.length - 1
    for (let bucket = bytes.readUInt32LE(at) & mask; ; bucket = (bucket + 1) & mask) {
      const slot = this.#buckets[bucket]! - 1
      if (slot === -1 || this.#isSame(slot, bytes, at)) return slot
    }
  }

  /** A new slot for an id that `find` did not find; nothing is known of the file yet. */
  add(bytes: Buffer, at: number): number {
    if (this.#count === this.#capacity) this.#grow()
    const slot = this.#count++
    copyId(this.#keys, slot * STRIDE_BYTES, bytes, at)
    this.#putInBucket(slot)
    return slot
  }

  /** Below zero where the version of `slot` is older than the one that begins at `at`. */
  compareVersion(slot: number, bytes: Buffer, at: number): number {
    if ((this.#flags[slot]! & IS_KNOWN) === 0) return -1
    const own = slot * STRIDE_BYTES + VERSION_AT
    for (let offset = 0; offset < ID_BYTES; offset++) {
      const difference = this.#keys[own + offset]! - bytes[at + offset]!
      if (difference !== 0) return difference
    }
    return 0
  }

  /** Puts a newer version in the file's place: no node is known to hold a part of it. */
  setVersion(slot: number, bytes: Buffer, at: number, isDeleted: boolean): void {
    copyId(this.#keys, slot * STRIDE_BYTES + VERSION_AT, bytes, at)
    this.#flags[slot] = IS_KNOWN | (isDeleted ? IS_DELETED : 0)
    this.#held[slot] = 0
  }

  /** Notes the parts (a mask) that a node 0..3 holds of the version. */
  setHeld(slot: number, node: number, parts: number): void {
    this.#held[slot] = (this.#held[slot]! & ~(15 << (node * 4))) | (parts << (node * 4))
  }

  /**
   * Of the slots `from` to `to` (not included), for each node what its decided entries add up to
   * where it holds of each file what belongs there.
   */
  wholeDigests(from: number, to: number): number[] {
    const digests = new Array<number>(NODE_COUNT).fill(0)
    for (let slot = from; slot < to; slot++) {
      const flags = this.#flags[slot]!
      if ((flags & IS_KNOWN) === 0) continue
      const facts = (flags & IS_DELETED) === 0 ? WHOLE_FACTS[flags & 3]! : DELETED_FACTS
      addEntryDigests(digests, { bytes: this.#keys, at: slot * STRIDE_BYTES, facts })
    }
    return digests
  }

  /** Notes that a node 0..3 holds of each file what belongs there. */
  holdWhole(node: number): void {
    for (let slot = 0; slot < this.#count; slot++) {
      if (this.isShown(slot)) this.setHeld(slot, node, WHOLE[this.#flags[slot]! & 3]![node]!)
    }
  }

  describe(slot: number, description: Listed): void {
    this.#names[slot] = description.name
    this.#sizes[slot] = description.size
    this.#modified[slot] = description.modified
    copyId(this.#keys, slot * STRIDE_BYTES + MD5_AT, description.bytes, description.md5At)
    this.#flags[slot] = (this.#flags[slot]! & ~3) | description.x
    this.#types[slot] = this.#numberOfType(description.type)
  }

  /** What is known of these slots, at most 65,536, for keeping it outside of memory. */
  pack(slots: Int32Array): PackedFiles {
    const records = Buffer.alloc(slots.length * RECORD_BYTES)
    const types = new Map<number, number>()
    for (const [index, slot] of slots.entries()) {
      const at = index * RECORD_BYTES
      const type = this.#types[slot]!
      if (!types.has(type)) types.set(type, types.size)
      this.#keys.copy(records, at, slot * STRIDE_BYTES, (slot + 1) * STRIDE_BYTES)
      records.writeDoubleBE(this.#sizes[slot]!, at + SIZE_AT)
      records.writeDoubleBE(this.#modified[slot]!, at + MODIFIED_AT)
      records.writeUInt16BE(this.#held[slot]!, at + HELD_AT)
      records.writeUInt8(this.#flags[slot]!, at + FLAGS_AT)
      records.writeUInt16BE(types.get(type)!, at + TYPE_AT)
    }
    return {
      records,
      names: Array.from(slots, (slot) => this.#names[slot] ?? null),
      types: Array.from(types.keys(), (number) => this.#typeNames[number] ?? ''),
    }
  }

  /** Takes what `pack` gave, into slots that follow one another; none of the files is here yet. */
  append({ records, names, types }: PackedFiles): void {
    const numbers = types.map((type) => this.#numberOfType(type))
    for (const [index, name] of names.entries()) {
      const at = index * RECORD_BYTES
      const slot = this.add(records, at)
      records.copy(this.#keys, slot * STRIDE_BYTES, at, at + STRIDE_BYTES)
      this.#names[slot] = name ?? undefined
      this.#sizes[slot] = records.readDoubleBE(at + SIZE_AT)
      this.#modified[slot] = records.readDoubleBE(at + MODIFIED_AT)
      this.#held[slot] = records.readUInt16BE(at + HELD_AT)
      this.#flags[slot] = records.readUInt8(at + FLAGS_AT)
      this.#types[slot] = numbers[records.readUInt16BE(at + TYPE_AT)]!
    }
  }

  /** Whether some version of the file is decided; else all that is known is a prepared one. */
  isKnown(slot: number): boolean {
    return (this.#flags[slot]! & IS_KNOWN) !== 0
  }

  /** Whether the slot is that of a file which exists. */
  isShown(slot: number): boolean {
    return (this.#flags[slot]! & (IS_KNOWN | IS_DELETED)) === IS_KNOWN
  }

  /** Undefined where the file was deleted before its name was seen here. */
  nameOf(slot: number): string | undefined {
    return this.#names[slot]
  }

  /** The name of a file that exists. */
  shownName(slot: number): string {
    return this.#names[slot]!
  }

  /** The file as callers see it while the nodes `live` (0..3) answer. */
  infoOf(slot: number, live: readonly number[]): FileInfo {
    const at = slot * STRIDE_BYTES
    const readability = this.#readabilityOf(this.#held[slot]!, this.#flags[slot]! & 3, live)
    const { state, copies, missingParts, missingNodes } = readability
    // Version and MD5 stand side by side: two texts for the price of one.
    const digits = this.#keys.toString('hex', at + VERSION_AT, at + STRIDE_BYTES)
    return {
      name: this.#names[slot]!,
      sizeBytes: this.#sizes[slot]!,
      modifiedMs: this.#modified[slot]!,
      type: this.#typeNames[this.#types[slot]!]!,
      md5: digits.slice(2 * (MD5_AT - VERSION_AT)),
      version: digits.slice(0, 2 * (MD5_AT - VERSION_AT)),
      state,
      copies,
      missingParts,
      missingNodes,
    }
  }

  /** Nearly all files are alike in this, and it is a quarter of what a row of a listing costs. */
  #readabilityOf(held: number, x: number, live: readonly number[]): Readability {
    const key = live.reduce((sum, node) => sum | (1 << node), 0) + 16 * (x + 4 * held)
    const known = this.#readabilities.get(key)
    if (known !== undefined) return known
    const partsHeld = new Array<number>(NODE_COUNT).fill(0)
    for (const node of live) partsHeld[node] = (held >> (node * 4)) & 15
    const fresh = readability(partsHeld, x, live)
    if (this.#readabilities.size >= MAX_READABILITIES) this.#readabilities.clear()
    this.#readabilities.set(key, fresh)
    return fresh
  }

  #isSame(slot: number, bytes: Buffer, at: number): boolean {
    const own = slot * STRIDE_BYTES
    for (let offset = 0; offset < ID_BYTES; offset++) {
      if (this.#keys[own + offset] !== bytes[at + offset]) return false
    }
    return true
  }

  #putInBucket(slot: number): void {
    const mask = this.#buckets.length - 1
    let bucket = this.#keys.readUInt32LE(slot * STRIDE_BYTES) & mask
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask
    this.#buckets[bucket] = slot + 1
  }

  #grow(): void {
    this.#capacity *= 2
    this.#keys = Buffer.concat([this.#keys], this.#capacity * STRIDE_BYTES)
    this.#sizes = extended(this.#sizes, new Float64Array(this.#capacity))
    this.#modified = extended(this.#modified, new Float64Array(this.#capacity))
    this.#held = extended(this.#held, new Uint16Array(this.#capacity))
    this.#flags = extended(this.#flags, new Uint8Array(this.#capacity))
    this.#types = extended(this.#types, new Uint32Array(this.#capacity))
    this.#buckets = new Int32Array(this.#capacity * 2)
    for (let slot = 0; slot < this.#count; slot++) this.#putInBucket(slot)
  }

  #numberOfType(type: string): number {
    const known = this.#typeNumbers.get(type)
    if (known !== undefined) return known
    const number = this.#typeNames.push(type) - 1
    this.#typeNumbers.set(type, number)
    return number
  }
}

/** Sixteen bytes: a file id, a version or an MD5. Calls that copy more cost ten times as much. */
function copyId(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number): void {
  for (let offset = 0; offset < ID_BYTES; offset++) to[toAt + offset] = from[fromAt + offset]!
}

function extended<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from)
  return to
}
