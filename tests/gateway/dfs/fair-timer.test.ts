// Limits that do not count the time in which this process stood still.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { afterFairly } from '../../../gateway/dfs/fair-timer.ts'

const LIMIT_MS = 50

function standStill(forMs: number): void {
  const endMs = performance.now() + forMs
  while (performance.now() < endMs);
}

test('a limit that is reached calls once, and one that is cancelled does not', async () => {
  const calls: string[] = []
  afterFairly(1, () => calls.push('reached'))
  const cancel = afterFairly(1, () => calls.push('cancelled'))
  cancel()
  // Set last and longer, so that it comes after both, however late this process is.
  await new Promise<void>((resolve) => afterFairly(LIMIT_MS, resolve))
  assert.deepEqual(calls, ['reached'])
})

test('what arrived while the process stood still comes before the limit', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [peer] = (await once(server, 'connection')) as [Socket]
  const order: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('data', () => order.push('answer'))
  afterFairly(LIMIT_MS, () => {
    order.push('limit')
    resolve()
  })
  peer.write('answer')
  // Not so long that it would wait anew.
  standStill(LIMIT_MS + 20)
  await promise
  assert.deepEqual(order, ['answer', 'limit'])
  socket.destroy()
  peer.destroy()
  server.close()
})

test('a process that stood still waits anew, as long as it was late', async () => {
  const startedMs = performance.now()
  const { promise, resolve } = Promise.withResolvers<number>()
  afterFairly(LIMIT_MS, () => resolve(performance.now() - startedMs))
  // Timers may come a millisecond early.
  standStill(4 * LIMIT_MS + 10)
  assert.ok((await promise) >= 5 * LIMIT_MS)
})

test('a process that always stands still has limits too', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  afterFairly(LIMIT_MS, resolve)
  const busy = setInterval(() => standStill(3 * LIMIT_MS), 1)
  await promise
  clearInterval(busy)
})
