// How rows are cut: nothing is lost, nothing differs by more than a byte, and whole lanes add up.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  laneBytes,
  pieceBytes,
  pieceOffset,
  ROW_BYTES,
  rowCount,
  sealedRowBytes,
  TAG_BYTES,
} from '@fourfold/storage-node/protocol'
import fc from 'fast-check'
import { holds } from '../../support/property.ts'

const LANES = [0, 1, 2, 3]
const BOUNDARIES = [ROW_BYTES, 2 * ROW_BYTES, 4 * ROW_BYTES, 1024 * ROW_BYTES]
const SIZES = [0, 1, 2, 3, 4, 5, ...BOUNDARIES.flatMap((size) => [size - 1, size, size + 1])]

test('the pieces of a row follow each other, fill it, and differ by at most one byte', () => {
  const sealedSizes = [...Array.from({ length: 600 }, (_, size) => size), ROW_BYTES + TAG_BYTES]
  for (const sealed of sealedSizes) {
    let end = 0
    for (const lane of LANES) {
      assert.equal(pieceOffset(sealed, lane), end)
      end += pieceBytes(sealed, lane)
    }
    assert.equal(end, sealed)
    const lengths = LANES.map((lane) => pieceBytes(sealed, lane))
    assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1)
    assert.deepEqual(
      lengths,
      lengths.toSorted((a, b) => b - a),
      'the longer ones come first',
    )
  }
})

test('a full row makes four equal pieces of 256 KiB and 4 bytes', () => {
  assert.deepEqual(
    LANES.map((lane) => pieceBytes(ROW_BYTES + TAG_BYTES, lane)),
    LANES.map(() => 262_148),
  )
})

test('an empty file is one empty row', () => {
  assert.equal(rowCount(0, ROW_BYTES), 1)
  assert.equal(sealedRowBytes(0, { sizeBytes: 0, rowBytes: ROW_BYTES }), TAG_BYTES)
})

test('at each boundary there are as many rows as the bytes need', () => {
  assert.deepEqual(
    [0, 1, ROW_BYTES - 1, ROW_BYTES, ROW_BYTES + 1, 4 * ROW_BYTES].map((size) =>
      rowCount(size, ROW_BYTES),
    ),
    [1, 1, 1, 1, 2, 4],
  )
})

test('the four parts of a file are its sealed rows, and differ by at most one byte', () => {
  for (const sizeBytes of SIZES) checkFile({ sizeBytes, rowBytes: ROW_BYTES })
})

test('that holds for files and rows of any size', (t) => {
  const file = fc.record({
    sizeBytes: fc.integer({ min: 0, max: 100_000 }),
    rowBytes: fc.integer({ min: 64, max: 5000 }),
  })
  return holds(t, fc.property(file, checkFile), 300)
})

/** A row that is not the last must be cut evenly for the bound to hold: rowBytes + tag in fours. */
function checkFile(file: { sizeBytes: number; rowBytes: number }): void {
  const rows = rowCount(file.sizeBytes, file.rowBytes)
  let sealed = 0
  const sums = [0, 0, 0, 0]
  for (let row = 0; row < rows; row++) {
    const bytes = sealedRowBytes(row, file)
    sealed += bytes
    for (const lane of LANES) sums[lane]! += pieceBytes(bytes, lane)
  }
  assert.equal(sealed, file.sizeBytes + rows * TAG_BYTES)
  const lanes = LANES.map((lane) => laneBytes(lane, file))
  assert.deepEqual(lanes, sums)
  const unevenRows = (file.rowBytes + TAG_BYTES) % 4 === 0 ? 1 : rows
  assert.ok(Math.max(...lanes) - Math.min(...lanes) <= unevenRows)
}
