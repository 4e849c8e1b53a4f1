// Accounts: made and changed in two steps, removed with all that they own.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { startTestNode } from '../support/storage-node.ts'
import { commit, newStoredFile, prepare, stage, store } from '../support/stored-file.ts'
import { accountOf, type Prover, type WireClient } from '../support/wire-client.ts'

test('an account works from its commit on, not from its preparation', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const key = randomBytes(32)
  const bob: Prover = { by: 'user', user: 'bob', key }
  const account = accountOf('bob', key)
  const operator = server.cluster('bob')
  await client.request('account-prepare', { account }, { as: operator })
  await assert.rejects(client.request('account', {}, { as: operator }), { code: 'ACCOUNT_UNKNOWN' })
  await assert.rejects(client.request('account', {}, { as: bob }), { code: 'AUTH_FAILED' })
  await client.request('account-commit', { change: 1 }, { as: operator })
  await client.request('account-commit', { change: 1 }, { as: operator })
  const { header } = await client.request('account', {}, { as: bob })
  assert.deepEqual(header.account.user, 'bob')
  assert.deepEqual(
    header.account.storedKeys.map((key) => Buffer.from(key)),
    account.storedKeys,
  )
  assert.deepEqual(await usersOf(client, server.cluster()), ['alice', 'bob'])
})

test('a new password replaces the old one at its commit', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const old = server.alice
  const fresh: Prover = { by: 'user', user: 'alice', key: randomBytes(32) }
  await client.request(
    'account-prepare',
    { account: accountOf('alice', fresh.key, 2) },
    { as: old },
  )
  await client.request('account', {}, { as: old })
  await client.request('account-commit', { change: 2 }, { as: old })
  await client.request('account', {}, { as: fresh })
  await assert.rejects(client.request('account', {}, { as: old }), { code: 'AUTH_FAILED' })
})

test('a change that is not newer than the record is refused, an aborted one has no effect', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const change = (number: number) => ({ account: accountOf('alice', randomBytes(32), number) })
  await assert.rejects(client.request('account-prepare', change(1), { as }), {
    code: 'STALE_VERSION',
    detail: { newest: 1 },
  })
  await client.request('account-prepare', change(3), { as })
  await assert.rejects(client.request('account-prepare', change(2), { as }), { code: 'BUSY' })
  await assert.rejects(client.request('account-commit', { change: 2 }, { as }), {
    code: 'ACCOUNT_UNKNOWN',
  })
  await client.request('account-abort', { change: 3 }, { as })
  await client.request('account-abort', { change: 3 }, { as })
  await assert.rejects(client.request('account-commit', { change: 3 }, { as }), {
    code: 'ACCOUNT_UNKNOWN',
  })
  await client.request('account', {}, { as })
})

test('users change only their own account, and only the cluster key lists and removes', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const forbidden = { code: 'FORBIDDEN' }
  const account = accountOf('bob', randomBytes(32))
  await assert.rejects(client.request('account-prepare', { account }, { as }), forbidden)
  await assert.rejects(
    client.request('account-prepare', { account }, { as: server.cluster('carol') }),
    forbidden,
  )
  await assert.rejects(client.request('account-list', { after: '' }, { as }), forbidden)
  await assert.rejects(client.request('account-remove', {}, { as }), forbidden)
  await assert.rejects(client.request('status', {}, { as }), forbidden)
  const { file } = newStoredFile()
  const lookup = client.request('lookup', { file, withParts: false }, { as: server.cluster() })
  await assert.rejects(lookup, forbidden)
})

test('a removed account leaves nothing behind, and its name can be taken anew', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const bob = await server.addUser('bob')
  const kept = newStoredFile({ rows: 2 })
  await prepare(client, bob, kept)
  await commit(client, bob, kept)
  const files = Array.from({ length: 300 }, () => newStoredFile())
  await Promise.all(files.map((stored) => store(client, server.alice, stored)))
  const large = newStoredFile({ rows: 3 })
  await prepare(client, server.alice, large)
  await stage(client, server.alice, newStoredFile({ rows: 2 }))
  const operator = server.cluster('alice')
  const removal = await client.request('account-remove', {}, { as: operator })
  assert.equal(removal.header.existed, true)
  const again = await client.request('account-remove', {}, { as: operator })
  assert.equal(again.header.existed, false)
  await assert.rejects(client.request('account', {}, { as: server.alice }), { code: 'AUTH_FAILED' })
  assert.deepEqual(readdirSync(`${server.folder}/staging`), [])
  const { header } = await client.request('status', {}, { as: server.cluster() })
  assert.deepEqual([header.files, header.users, header.storedBytes], [1, 1, 4000])
  const alice = await server.addUser('alice')
  const fields = { since: 0, limit: 10, brief: false }
  const changes = await client.request('changes', fields, { as: alice })
  assert.equal(changes.bodies[0]!.length, 0)
})

test('a removal that was cut short is finished at the next start', async () => {
  await using server = await startTestNode()
  {
    await using client = await server.connect()
    const files = Array.from({ length: 600 }, () => newStoredFile())
    await Promise.all(files.map((stored) => store(client, server.alice, stored)))
    client.socket.write(client.frame('account-remove', {}, { as: server.cluster('alice') }))
    // Part of the removal is done when this is answered, and the stop comes before its end.
    await client.request('ping', {})
  }
  await server.restart()
  await using client = await server.connect()
  const { header } = await client.request('status', {}, { as: server.cluster() })
  assert.deepEqual([header.users, header.storedBytes], [0, 0])
  await server.addUser('alice')
})

async function usersOf(client: WireClient, as: Prover): Promise<string[]> {
  return (await client.request('account-list', { after: '' }, { as })).header.users
}
