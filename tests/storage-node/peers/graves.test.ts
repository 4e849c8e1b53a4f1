// Tombstones are forgotten once all four nodes know them, and not before: a node that slept never
// brings a deleted file back, and whoever follows changes never misses a deletion.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { decodeStrict, versionAfter } from '@fourfold/storage-node/protocol'
import {
  NUMBERS,
  newRingFile,
  putFiles,
  type Ring,
  type RingFile,
  startRing,
  until,
} from '../../support/ring.ts'

let ring: Ring

before(async () => {
  // About a second.
  ring = await startRing('deletes.keep_days = 0.00001')
})

after(() => ring?.[Symbol.asyncDispose]())

async function remove(file: RingFile, numbers: readonly number[]): Promise<void> {
  const version = versionAfter(file.version)
  await ring.each(numbers, (client) =>
    client.request('delete', { file: file.file, version }, { as: ring.alice }),
  )
}

const changesAt = (number: number, since: number) =>
  ring.at(number, async (client) => {
    const page = { since, limit: 1000, brief: true }
    const { header } = await client.request('changes', page, { as: ring.alice })
    return header
  })

const isForgotten = async (file: RingFile) => {
  const entries = await Promise.all(NUMBERS.map((number) => ring.entryOf(number, file.file)))
  return entries.every((entry) => entry === undefined)
}

test('a tombstone that all four nodes know is forgotten, and old cursors are told so', async () => {
  const [file, other] = [newRingFile({ pieceBytes: 100 }), newRingFile({ pieceBytes: 100 })]
  await putFiles(ring, [file, other])
  const cursor = (await changesAt(1, 0)).next
  await remove(file, NUMBERS)
  await until('nobody has the tombstone', () => isForgotten(file))
  assert.ok((await changesAt(1, cursor)).collected > cursor)
  // Who begins anew gets a cursor that is good from now on.
  const { next, collected } = await changesAt(1, 0)
  assert.ok(next >= collected)
  assert.equal((await changesAt(1, next)).next, next)
  // There is nothing to wait for: nobody is to tell it to anybody again.
  const before = await changesAt(2, 0)
  await pause(1500)
  assert.ok(await isForgotten(file))
  assert.deepEqual(await changesAt(2, 0), before)
})

test('while a node sleeps nothing is forgotten, and it does not bring the file back', async () => {
  const file = newRingFile({ x: 1, pieceBytes: 100 })
  const long = newRingFile({ x: 2, rows: 3, pieceBytes: 70_000 })
  await putFiles(ring, [file, long])
  await ring.kill(3)
  for (const one of [file, long]) await remove(one, [1, 2, 4])
  // There is nothing to wait for: longer than tombstones are kept, and nothing may happen.
  await pause(2500)
  for (const number of [1, 2, 4]) {
    for (const one of [file, long]) {
      assert.equal((await ring.entryOf(number, one.file))?.state, 'deleted')
    }
  }
  await ring.start(3)
  await until('DFS3 has heard', async () => {
    const entry = await ring.entryOf(3, long.file)
    return entry === undefined || entry.state === 'deleted'
  })
  await until('nobody has the tombstones', async () => {
    return (await isForgotten(file)) && (await isForgotten(long))
  })
  const { repair, storedBytes } = await ring.status(3)
  assert.equal(repair.missingParts, 0)
  assert.equal(storedBytes, (await ring.status(1)).storedBytes)
})

test('a node that lost its folder meanwhile does not bring it back either', async () => {
  const file = newRingFile({ x: 3, pieceBytes: 100 })
  await putFiles(ring, [file])
  await remove(file, [1, 2, 3])
  await ring.wipe(4)
  await ring.start(4)
  await until('DFS4 knows the account', async () => (await ring.status(4)).users === 1)
  await until('nobody has the tombstone', () => isForgotten(file))
})

test('the removal of an account is forgotten too, and the account stays removed', async () => {
  const user = 'bob'
  const as = { ...ring.operator, user }
  const { header } = await ring.at(1, (client) =>
    client.request('account', {}, { as: { ...ring.operator, user: 'alice' } }),
  )
  const account = { ...header.account, user, change: 1 }
  await ring.each(NUMBERS, (client) => client.request('account-prepare', { account }, { as }))
  await ring.each(NUMBERS, (client) => client.request('account-commit', { change: 1 }, { as }))
  await ring.kill(2)
  await ring.each([1, 3, 4], (client) => client.request('account-remove', {}, { as }))
  await ring.start(2)
  await until('DFS2 has removed it', async () => (await ring.status(2)).users === 1)
  await until('nobody tells of it any more', async () => {
    const told = await Promise.all(NUMBERS.map(toldUsers))
    return told.every((users) => users.length === 1 && users[0] === 'alice')
  })
  for (const number of NUMBERS) assert.equal((await ring.status(number)).users, 1)
})

/** Of whom the node tells its peers: accounts and removals. */
const toldUsers = (number: number) =>
  ring.at(number, async (client) => {
    const page = { since: 0, limit: 1000 }
    const { bodies } = await client.request('peer-accounts', page, { as: ring.operator })
    return (decodeStrict(bodies[0]!) as unknown as { user: string }[]).map(({ user }) => user)
  })
