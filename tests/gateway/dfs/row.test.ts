// Sealed rows: a vector that any language can read, the cut into pieces, and everything that must
// not open.
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { openRow, openSlices, type RowPosition, sealRow } from '../../../gateway/dfs/row.ts'

const key = createSecretKey(randomBytes(32))
const place: RowPosition = { row: 3, attempt: 1, isLast: false }

function joined(plain: Buffer, position = place): Buffer {
  return Buffer.concat(sealRow(key, position, plain).pieces.flatMap((piece) => piece.segments))
}

test('a sealed row is what the vectors say, byte for byte', () => {
  const file = new URL('../../vectors/sealed-rows.json', import.meta.url)
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as {
    key: string
    rows: { row: number; attempt: number; last: boolean; plain: string; pieces: string[] }[]
  }
  for (const { row, attempt, last, plain, pieces } of vectors.rows) {
    const vectorKey = createSecretKey(Buffer.from(vectors.key, 'hex'))
    const sealed = sealRow(vectorKey, { row, attempt, isLast: last }, Buffer.from(plain, 'hex'))
    const hex = sealed.pieces.map(({ segments }) => Buffer.concat(segments).toString('hex'))
    assert.deepEqual(hex, pieces)
  }
})

for (const size of [0, 1, 2, 3, 4, 5, 15, 16, 17, 4095, 1_048_575, 1_048_576]) {
  test(`a row of ${size} bytes is cut into four pieces within one byte of each other, and opens`, () => {
    const plain = randomBytes(size)
    const { pieces } = sealRow(key, place, plain)
    const lengths = pieces.map(({ lengthBytes }) => lengthBytes)
    assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1, String(lengths))
    for (const piece of pieces) {
      const bytes = Buffer.concat(piece.segments)
      assert.equal(bytes.length, piece.lengthBytes)
      assert.equal(crc32(bytes), piece.crc)
    }
    const sealed = Buffer.concat(pieces.flatMap(({ segments }) => segments))
    assert.equal(sealed.length, size + 16)
    assert.ok(openRow(key, place, sealed)?.equals(plain))
    const slices = openSlices(key, place, sealed, 1000)
    assert.ok(slices && Buffer.concat(slices).equals(plain))
    assert.equal(slices.length, Math.max(1, Math.ceil(size / 1000)))
    assert.ok(slices.every((slice) => slice.length === slice.buffer.byteLength))
  })
}

test('a row opens only in its own place, attempt and end', () => {
  const sealed = joined(Buffer.from('some row of a file'))
  assert.ok(openRow(key, place, sealed))
  for (const other of [{ row: 4 }, { attempt: 0 }, { isLast: true }]) {
    assert.equal(openRow(key, { ...place, ...other }, sealed), undefined)
  }
})

test('a row with any bit changed, or cut short, does not open', () => {
  const sealed = joined(Buffer.from('some row of a file'))
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    assert.equal(openRow(key, place, changed), undefined, `byte ${at}`)
  }
  assert.equal(openRow(key, place, sealed.subarray(0, -1)), undefined)
})

test('a row does not open under another key', () => {
  const other = createSecretKey(randomBytes(32))
  assert.equal(openRow(other, place, joined(Buffer.from('x'))), undefined)
})
