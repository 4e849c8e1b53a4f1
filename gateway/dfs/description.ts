// The sealed description of a version: the only place where a file's name, size, MD5, type and key
// are kept, and nodes cannot open it. A CBOR map sealed under the user's entry key, bound to file
// id and version.
import type { KeyObject } from 'node:crypto'
import {
  checkMessage,
  DfsError,
  decodeStrict,
  encodeHeader,
  MAX_NAME_BYTES,
  MAX_ROWS,
  MAX_TYPE_BYTES,
  ROW_BYTES,
  type Static,
  Type,
} from '@fourfold/storage-node/protocol'
import { openBytes, sealBytes } from './keys.ts'

const FORMAT = 1
/** One that broke off and went on adds one; with more than this many an upload starts again. */
export const MAX_ATTEMPTS = 256
/** The end of the year 9999: no text of a date can say a later time. */
export const LAST_TIME_MS = 253_402_300_799_999

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const quarter = Type.Integer({ minimum: 0, maximum: 3 })

const schema = Type.Object(
  {
    format: Type.Literal(FORMAT),
    name: Type.String({ minLength: 1, maxLength: MAX_NAME_BYTES }),
    /** Plaintext bytes. */
    size: count,
    md5: bytesOf(16),
    /** Where the uploader told it. */
    sha256: Type.Optional(bytesOf(32)),
    type: Type.String({ maxLength: MAX_TYPE_BYTES }),
    /** Milliseconds since 1970. */
    modified: count,
    /** The key of this version's rows. */
    key: bytesOf(32),
    rowBytes: Type.Integer({ minimum: 1, maximum: ROW_BYTES }),
    rows: Type.Integer({ minimum: 1, maximum: MAX_ROWS }),
    first: quarter,
    x: quarter,
    /** First row of each attempt, in order; attempt 0 begins at row 0. */
    attempts: Type.Array(count, { minItems: 1, maxItems: MAX_ATTEMPTS }),
  },
  { additionalProperties: false },
)

export type Description = Omit<Static<typeof schema>, 'format'>

/** The place of a description; what it is bound to. */
export interface EntryPlace {
  file: Uint8Array
  version: Uint8Array
}

/** `nonce(12) ciphertext tag(16)`; associated data: file id and version. */
export function sealDescription(
  entryKey: KeyObject,
  place: EntryPlace,
  description: Description,
): Buffer {
  const plain = encodeHeader({ format: FORMAT, ...description })
  return sealBytes(entryKey, contextOf(place), plain)
}

/**
 * Opens the first of `copies` (the entries of one version on several nodes) that opens.
 * @throws DfsError DAMAGED where none does, or it is not a description of this format
 */
export function openDescription(
  entryKey: KeyObject,
  copies: readonly (EntryPlace & { sealed: Uint8Array })[],
): Description {
  let plain: Buffer | undefined
  for (const copy of copies) {
    plain ??= openBytes(entryKey, contextOf(copy), copy.sealed)
  }
  if (plain === undefined) {
    throw new DfsError('DAMAGED', 'The sealed description of a file does not open with its key.')
  }
  const { format: _, ...description } = checkMessage(
    schema,
    decodeStrict(plain),
    'a sealed description',
  )
  return { ...description, modified: sayableTime(description.modified) }
}

/** A time that some client gave: one that no text can say must not spoil a whole listing. */
export function sayableTime(timeMs: number): number {
  return Math.min(timeMs, LAST_TIME_MS)
}

/** The attempt in which row `row` was sealed. */
export function attemptOfRow(attempts: readonly number[], row: number): number {
  return attempts.findLastIndex((firstRow) => firstRow <= row)
}

function contextOf(place: EntryPlace): Buffer {
  return Buffer.concat([place.file, place.version])
}

/** A CBOR byte string of exactly `lengthBytes`. */
export function bytesOf(lengthBytes: number) {
  return Type.Refine(
    Type.Unsafe<Uint8Array>({}),
    (value) => value instanceof Uint8Array && value.byteLength === lengthBytes,
    () => `must be a byte string of ${lengthBytes} bytes`,
  )
}
