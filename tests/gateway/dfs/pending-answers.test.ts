// Requests that wait for their answers: each has its own limit, though one timer serves them all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DfsError } from '@fourfold/storage-node/protocol'
import { PendingAnswers } from '../../../gateway/dfs/pending-answers.ts'

function newWaiter() {
  const { promise, resolve } = Promise.withResolvers<DfsError>()
  return { failed: promise, fail: resolve }
}

const ping = (timeoutMs: number) => ({ op: 'ping', timeoutMs }) as const

test('each request fails at its own limit, whichever came first', async () => {
  const pending = new PendingAnswers(2)
  const late: number[] = []
  const waiters = [60, 20, 40].map((timeoutMs, id) => {
    const waiter = newWaiter()
    pending.add(id, waiter, ping(timeoutMs))
    return waiter.failed.then((error) => {
      late.push(timeoutMs)
      return error
    })
  })
  const errors = await Promise.all(waiters)
  assert.deepEqual(late, [20, 40, 60])
  for (const { code, node } of errors) assert.deepEqual([code, node], ['NODE_TIMEOUT', 3])
  assert.match(errors[1]!.message, /^DFS3 did not answer ping within 20 ms\.$/)
  assert.equal(pending.size, 0)
})

test('what was answered does not fail later, and what comes after has a limit', async () => {
  const pending = new PendingAnswers(0)
  pending.add(1, { fail: () => assert.fail('it was answered') }, ping(10))
  pending.delete(1)
  const first = newWaiter()
  pending.add(2, first, ping(20))
  await first.failed
  const second = newWaiter()
  pending.add(3, second, ping(5))
  assert.equal((await second.failed).code, 'NODE_TIMEOUT')
})

test('a request without a limit waits until the connection ends', async () => {
  const pending = new PendingAnswers(0)
  const [endless, limited] = [newWaiter(), newWaiter()]
  pending.add(1, endless, undefined)
  pending.add(2, limited, ping(5))
  assert.equal((await limited.failed).code, 'NODE_TIMEOUT')
  assert.equal(pending.get(1), endless)
  pending.close(new DfsError('NODE_GONE', 'The connection was closed.'))
  assert.equal((await endless.failed).code, 'NODE_GONE')
  assert.equal(pending.size, 0)
})
