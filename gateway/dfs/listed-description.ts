// What a listing shows of a sealed description, read fast: a million of them are opened at the
// first listing of a user who has a million files. Reads the one form in which descriptions are
// written (RFC 8949 section 4.2.1, fields in the order below); anything else goes the strict way.
import type { KeyObject } from 'node:crypto'
import { type ChangedEntry, partsOfEntry } from '@fourfold/storage-node/protocol'
import { type Description, openDescription, sayableTime } from './description.ts'
import { openBytes } from './keys.ts'

export type Listed = Pick<Description, 'name' | 'size' | 'md5' | 'type' | 'modified' | 'x'>

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

/**
 * Opens the description of an entry of a page that was given in full.
 * @throws DfsError DAMAGED where it does not open, BAD_MESSAGE where it is no description
 */
export function openListed(entryKey: KeyObject, entry: ChangedEntry): Listed {
  const { page, fileAt, sealedAt, sealedBytes } = entry
  // File id and version stand side by side: what the description is bound to.
  const context = page.subarray(fileAt, fileAt + 32)
  const plain = openBytes(entryKey, context, page.subarray(sealedAt, sealedAt + sealedBytes))
  const listed = plain === undefined ? undefined : readListed(plain)
  return listed ?? openDescription(entryKey, [partsOfEntry(entry)])
}

/** Undefined where it is not in the usual form. */
export function readListed(plain: Buffer): Listed | undefined {
  const isFull = plain[0] === MAP_OF_THIRTEEN
  if (!isFull && plain[0] !== MAP_OF_TWELVE) return undefined
  const listed = { name: '', size: 0, md5: plain, type: '', modified: 0, x: 0 }
  let at = 1
  for (const { name, kind, head } of FIELDS) {
    if (name === OPTIONAL && !isFull) continue
    for (let index = 0; index < head.length; index++) {
      if (plain[at++] !== head[index]) return undefined
    }
    const first = plain[at]
    if (first === undefined || first >> 5 !== kind) return undefined
    const argument = readArgument(plain, at)
    at += widthOf(first)
    if (Number.isNaN(argument)) return undefined
    const isLong = kind === BYTES || kind === TEXT
    const end = isLong ? at + argument : at
    if (end > plain.length) return undefined
    if (name === 'name' || name === 'type') listed[name] = plain.toString('utf8', at, end)
    else if (name === 'md5') listed.md5 = plain.subarray(at, end)
    else if (name === 'size' || name === 'modified' || name === 'x') listed[name] = argument
    at = end
    if (kind !== ARRAY) continue
    for (let item = 0; item < argument; item++) at += widthOf(plain[at] ?? 0)
  }
  listed.modified = sayableTime(listed.modified)
  const isUsual = at === plain.length && listed.md5.length === 16 && listed.x < 4
  return isUsual && listed.name !== '' ? listed : undefined
}

/** Bytes of a head with its argument. */
function widthOf(first: number): number {
  const info = first & 31
  return info < 24 ? 1 : 1 + 2 ** (info - 24)
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
