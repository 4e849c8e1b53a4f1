// What a listing shows of a sealed description, read fast: a million of them are opened at the
// first listing of a user who has a million files. Reads the one form in which descriptions are
// written (RFC 8949 section 4.2.1, fields in the order below); anything else goes the strict way.
import type { KeyObject } from 'node:crypto'
import { type ChangedEntry, partsOfEntry } from '@fourfold/storage-node/protocol'
import { type Description, openDescription, sayableTime } from './description.ts'
import { openBytes, SEAL_BYTES } from './keys.ts'
import { CONTEXT_BYTES, type OpenedRecords, RecordOpener } from './sealed-records.ts'

export interface Listed extends Pick<Description, 'name' | 'size' | 'type' | 'modified' | 'x'> {
  /** The MD5 begins there: a million buffers of sixteen bytes are not made to be copied. */
  bytes: Uint8Array
  md5At: number
}

/** Major types of CBOR, in the upper three bits. */
const UINT = 0
const BYTES = 2
const TEXT = 3
const ARRAY = 4

/** The map's head: with all fields, or without the one that most files have not. */
const MAP_OF_THIRTEEN = 0xad
const MAP_OF_TWELVE = 0xac
const OPTIONAL = 'sha256'

/** Each field's name as CBOR text and the kind of its value. */
const FIELDS = (
  [
    ['x', UINT],
    ['key', BYTES],
    ['md5', BYTES],
    ['name', TEXT],
    ['rows', UINT],
    ['size', UINT],
    ['type', TEXT],
    ['first', UINT],
    ['format', UINT],
    [OPTIONAL, BYTES],
    ['attempts', ARRAY],
    ['modified', UINT],
    ['rowBytes', UINT],
  ] as const
).map(([name, kind]) => {
  const head = Buffer.from([(TEXT << 5) | name.length, ...Buffer.from(name)])
  return { name, kind, head }
})

/** Fewer are opened one by one: three ciphers for all of them would cost as much. */
const MIN_TOGETHER = 8

/** Opens the descriptions of entries of pages that were given in full. */
export class ListedOpener {
  readonly #entryKey: KeyObject
  readonly #records: RecordOpener

  constructor(entryKey: KeyObject) {
    this.#entryKey = entryKey
    this.#records = new RecordOpener(entryKey)
  }

  /**
   * Answers how to open the n-th of the entries of a page; all are opened when the first is asked
   * for, or, where one of them does not open, each by itself. It throws as `openOne`.
   */
  openPage(entries: readonly ChangedEntry[]): (index: number) => Listed {
    let opened: OpenedRecords | undefined
    let isOpened = entries.length < MIN_TOGETHER
    return (index) => {
      const entry = entries[index]!
      if (!isOpened) opened = this.#records.open(entry.page, entries)
      isOpened = true
      const from = opened?.starts[index] ?? -1
      if (opened === undefined || from === -1) return this.openOne(entry)
      const to = from + entry.sealedBytes - SEAL_BYTES
      return readListed(opened.plain, from, to) ?? this.openOne(entry)
    }
  }

  /** @throws DfsError DAMAGED where it does not open, BAD_MESSAGE where it is no description */
  openOne(entry: ChangedEntry): Listed {
    const { page, fileAt, sealedAt, sealedBytes } = entry
    // File id and version stand side by side: what the description is bound to.
    const context = page.subarray(fileAt, fileAt + CONTEXT_BYTES)
    const plain = openBytes(
      this.#entryKey,
      context,
      page.subarray(sealedAt, sealedAt + sealedBytes),
    )
    const listed = plain === undefined ? undefined : readListed(plain, 0, plain.length)
    if (listed !== undefined) return listed
    const { md5, ...description } = openDescription(this.#entryKey, [partsOfEntry(entry)])
    return { ...description, bytes: md5, md5At: 0 }
  }
}

/** Types that were read last: a user's files have few, and a text costs more than a look at it. */
const recentTypes: { bytes: Buffer; text: string }[] = []
const MAX_RECENT_TYPES = 8

function typeOf(bytes: Buffer, from: number, to: number): string {
  for (let number = 0; number < recentTypes.length; number++) {
    const type = recentTypes[number]!
    let at = 0
    while (at < type.bytes.length && type.bytes[at] === bytes[from + at]) at++
    if (at === type.bytes.length && at === to - from) return type.text
  }
  const text = bytes.toString('utf8', from, to)
  if (recentTypes.length >= MAX_RECENT_TYPES) recentTypes.shift()
  recentTypes.push({ bytes: Buffer.from(bytes.subarray(from, to)), text })
  return text
}

/** Undefined where what lies between `from` and `to` is not in the usual form. */
export function readListed(bytes: Buffer, from = 0, to = bytes.length): Listed | undefined {
  const isFull = bytes[from] === MAP_OF_THIRTEEN
  if (!isFull && bytes[from] !== MAP_OF_TWELVE) return undefined
  const listed = { name: '', size: 0, type: '', modified: 0, x: 0, bytes, md5At: 0 }
  let at = from + 1
  for (const { name, kind, head } of FIELDS) {
    if (name === OPTIONAL && !isFull) continue
    for (let index = 0; index < head.length; index++) {
      if (bytes[at++] !== head[index]) return undefined
    }
    const first = bytes[at]
    if (first === undefined || first >> 5 !== kind) return undefined
    const argument = readArgument(bytes, at)
    at += widthOf(first)
    if (Number.isNaN(argument)) return undefined
    const isLong = kind === BYTES || kind === TEXT
    const end = isLong ? at + argument : at
    if (end > to) return undefined
    if (name === 'name') listed.name = bytes.toString('utf8', at, end)
    else if (name === 'type') listed.type = typeOf(bytes, at, end)
    else if (name === 'md5') listed.md5At = argument === 16 ? at : -1
    else if (name === 'size') listed.size = argument
    else if (name === 'modified') listed.modified = argument
    else if (name === 'x') listed.x = argument
    at = end
    if (kind !== ARRAY) continue
    for (let item = 0; item < argument; item++) at += widthOf(bytes[at] ?? 0)
  }
  listed.modified = sayableTime(listed.modified)
  const isUsual = at === to && listed.md5At !== -1 && listed.x < 4
  return isUsual && listed.name !== '' ? listed : undefined
}

/** Bytes of a head with its argument. */
function widthOf(first: number): number {
  const info = first & 31
  return info < 24 ? 1 : 1 + (1 << (info - 24))
}

/** The argument of a head (a number, or a length), NaN where it is not one. */
function readArgument(bytes: Buffer, at: number): number {
  const info = bytes[at]! & 31
  if (info < 24) return info
  if (info > 27 || at + widthOf(info) > bytes.length) return Number.NaN
  if (info === 24) return bytes[at + 1]!
  if (info === 25) return bytes.readUInt16BE(at + 1)
  if (info === 26) return bytes.readUInt32BE(at + 1)
  return bytes.readUInt32BE(at + 1) * 2 ** 32 + bytes.readUInt32BE(at + 5)
}
