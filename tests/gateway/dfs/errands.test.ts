// What a node that was away is told when it is back: everything that waited, in order, once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DfsError, type Op } from '@fourfold/storage-node/protocol'
import type { NodeCall } from '../../../gateway/dfs/cluster.ts'
import { createErrands } from '../../../gateway/dfs/errands.ts'

function errand(upload: number): NodeCall<Op> {
  return {
    op: 'abort-upload',
    fields: { upload: Buffer.alloc(16, upload) },
    as: { by: 'anyone' },
  } as NodeCall<Op>
}

function ring() {
  const told: string[] = []
  const away = new Map<number, DfsError>()
  const errands = createErrands({
    nodeCount: 4,
    isLive: (node) => !away.has(node),
    async call(node, { fields }) {
      const error = away.get(node)
      if (error !== undefined) throw error
      told.push(`${node}: ${(fields as { upload: Buffer }).upload[0]}`)
    },
  })
  return { told, away, errands }
}

const gone = new DfsError('NODE_GONE', 'gone')

test('a node that is there is told at once, one that is away when it is back', async () => {
  const { told, away, errands } = ring()
  away.set(2, gone)
  await Promise.all([errands.run(1, errand(7)), errands.run(2, errand(8))])
  await errands.run(2, errand(9))
  assert.deepEqual(told, ['1: 7'])
  errands.onChange()
  away.delete(2)
  errands.onChange()
  await new Promise(setImmediate)
  assert.deepEqual(told, ['1: 7', '2: 8', '2: 9'])
  errands.onChange()
  await new Promise(setImmediate)
  assert.equal(told.length, 3)
})

test('a node that refuses is not asked again', async () => {
  const { told, away, errands } = ring()
  away.set(3, new DfsError('PRECONDITION_FAILED', 'committed'))
  await errands.run(3, errand(1))
  away.delete(3)
  errands.onChange()
  await new Promise(setImmediate)
  assert.deepEqual(told, [])
})

test('what waits for a node is bounded, and the oldest gives way', async () => {
  const { told, away, errands } = ring()
  away.set(0, gone)
  await errands.run(0, errand(1))
  for (let count = 0; count < 4096; count++) await errands.run(0, errand(2))
  away.delete(0)
  errands.onChange()
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  assert.equal(told.length, 4096)
  assert.ok(!told.includes('0: 1'))
})
