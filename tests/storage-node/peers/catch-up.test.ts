// What was decided while a node slept or before its folder was new: deletions, accounts and their
// ends, long lists. What is deleted stays so.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { newVersion } from '@fourfold/storage-node/protocol'
import {
  isWholeOn,
  NUMBERS,
  newRingFile,
  putAccount,
  putFiles,
  type Ring,
  type RingFile,
  startRing,
  until,
} from '../../support/ring.ts'
import { accountOf, type Prover } from '../../support/wire-client.ts'

let ring: Ring

before(async () => {
  ring = await startRing()
})

after(() => ring?.[Symbol.asyncDispose]())

function remove(file: RingFile, numbers: readonly number[]): Promise<void> {
  const fields = { file: file.file, version: newVersion(Date.now(), file.version) }
  return ring.each(numbers, (client) => client.request('delete', fields, { as: ring.alice }))
}

const stateOn = async (number: number, file: RingFile) =>
  (await ring.entryOf(number, file.file))?.state

test('a file that was deleted while a node slept is gone there too, and stays gone', async () => {
  const [gone, kept] = [newRingFile(), newRingFile({ x: 1 })]
  await putFiles(ring, [gone, kept])
  await ring.kill(3)
  await remove(gone, [1, 2, 4])
  await ring.start(3)
  await until('DFS3 knows', async () => (await stateOn(3, gone)) === 'deleted')
  for (const number of NUMBERS) assert.equal(await stateOn(number, gone), 'deleted')
  assert.ok(await isWholeOn(ring, 3, kept))
})

test('an empty node learns of the deletion, also from a ring in which one node missed it', async () => {
  const gone = newRingFile({ x: 2 })
  await putFiles(ring, [gone])
  await ring.kill(4)
  await remove(gone, [1, 2, 3])
  await ring.wipe(2)
  await ring.start(4)
  await ring.start(2)
  await until('DFS2 and DFS4 know', async () => {
    return (await stateOn(2, gone)) === 'deleted' && (await stateOn(4, gone)) === 'deleted'
  })
  assert.equal((await ring.entryOf(2, gone.file))!.parts, 0)
})

test('accounts come back to an empty node, each with its own key; removed ones do not', async () => {
  const [bob, eve] = ['bob', 'eve'].map(
    (user): Prover => ({ by: 'user', user, key: randomBytes(32) }),
  ) as [Prover, Prover]
  for (const { user, key } of [bob, eve]) {
    await putAccount(ring, accountOf(user, key))
  }
  await ring.kill(1)
  const fresh: Prover = { ...bob, key: randomBytes(32) }
  await putAccount(ring, accountOf('bob', fresh.key, 2), [2, 3, 4])
  await ring.each([2, 3, 4], (client) =>
    client.request('account-remove', {}, { as: { ...ring.operator, user: 'eve' } }),
  )
  await ring.wipe(2)
  await ring.start(1)
  await ring.start(2)
  for (const number of [1, 2]) {
    await ring.at(number, (client) =>
      until('bob is known by the new password', async () => {
        const { header } = await client.request('account', {}, { as: fresh })
        return header.account.change === 2
      }),
    )
    const users = async () => (await ring.status(number)).users
    await until('eve is gone', async () => (await users()) === 2)
    await ring.at(number, (client) =>
      assert.rejects(client.request('account', {}, { as: { ...ring.operator, user: 'eve' } }), {
        code: 'ACCOUNT_UNKNOWN',
      }),
    )
  }
})

test('more than a page is told, page by page, and again after a restart only what is new', async () => {
  const count = 2100
  const files = Array.from({ length: count }, () => newRingFile({ pieceBytes: 8 }))
  await putFiles(ring, files)
  const expected = (await ring.status(1)).files
  await ring.wipe(1)
  await ring.start(1)
  await until('DFS1 has all', async () => {
    const { files: known, repair } = await ring.status(1)
    return known === expected && repair.missingParts === 0 && repair.isCurrent
  })
  const some = [0, 1000, count - 1].map((index) => files[index]!)
  for (const file of some) assert.ok(await isWholeOn(ring, 1, file))
  await ring.kill(1)
  await ring.start(1)
  await until('it is current', async () => (await ring.status(1)).repair.isCurrent)
  assert.equal((await ring.status(1)).repair.copiedBytes, 0)
})

test('peer commands are for the cluster key alone', async () => {
  const some = { file: randomBytes(16), version: randomBytes(16) }
  await ring.at(1, async (client) => {
    const as = ring.alice
    const refused = { code: 'FORBIDDEN' }
    const page = { since: 0, limit: 10 }
    await assert.rejects(client.request('peer-changes', page, { as }), refused)
    await assert.rejects(client.request('peer-accounts', page, { as }), refused)
    await assert.rejects(client.request('peer-part', { ...some, part: 1 }, { as }), refused)
    await assert.rejects(client.request('peer-entry', { ...some, decide: true }, { as }), refused)
    const challenge = randomBytes(32)
    await assert.rejects(client.request('peer-prove', { challenge }, { as }), refused)
  })
})
