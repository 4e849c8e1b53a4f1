// Rows are the same however the source cuts its bytes.
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { test } from 'node:test'
import { plainRows } from '../../../gateway/dfs/plain-rows.ts'

const ROW = 1_048_576

async function* cutAnywhere(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = randomInt(1, 300_000)
    yield bytes.subarray(at, at + length)
    at += length
  }
}

for (const size of [0, 1, ROW - 1, ROW, ROW + 1, 2 * ROW, 3 * ROW + 5]) {
  test(`${size} bytes become full rows and one last row`, async () => {
    const bytes = randomBytes(size)
    const seen: Buffer[] = []
    const rows: { row: number; isLast: boolean; plain: Buffer; lengthBytes: number }[] = []
    const source = cutAnywhere(bytes)
    const onBytes = (part: Uint8Array) => seen.push(Buffer.from(part))
    for await (const row of plainRows({ source, onBytes })) {
      assert.ok(row.slices.every(({ length }) => length <= Math.ceil(ROW / 4) + 4))
      rows.push({ ...row, plain: Buffer.concat(row.slices) })
    }
    assert.ok(Buffer.concat(rows.map(({ plain }) => plain)).equals(bytes))
    assert.ok(Buffer.concat(seen).equals(bytes))
    assert.equal(rows.length, Math.max(1, Math.ceil(size / ROW)))
    for (const [at, { row, isLast, plain, lengthBytes }] of rows.entries()) {
      assert.equal(lengthBytes, plain.length)
      assert.equal(row, at)
      assert.equal(isLast, at === rows.length - 1)
      if (!isLast) assert.equal(plain.length, ROW)
    }
  })
}

test('buffers that belong to the rows alone are given back, slices of others are not', async () => {
  const own = new Uint8Array(100_000).fill(7)
  const shared = Buffer.from(own).subarray(10, 20)
  const rows: Buffer[] = []
  async function* source() {
    yield own
    yield shared
  }
  for await (const { slices } of plainRows({
    source: source(),
    onBytes() {},
    isSourceOwned: true,
  })) {
    rows.push(...slices)
  }
  assert.ok(Buffer.concat(rows).equals(Buffer.alloc(100_010, 7)))
  assert.equal(own.length, 0)
  assert.equal(shared.length, 10)
})

test('a full row waits for no byte more where more is announced, and keeps none of the source', async () => {
  const own = new Uint8Array(ROW).fill(1)
  async function* source() {
    yield own
    assert.equal(own.length, 0, 'its memory was given back before the row was handed on')
    yield new Uint8Array(5).fill(2)
  }
  const rows = plainRows({
    ...{ source: source(), onBytes() {}, isSourceOwned: true },
    sizeBytes: ROW + 5,
  })
  const { value: first } = await rows.next()
  assert.deepEqual([first?.lengthBytes, first?.isLast, own.length], [ROW, false, 0])
  const { value: last } = await rows.next()
  assert.deepEqual([last?.lengthBytes, last?.isLast], [5, true])
})

test('the announced end is the end, and what comes after it is told too', async () => {
  const rowsOf = async (...lengths: number[]) => {
    async function* source() {
      for (const length of lengths) yield new Uint8Array(length)
    }
    const rows: [number, boolean][] = []
    for await (const { lengthBytes, isLast } of plainRows({
      ...{ source: source(), onBytes() {} },
      sizeBytes: ROW,
    })) {
      rows.push([lengthBytes, isLast])
    }
    return rows
  }
  assert.deepEqual(await rowsOf(ROW), [[ROW, true]])
  assert.deepEqual(await rowsOf(ROW, 7), [
    [ROW, false],
    [7, true],
  ])
})
