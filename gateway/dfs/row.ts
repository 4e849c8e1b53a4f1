// One row of a file: sealed with AES-256-GCM, cut into four pieces, and opened again (DESIGN §3).
// The nonce is a counter under a key that no other version has, so no nonce ever seals two
// plaintexts:
//   nonce = row(8) attempt(2) flags(1) zero(1)   ; numbers big-endian, flags bit 0: the last row
// The row number and the last-row flag are in the nonce, so a row that is moved, dropped, doubled
// or cut off does not open.
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { NODE_COUNT, pieceBytes, pieceOffset, TAG_BYTES } from '@fourfold/storage-node/protocol'
import { giveBack } from './lease.ts'

export interface RowPosition {
  row: number
  /** 0 for the first try of an upload, then one more for each resumption. */
  attempt: number
  isLast: boolean
}

/** One lane's quarter of a sealed row, as one or more buffers that follow each other. */
export interface Piece {
  segments: Buffer[]
  lengthBytes: number
  /** CRC-32 (zlib) of the piece. */
  crc: number
}

/** Rows of no more plaintext than this are sealed in one go, and their memory is left to V8. */
const SEALED_AT_ONCE_BYTES = 16_384
/** Rows of no more sealed bytes than this are opened in one: each slice costs its reader a turn. */
const OPENED_AT_ONCE_BYTES = 262_144

/**
 * Seals a row of plaintext, given in buffers that follow each other, and cuts it into the pieces of
 * lanes 0..3. The plaintext is not kept. The segments of a large row's pieces are buffers of their
 * own, so that they can be given back as soon as two nodes have them; those of a small row point
 * into one.
 */
export function sealRow(
  key: KeyObject,
  position: RowPosition,
  plain: readonly Uint8Array[],
): Piece[] {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(position))
  const plainBytes = plain.reduce((sum, { length }) => sum + length, 0)
  const isSmall = plainBytes <= SEALED_AT_ONCE_BYTES
  const inPieces = () =>
    placesOf(plainBytes + TAG_BYTES).flatMap(({ from, to }) => cutOut(plain, from, to))
  const sealed = (isSmall ? plain : inPieces()).map((part) => cipher.update(part))
  cipher.final()
  return cutInPieces([...sealed, cipher.getAuthTag()])
}

/** Cuts sealed bytes, given in buffers that follow each other, into the pieces of lanes 0..3. */
export function cutInPieces(sealed: readonly Buffer[]): Piece[] {
  const sealedBytes = sealed.reduce((sum, { length }) => sum + length, 0)
  return placesOf(sealedBytes).map(({ from, to }) => {
    const segments = cutOut(sealed, from, to)
    const crc = segments.reduce((sum, segment) => crc32(segment, sum), 0)
    return { segments, lengthBytes: to - from, crc }
  })
}

/** Where the pieces of lanes 0..3 begin and end (exclusive) in a sealed row. */
function placesOf(sealedBytes: number): { from: number; to: number }[] {
  return Array.from({ length: NODE_COUNT }, (_, lane) => {
    const from = pieceOffset(sealedBytes, lane)
    return { from, to: from + pieceBytes(sealedBytes, lane) }
  })
}

/** Bytes `from` to `to` (exclusive) of buffers that follow each other, without a copy. */
function cutOut<Bytes extends Uint8Array>(
  buffers: readonly Bytes[],
  from: number,
  to: number,
): Bytes[] {
  let at = 0
  return buffers.flatMap((buffer) => {
    const begin = Math.max(0, from - at)
    const end = Math.min(buffer.length, to - at)
    at += buffer.length
    return begin < end ? [buffer.subarray(begin, end) as Bytes] : []
  })
}

/**
 * The plaintext of a row from its four sealed pieces, in slices that follow each other, each in a
 * buffer of its own: one at least, which is empty for an empty row. A large row has one slice for
 * each piece, so that what comes, what leaves and what waits in between are of one size, and the
 * memory of one serves the next. `onUsed` is told each piece that is no longer needed.
 * Undefined where the tag does not match.
 */
export function openRow(
  key: KeyObject,
  position: RowPosition,
  pieces: readonly Buffer[],
  onUsed: (piece: Buffer) => void = () => {},
): Buffer[] | undefined {
  const sealedBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const isJoined = sealedBytes <= OPENED_AT_ONCE_BYTES
  const sealed = isJoined ? [Buffer.concat(pieces)] : pieces
  if (isJoined) pieces.forEach(onUsed)
  const last = sealed.at(-1)!
  if (last.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(position))
  decipher.setAuthTag(last.subarray(last.length - TAG_BYTES))
  const slices = sealed.map((piece) => {
    const end = piece === last ? piece.length - TAG_BYTES : piece.length
    const slice = decipher.update(piece.subarray(0, end))
    if (!isJoined) onUsed(piece)
    return slice
  })
  try {
    decipher.final()
  } catch {
    for (const slice of slices) giveBack(slice)
    return undefined
  }
  return slices
}

function nonceOf({ row, attempt, isLast }: RowPosition): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(row), 0)
  nonce.writeUInt16BE(attempt, 8)
  nonce.writeUInt8(isLast ? 1 : 0, 10)
  return nonce
}
