// Members by number: who is here, and that nothing is kept of who has left.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Roster } from '../../../gateway/dfs/roster.ts'

test('members are found by their numbers until they leave', () => {
  const roster = new Roster<string>()
  roster.add(7, 'seven')
  roster.add(4_294_967_295, 'the last of a connection')
  roster.add(1, 'one')
  assert.equal(roster.size, 3)
  assert.deepEqual(roster.ids(), [1, 7, 4_294_967_295])
  assert.equal(roster.get(7), 'seven')
  roster.delete(7)
  roster.delete(7)
  roster.delete(8)
  assert.equal(roster.get(7), undefined)
  assert.deepEqual(roster.ids(), [1, 4_294_967_295])
  assert.equal(roster.size, 2)
})

test('whoever has left is kept by no young collection, however old the roster is', () => {
  setFlagsFromString('--expose-gc')
  const collectYoung: (options: { type: 'minor' }) => void = runInNewContext('gc')
  const roster = new Roster<object>()
  roster.add(0, {})
  for (let times = 0; times < 4; times++) collectYoung({ type: 'minor' })
  const before = getHeapStatistics().used_heap_size
  for (let id = 1; id <= 8000; id++) {
    roster.add(id, { numbers: Array.from({ length: 100 }, () => ({ id })) })
    if (id > 16) roster.delete(id - 16)
    if (id % 500 === 0) collectYoung({ type: 'minor' })
  }
  const keptBytes = getHeapStatistics().used_heap_size - before
  // All of them together are 25 MB.
  assert.ok(keptBytes < 2_000_000, `${keptBytes} bytes are kept`)
})
