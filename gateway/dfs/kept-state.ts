// What a checkpoint of a kept upload says, sealed under the user's entry key and bound to the
// upload: what the file will be called, and all that a gateway needs to go on. Nodes cannot open
// it.
import type { KeyObject } from 'node:crypto'
import {
  checkMessage,
  DfsError,
  decodeStrict,
  encodeHeader,
  MAX_NAME_BYTES,
  MAX_TYPE_BYTES,
  NODE_COUNT,
  ROW_BYTES,
  type Static,
  Type,
} from '@fourfold/storage-node/protocol'
import { bytesOf, MAX_ATTEMPTS } from './description.ts'
import { openBytes, sealBytes } from './keys.ts'
import { MD5_STATE_BYTES } from './row-digest.ts'

const FORMAT = 1
/** Whatever the client wants to be told again; with all else it must fit a sealed description. */
export const MAX_NOTE_BYTES = 3072
/** MD5s that a condition names. */
export const MAX_CONDITION_TAGS = 16

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const md5Text = Type.String({ pattern: '^[0-9a-f]{32}$' })

const schema = Type.Object(
  {
    format: Type.Literal(FORMAT),
    name: Type.String({ minLength: 1, maxLength: MAX_NAME_BYTES }),
    type: Type.String({ maxLength: MAX_TYPE_BYTES }),
    note: Type.String({ maxLength: MAX_NOTE_BYTES }),
    /** Plaintext bytes of the whole file; null: not told yet. */
    size: Type.Union([Type.Null(), count]),
    /** What the content's MD5 must be; null: anything. */
    md5: Type.Union([Type.Null(), bytesOf(16)]),
    modified: Type.Union([Type.Null(), count]),
    /** What the name must be at the end: null anything, [] no file, else one of these. */
    condition: Type.Union([
      Type.Null(),
      Type.Array(Type.Union([Type.Literal('*'), md5Text]), { maxItems: MAX_CONDITION_TAGS }),
    ]),
    /** The key of this version's rows. */
    key: bytesOf(32),
    /** Plaintext bytes that are kept: full rows, and then the tail. */
    offset: count,
    /** MD5 (RFC 1321) after the rows; that of all the content where the last row is there. */
    state: bytesOf(MD5_STATE_BYTES),
    /** Bytes and checksum of lane 0..3. */
    lanes: Type.Array(Type.Tuple([count, count]), { minItems: NODE_COUNT, maxItems: NODE_COUNT }),
    /** First row of each attempt; the last one is that of the writer. */
    attempts: Type.Array(count, { minItems: 1, maxItems: MAX_ATTEMPTS }),
    /** The number of the take that wrote this. */
    take: count,
    /** Its writer sealed no row beyond this checkpoint, and never will. */
    closed: Type.Boolean(),
    /** The file that it became: MD5 and version; null: it is not stored yet. */
    stored: Type.Union([Type.Null(), Type.Object({ md5: md5Text, isNew: Type.Boolean() })]),
  },
  { additionalProperties: false },
)

export type KeptState = Omit<Static<typeof schema>, 'format'>

/** `nonce(12) ciphertext tag(16)`; associated data: "fourfold kept upload " and the upload's id. */
export function sealState(entryKey: KeyObject, upload: Uint8Array, state: KeptState): Buffer {
  const { name, type, note, size, md5, modified, condition } = state
  const { key, offset, lanes, attempts, take, closed, stored } = state
  const told = { name, type, note, size, md5, modified, condition }
  const reached = { key, offset, state: state.state, lanes, attempts, take, closed, stored }
  return sealBytes(
    entryKey,
    contextOf(upload),
    encodeHeader({ format: FORMAT, ...told, ...reached }),
  )
}

/** @throws DfsError DAMAGED where it does not open, or is no state of this format */
export function openState(entryKey: KeyObject, upload: Uint8Array, sealed: Uint8Array): KeptState {
  const plain = openBytes(entryKey, contextOf(upload), sealed)
  if (plain === undefined) {
    throw new DfsError('DAMAGED', 'The sealed state of an upload does not open with its key.')
  }
  const { format: _, ...state } = checkMessage(schema, decodeStrict(plain), 'an upload state')
  return state
}

/** The row that is not full, sealed under a nonce of its own: it may be sealed again when full. */
export function sealTail(entryKey: KeyObject, upload: Uint8Array, tail: Uint8Array): Buffer {
  return sealBytes(entryKey, tailContextOf(upload), tail)
}

/** The same bytes again; undefined where they do not open. */
export function openTail(
  entryKey: KeyObject,
  upload: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  return openBytes(entryKey, tailContextOf(upload), sealed)
}

/** Attempts of a writer that goes on from `state` at `rows`, under take number `take`. */
export function attemptsOf(state: KeptState, rows: number, take: number): number[] {
  // Whoever took the upload in between may have sealed rows that nobody kept, and so may the
  // checkpoint's own writer, unless it ended there: none of their nonces may come again.
  const missedCount = take - state.take - (state.closed ? 1 : 0)
  const attempts = [...state.attempts, ...new Array(Math.max(0, missedCount)).fill(rows)]
  if (attempts.length <= MAX_ATTEMPTS) return attempts
  const detail = { httpStatus: 410 }
  throw new DfsError('UPLOAD_UNKNOWN', 'The upload broke off too often; start it again.', {
    detail,
  })
}

/** Bytes after the last full row. */
export function tailBytes(state: KeptState, rows: number): number {
  return Math.max(0, state.offset - rows * ROW_BYTES)
}

function contextOf(upload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('fourfold kept upload '), upload])
}

function tailContextOf(upload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('fourfold tail '), upload])
}
