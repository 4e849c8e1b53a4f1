// A gate lets so many in, makes so many wait for so long, and refuses the rest.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from '../../../gateway/dfs/gate.ts'

const options = { places: 1, waiting: 1, waitTimeoutMs: 10_000, what: 'transfers' }

test('those who wait come in in order, and leaving twice frees one place only', async () => {
  const gate = new Gate({ ...options, waiting: 5 })
  const order: number[] = []
  const leave = await gate.enter()
  const others = [1, 2, 3].map(async (number) => {
    const leaveToo = await gate.enter()
    order.push(number)
    leaveToo()
    leaveToo()
  })
  leave()
  leave()
  await Promise.all(others)
  assert.deepEqual(order, [1, 2, 3])
})

test('one more than may wait is refused as BUSY at once', async () => {
  const gate = new Gate(options)
  const leave = await gate.enter()
  const waiting = gate.enter()
  await assert.rejects(gate.enter(), { code: 'BUSY' })
  leave()
  const leaveToo = await waiting
  leaveToo()
})

test('a wait that is too long ends as BUSY, and its place in the queue is free again', async () => {
  const gate = new Gate({ ...options, waitTimeoutMs: 5 })
  const leave = await gate.enter()
  await assert.rejects(gate.enter(), { code: 'BUSY' })
  await assert.rejects(gate.enter(), { code: 'BUSY' })
  leave()
  const leaveToo = await gate.enter()
  leaveToo()
})

test('a request that is given up stops waiting', async () => {
  const gate = new Gate(options)
  const leave = await gate.enter()
  const controller = new AbortController()
  const waiting = gate.enter(controller.signal)
  controller.abort()
  await assert.rejects(waiting, { code: 'ABORTED' })
  leave()
})
