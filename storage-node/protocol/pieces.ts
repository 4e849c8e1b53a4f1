// How a sealed row is cut into four pieces: lengths differ by at most one byte, the longer ones
// first.
import { NODE_COUNT, TAG_BYTES } from './limits.ts'

/** Bytes of the piece of lane `lane` (0..3) of a sealed row of `sealedBytes`. */
export function pieceBytes(sealedBytes: number, lane: number): number {
  return Math.floor(sealedBytes / NODE_COUNT) + (lane < sealedBytes % NODE_COUNT ? 1 : 0)
}

/** Where the piece of lane `lane` (0..3) begins inside a sealed row of `sealedBytes`. */
export function pieceOffset(sealedBytes: number, lane: number): number {
  return Math.floor(sealedBytes / NODE_COUNT) * lane + Math.min(lane, sealedBytes % NODE_COUNT)
}

/** Rows of a file of `sizeBytes`; an empty file is one empty row. */
export function rowCount(sizeBytes: number, rowBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / rowBytes))
}

/** Bytes of row `row` after sealing: ciphertext (as long as the plaintext) and tag. */
export function sealedRowBytes(row: number, file: { sizeBytes: number; rowBytes: number }): number {
  const left = file.sizeBytes - row * file.rowBytes
  return Math.max(0, Math.min(left, file.rowBytes)) + TAG_BYTES
}

/** Bytes of the whole lane `lane` (0..3): the size of one part. */
export function laneBytes(lane: number, file: { sizeBytes: number; rowBytes: number }): number {
  const rows = rowCount(file.sizeBytes, file.rowBytes)
  const full = pieceBytes(file.rowBytes + TAG_BYTES, lane)
  return (rows - 1) * full + pieceBytes(sealedRowBytes(rows - 1, file), lane)
}
