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
 * Seals `plain` and cuts it into the pieces of lanes 0..3. `plain` is not kept. The first segment
 * of each piece of a large row is a buffer of its own, so that it can be given back as soon as its
 * two nodes have it; those of a small row point into one.
 */
export function sealRow(key: KeyObject, position: RowPosition, plain: Uint8Array): Piece[] {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(position))
  const sealedBytes = plain.length + TAG_BYTES
  const joined = plain.length > SEALED_AT_ONCE_BYTES ? undefined : cipher.update(plain)
  const bodies = Array.from({ length: NODE_COUNT }, (_, lane) => {
    const from = pieceOffset(sealedBytes, lane)
    const to = from + pieceBytes(sealedBytes, lane)
    return joined?.subarray(from, to) ?? cipher.update(plain.subarray(from, to))
  })
  cipher.final()
  const tag = cipher.getAuthTag()
  return bodies.map((body, lane) => {
    const lengthBytes = pieceBytes(sealedBytes, lane)
    // What a piece has more than ciphertext is the end of the tag, which the last pieces share.
    const tagTo = Math.max(0, pieceOffset(sealedBytes, lane) + lengthBytes - plain.length)
    const tagPart = tag.subarray(tagTo - (lengthBytes - body.length), tagTo)
    const segments = [body, tagPart].filter(({ length }) => length > 0)
    const crc = segments.reduce((sum, segment) => crc32(segment, sum), 0)
    return { segments, lengthBytes, crc }
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
