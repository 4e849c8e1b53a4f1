// Buffers are given back at their last use: not before, not twice, and never with somebody else's
// bytes in the same memory.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveBack, lend } from '../../../gateway/dfs/lease.ts'

test('a buffer that is lent stays whole until each holder has said that it is done', () => {
  const buffer = Buffer.alloc(65_536, 7)
  const [one, two, three] = lend([buffer], 3)
  one!()
  two!()
  assert.equal(buffer.length, 65_536)
  assert.equal(buffer[65_535], 7)
  three!()
  assert.equal(buffer.length, 0)
})

test('a holder that says twice that it is done takes nothing from the others', () => {
  const buffer = Buffer.alloc(65_536, 7)
  const [one, two] = lend([buffer], 2)
  one!()
  one!()
  one!()
  assert.equal(buffer.length, 65_536)
  two!()
  two!()
  assert.equal(buffer.length, 0)
})

test('a slice of memory that others use stays', () => {
  const whole = Buffer.alloc(65_536, 7)
  giveBack(whole.subarray(1))
  const pooled = Buffer.from('small')
  giveBack(pooled)
  assert.equal(whole.length, 65_536)
  assert.equal(pooled.toString(), 'small')
})

test('memory that threads share stays', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(1024))
  giveBack(shared)
  assert.equal(shared.length, 1024)
})
