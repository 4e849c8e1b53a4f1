// A fair gate: users take turns, nobody takes more than a share of places or bytes, and nobody
// waits for ever behind somebody else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FairGate } from '../../../gateway/dfs/fair-gate.ts'

const options = {
  places: 1,
  placesPerUser: 1,
  waiting: 100,
  waitTimeoutMs: 10_000,
  what: 'transfers',
}

/** Enters and leaves at once; `order` is told who came in. */
async function pass(gate: FairGate, order: string[], user: string, bytes = 0): Promise<void> {
  const leave = await gate.enter({ user, bytes })
  order.push(user)
  leave()
  leave()
}

test('users take turns, however many requests each of them has', async () => {
  const gate = new FairGate(options)
  const leave = await gate.enter({ user: 'first' })
  const order: string[] = []
  const waiting = ['ann', 'ann', 'ann', 'ann', 'bob', 'bob', 'cid'].map((user) =>
    pass(gate, order, user),
  )
  leave()
  await Promise.all(waiting)
  assert.deepEqual(order, ['ann', 'bob', 'cid', 'ann', 'bob', 'ann', 'ann'])
})

test('a user with a share already waits while others pass', async () => {
  const gate = new FairGate({ ...options, places: 3, placesPerUser: 2 })
  const ann = [await gate.enter({ user: 'ann' }), await gate.enter({ user: 'ann' })]
  const order: string[] = []
  const third = pass(gate, order, 'ann')
  await pass(gate, order, 'bob')
  assert.deepEqual(order, ['bob'])
  ann[0]!()
  await third
  assert.deepEqual(order, ['bob', 'ann'])
  ann[1]!()
  assert.equal(gate.state.inside, 0)
})

test('bytes are bounded too, and who needs many is not overtaken for ever', async () => {
  const gate = new FairGate({ ...options, places: 9, placesPerUser: 9, bytes: 10 })
  const holds = [
    await gate.enter({ user: 'ann', bytes: 6 }),
    await gate.enter({ user: 'bob', bytes: 4 }),
  ]
  const order: string[] = []
  const waiting = [pass(gate, order, 'big', 10), pass(gate, order, 'tiny', 1)]
  holds[1]!()
  assert.deepEqual(order, [])
  holds[0]!()
  await Promise.all(waiting)
  assert.deepEqual(order, ['big', 'tiny'])
  // More than there is in all counts as all of it.
  await pass(gate, order, 'huge', 1000)
  assert.equal(gate.state.freeBytes, 10)
})

test('a full queue takes from the longest, so that a user with one request is heard', async () => {
  const gate = new FairGate({ ...options, waiting: 3 })
  const leave = await gate.enter({ user: 'first' })
  const order: string[] = []
  const crowd = [1, 2, 3].map(() => pass(gate, order, 'crowd'))
  const refused = assert.rejects(crowd[2]!, { code: 'BUSY' })
  const single = pass(gate, order, 'single')
  await refused
  await assert.rejects(pass(gate, order, 'crowd'), { code: 'BUSY' })
  leave()
  await Promise.all([crowd[0], crowd[1], single])
  assert.deepEqual(order, ['crowd', 'single', 'crowd'])
})

test('a wait that is too long ends as BUSY, a request that is given up as ABORTED', async () => {
  const gate = new FairGate({ ...options, waitTimeoutMs: 5, bytes: 10 })
  const leave = await gate.enter({ user: 'ann', bytes: 10 })
  await assert.rejects(gate.enter({ user: 'bob' }), { code: 'BUSY' })
  const controller = new AbortController()
  const waiting = gate.enter({ user: 'bob', signal: controller.signal })
  controller.abort()
  await assert.rejects(waiting, { code: 'ABORTED' })
  await assert.rejects(gate.enter({ user: 'bob', signal: controller.signal }), { code: 'ABORTED' })
  leave()
  assert.deepEqual(gate.state, { inside: 0, waiting: 0, freeBytes: 10 })
})

test('whatever comes and goes, limits hold and everybody gets in at last', async () => {
  const visit = fc.record({
    user: fc.constantFrom('a', 'b', 'c', 'd'),
    bytes: fc.nat(12),
    turns: fc.nat(4),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(visit, { maxLength: 40 }), async (visits) => {
      const gate = new FairGate({ ...options, places: 4, placesPerUser: 2, bytes: 10 })
      const inside = new Map<string, number>()
      let held = 0
      await Promise.all(
        visits.map(async ({ user, bytes, turns }) => {
          const leave = await gate.enter({ user, bytes })
          inside.set(user, (inside.get(user) ?? 0) + 1)
          held += Math.min(bytes, 10)
          const total = [...inside.values()].reduce((sum, count) => sum + count, 0)
          assert.ok(total <= 4 && inside.get(user)! <= 2 && held <= 10)
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          inside.set(user, inside.get(user)! - 1)
          held -= Math.min(bytes, 10)
          leave()
        }),
      )
      assert.deepEqual(gate.state, { inside: 0, waiting: 0, freeBytes: 10 })
    }),
    { numRuns: 200 },
  )
})
