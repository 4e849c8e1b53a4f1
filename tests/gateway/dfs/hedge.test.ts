// When a slow node's twin is asked as well, and how often at most.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHedge } from '../../../gateway/dfs/hedge.ts'

test('what is slow follows from what was usual of late, and is never below the least', () => {
  const hedge = createHedge({ leastMs: 100 })
  assert.equal(hedge.delayMs(), 100)
  for (let index = 0; index < 64; index++) hedge.saw(5)
  assert.equal(hedge.delayMs(), 100)
  for (let index = 0; index < 64; index++) hedge.saw(200)
  assert.equal(hedge.delayMs(), 600)
  for (let index = 0; index < 64; index++) hedge.saw(index === 7 ? 9000 : 50)
  assert.equal(hedge.delayMs(), 150)
})

test('twins are asked in a burst a few times, and then for one answer in ten', () => {
  const hedge = createHedge({ leastMs: 100 })
  const taken = (tries: number) => Array.from({ length: tries }, () => hedge.take())
  assert.equal(taken(100).filter(Boolean).length, 16)
  for (let index = 0; index < 55; index++) hedge.saw(1)
  assert.equal(taken(100).filter(Boolean).length, 5)
})

test('a node that was slow comes last for a while', () => {
  const hedge = createHedge({ leastMs: 100 })
  assert.deepEqual(hedge.inOrder([2, 3]), [2, 3])
  hedge.lost(2)
  assert.equal(hedge.isSlow(2), true)
  assert.deepEqual(hedge.inOrder([2, 3]), [3, 2])
  hedge.lost(3)
  assert.deepEqual(hedge.inOrder([2, 3]), [2, 3])
})
