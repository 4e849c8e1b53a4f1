// Random bytes out of a pool: as many as asked for, each given out once, in memory of their own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshRandom } from '@fourfold/storage-node/protocol'

test('bytes are never given out twice, also where the pool is filled anew', () => {
  const seen = new Set<string>()
  const count = 20_000
  for (let index = 0; index < count; index++) {
    const bytes = freshRandom(index % 3 === 0 ? 32 : 12)
    assert.equal(bytes.length, index % 3 === 0 ? 32 : 12)
    seen.add(bytes.toString('hex', 0, 12))
  }
  assert.equal(seen.size, count)
})

test('all of the pool at once, and no byte more often than chance has it', () => {
  const counts = new Array<number>(256).fill(0)
  for (let round = 0; round < 256; round++) for (const byte of freshRandom(4096)) counts[byte]!++
  // 4,096 of each are expected, 64 is the standard deviation; zeros would be 1,048,576 of one.
  for (const count of counts) assert.ok(Math.abs(count - 4096) < 8 * 64, `${count} of 4,096`)
})

test('what was given is nobody else’s memory', () => {
  const first = freshRandom(16)
  const copy = Buffer.from(first)
  for (let round = 0; round < 1000; round++) freshRandom(16).fill(0)
  assert.deepEqual(first, copy)
})

test('more than there is at once is refused, not cut short', () => {
  assert.throws(() => freshRandom(4097), RangeError)
})
