// Sealed rows: a vector that any language can read, the cut into pieces, and everything that must
// not open.
import assert from 'node:assert/strict'
import { createSecretKey, randomBytes, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { openRow, type Piece, type RowPosition, sealRow } from '../../../gateway/dfs/row.ts'
import { RowFill } from '../../../gateway/dfs/row-fill.ts'

const key = createSecretKey(randomBytes(32))
const place: RowPosition = { row: 3, attempt: 1, isLast: false }

function bytesOf({ segments }: Piece): Buffer {
  return Buffer.concat(segments)
}

/** The same bytes, in slices as an upload has them, or in smaller ones. */
function cutAnywhere(plain: Buffer): Buffer[] {
  const slices: Buffer[] = []
  for (let at = 0; at < plain.length; at += slices.at(-1)!.length) {
    slices.push(plain.subarray(at, at + randomInt(1, 262_149)))
  }
  return slices
}

function sealed(plain: Buffer): Buffer[] {
  return sealRow(key, place, [plain]).map(bytesOf)
}

test('a sealed row is what the vectors say, byte for byte', () => {
  const file = new URL('../../vectors/sealed-rows.json', import.meta.url)
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as {
    key: string
    rows: { row: number; attempt: number; last: boolean; plain: string; pieces: string[] }[]
  }
  for (const { row, attempt, last, plain, pieces } of vectors.rows) {
    const vectorKey = createSecretKey(Buffer.from(vectors.key, 'hex'))
    const made = sealRow(vectorKey, { row, attempt, isLast: last }, [Buffer.from(plain, 'hex')])
    assert.deepEqual(
      made.map((piece) => bytesOf(piece).toString('hex')),
      pieces,
    )
  }
})

const sizes = [
  0, 1, 2, 3, 4, 5, 15, 16, 17, 47, 48, 4095, 16_384, 16_385, 262_128, 262_129, 1_048_575,
  1_048_576,
]
for (const size of sizes) {
  test(`a row of ${size} bytes is cut into four pieces within one byte of each other, and opens`, () => {
    const plain = randomBytes(size)
    const pieces = sealRow(key, place, cutAnywhere(plain))
    assert.deepEqual(pieces.map(bytesOf), sealed(plain))
    const lengths = pieces.map(({ lengthBytes }) => lengthBytes)
    assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1, String(lengths))
    for (const piece of pieces) {
      const bytes = bytesOf(piece)
      assert.equal(bytes.length, piece.lengthBytes)
      assert.equal(crc32(bytes), piece.crc)
    }
    const used: Buffer[] = []
    const copies = pieces.map(bytesOf)
    assert.equal(Buffer.concat(copies).length, size + 16)
    const slices = openRow(key, place, copies, (piece) => used.push(piece))
    assert.ok(slices && Buffer.concat(slices).equals(plain))
    assert.ok(slices.every((slice) => slice.length === slice.buffer.byteLength))
    assert.deepEqual(used, copies)
  })
}

test('a large row has pieces and slices in buffers of their own, as long as each other', () => {
  const fill = new RowFill()
  fill.add(randomBytes(1_048_576))
  const pieces = sealRow(key, place, fill.take())
  assert.ok(pieces.slice(0, 3).every(({ segments }) => segments.length === 1))
  const bodies = pieces.map(({ segments }) => segments[0]!)
  assert.ok(bodies.every((body) => body.length === body.buffer.byteLength))
  const slices = openRow(key, place, pieces.map(bytesOf))
  assert.deepEqual(
    slices?.map(({ length }) => length),
    bodies.map(({ length }) => length),
  )
})

for (const size of [18, 300_000]) {
  test(`a row of ${size} bytes opens only in its own place, attempt and end`, () => {
    const pieces = sealed(randomBytes(size))
    assert.ok(openRow(key, place, pieces))
    for (const other of [{ row: 4 }, { attempt: 0 }, { isLast: true }]) {
      assert.equal(openRow(key, { ...place, ...other }, pieces), undefined)
    }
  })

  test(`a row of ${size} bytes with pieces in another order, or one too few, does not open`, () => {
    const [a, b, c, d] = sealed(randomBytes(size)) as [Buffer, Buffer, Buffer, Buffer]
    for (const pieces of [[b, a, c, d], [a, b, d, c], [a, b, c], [a, b, c, d.subarray(0, 3)], []]) {
      assert.equal(openRow(key, place, pieces), undefined)
    }
  })
}

test('a row with any bit changed, or cut short, does not open', () => {
  const pieces = sealed(Buffer.from('some row of a file'))
  const whole = Buffer.concat(pieces)
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 1
    assert.equal(openRow(key, place, [changed]), undefined, `byte ${at}`)
  }
  assert.equal(openRow(key, place, [whole.subarray(0, -1)]), undefined)
})

test('a row does not open under another key', () => {
  const other = createSecretKey(randomBytes(32))
  assert.equal(openRow(other, place, sealed(Buffer.from('x'))), undefined)
})
