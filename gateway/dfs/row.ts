// One row of a file: sealed with AES-256-GCM, cut into four pieces, and opened again (DESIGN §3).
// The nonce is a counter under a key that no other version has, so no nonce ever seals two
// plaintexts:
//   nonce = row(8) attempt(2) flags(1) zero(1)   ; numbers big-endian, flags bit 0: the last row
// The row number and the last-row flag are in the nonce, so a row that is moved, dropped, doubled
// or cut off does not open.
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { NODE_COUNT, pieceBytes, pieceOffset, TAG_BYTES } from '@fourfold/storage-node/protocol'

export interface RowPosition {
  row: number
  /** 0 for the first try of an upload, then one more for each resumption. */
  attempt: number
  isLast: boolean
}

/** One lane's quarter of a sealed row, as one or two buffers that follow each other. */
export interface Piece {
  segments: Buffer[]
  lengthBytes: number
  /** CRC-32 (zlib) of the piece. */
  crc: number
}

export interface SealedRow {
  /** The ciphertext, in a buffer of its own; the pieces point into it. */
  ciphertext: Buffer
  /** Lane 0..3. */
  pieces: Piece[]
}

/** Seals `plain` and cuts it. `plain` is not kept. */
export function sealRow(key: KeyObject, position: RowPosition, plain: Uint8Array): SealedRow {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(position))
  const ciphertext = cipher.update(plain)
  cipher.final()
  return { ciphertext, pieces: cut(ciphertext, cipher.getAuthTag()) }
}

/**
 * The plaintext of a sealed row in a buffer of its own, or undefined where the tag does not match.
 */
export function openRow(key: KeyObject, position: RowPosition, sealed: Buffer): Buffer | undefined {
  return openSlices(key, position, sealed, sealed.length)?.[0]
}

/**
 * As `openRow`, in slices of `sliceBytes`, the last one shorter, each in a buffer of its own: one
 * at least, which is empty for an empty row.
 */
export function openSlices(
  key: KeyObject,
  position: RowPosition,
  sealed: Buffer,
  sliceBytes: number,
): Buffer[] | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(position))
  const tagAt = sealed.length - TAG_BYTES
  decipher.setAuthTag(sealed.subarray(tagAt))
  const slices: Buffer[] = []
  let at = 0
  do {
    const to = Math.min(at + sliceBytes, tagAt)
    slices.push(decipher.update(sealed.subarray(at, to)))
    at = to
  } while (at < tagAt)
  try {
    decipher.final()
  } catch {
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

function cut(ciphertext: Buffer, tag: Buffer): Piece[] {
  const sealedBytes = ciphertext.length + tag.length
  const pieces: Piece[] = []
  for (let lane = 0; lane < NODE_COUNT; lane++) {
    const from = pieceOffset(sealedBytes, lane)
    const to = from + pieceBytes(sealedBytes, lane)
    const tagFrom = Math.max(0, from - ciphertext.length)
    const tagTo = Math.max(0, to - ciphertext.length)
    const segments = [ciphertext.subarray(from, to), tag.subarray(tagFrom, tagTo)].filter(
      (segment) => segment.length > 0,
    )
    const crc = segments.reduce((sum, segment) => crc32(segment, sum), 0)
    pieces.push({ segments, lengthBytes: to - from, crc })
  }
  return pieces
}
