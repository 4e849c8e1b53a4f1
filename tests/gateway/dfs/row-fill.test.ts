// A row that fills takes memory as its bytes come, and each full slice can be given back alone.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { RowFill } from '../../../gateway/dfs/row-fill.ts'

const ROW = 1_048_576
const SLICE = 262_148

const memoryOf = (slices: Buffer[]) =>
  slices.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)

test('a row takes no more memory than what came, to a quarter of a row', () => {
  const fill = new RowFill()
  assert.deepEqual(fill.slices(), [])
  const bytes = randomBytes(ROW)
  for (let at = 0; at < ROW; at += 65_536) {
    fill.add(bytes.subarray(at, at + 65_536))
    const slices = fill.slices()
    assert.ok(Buffer.concat(slices).equals(bytes.subarray(0, at + 65_536)))
    assert.ok(memoryOf(slices) < at + 65_536 + SLICE)
  }
  assert.equal(memoryOf(fill.slices()), ROW)
})

test('a full row takes no more, and begins anew when it is taken', () => {
  const fill = new RowFill()
  const bytes = randomBytes(ROW + 7)
  assert.equal(fill.add(bytes), ROW)
  assert.equal(fill.add(bytes), 0)
  const slices = fill.take()
  assert.deepEqual(
    slices.map(({ length }) => length),
    [SLICE, SLICE, SLICE, ROW - 3 * SLICE],
  )
  assert.ok(slices.every(({ length, buffer }) => length === buffer.byteLength))
  assert.equal(fill.lengthBytes, 0)
  assert.equal(fill.add(bytes.subarray(ROW)), 7)
  assert.ok(Buffer.concat(fill.take()).equals(bytes.subarray(ROW)))
  assert.ok(Buffer.concat(slices).equals(bytes.subarray(0, ROW)))
})

test('where the bytes to come are known, the last slice is as long as they are', () => {
  const fill = new RowFill(ROW + 5)
  fill.add(randomBytes(ROW))
  fill.take()
  fill.add(Buffer.from('hel'))
  assert.equal(fill.slices()[0]?.buffer.byteLength, 5)
  fill.add(Buffer.from('lo'))
  assert.deepEqual(fill.slices(), [Buffer.from('hello')])
  // What is more than promised is for others to refuse; here nothing breaks.
  fill.add(Buffer.from('!!'))
  assert.equal(Buffer.concat(fill.take()).toString(), 'hello!!')
})
