// What a node says that a user's entries add up to, after all that may happen to them.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { addEntryDigests, newVersion, readChangesPage } from '@fourfold/storage-node/protocol'
import { openCatalog } from '../../storage-node/catalog.ts'
import { createEntryTable, State } from '../../storage-node/entry-table.ts'
import { startTestNode, temporaryFolder } from '../support/storage-node.ts'
import { commit, newerVersion, newStoredFile, store } from '../support/stored-file.ts'
import type { Prover, WireClient } from '../support/wire-client.ts'

/** What the pages of changes after `since` add up to, and how many entries are on them. */
async function told(client: WireClient, as: Prover, since = 0) {
  const { bodies } = await client.request('changes', { since, limit: 4096, brief: true }, { as })
  const entries = readChangesPage(bodies[0]!)
  const sums = [0]
  for (const { page, fileAt, state, parts } of entries) {
    if (state === 'prepared') continue
    const facts = [(state === 'deleted' ? 32 : 16) + parts]
    addEntryDigests(sums, { bytes: page, at: fileAt, facts })
  }
  return { digest: sums[0]!, count: entries.length }
}

async function said(client: WireClient, as: Prover) {
  return (await client.request('digest', {}, { as })).header
}

test('it is what the pages of changes add up to, whatever happened', async () => {
  await using server = await startTestNode()
  const as = server.alice
  const other = await server.addUser('bob')
  let client = await server.connect()
  const check = async (what: string) => {
    for (const user of [as, other]) {
      const { digest } = await said(client, user)
      assert.equal(digest, (await told(client, user)).digest, what)
    }
    return said(client, as)
  }
  const nothing = await check('nothing')
  assert.equal(nothing.digest, 0)

  const files = [newStoredFile(), newStoredFile({ rows: 3, pieceBytes: 70_000 }), newStoredFile()]
  for (const file of files) await store(client, as, file)
  assert.equal((await check('prepared')).digest, 0)
  for (const file of files) await commit(client, as, file)
  await commit(client, as, files[0]!)
  assert.notEqual((await check('committed')).digest, 0)
  await store(client, other, files[0]!)
  await commit(client, other, files[0]!)
  await check('of two users')

  const newer = newerVersion(files[0]!)
  await store(client, as, newer)
  await commit(client, as, newer)
  await check('replaced')
  const { file, version } = files[1]!
  const target = { file: randomBytes(16), version: newVersion(Date.now()) }
  const move = { ...target, source: file, sourceVersion: version, sealed: randomBytes(100) }
  await client.request('move', move, { as })
  await client.request('commit', target, { as })
  await check('moved')
  const grave = { file: newer.file, version: newVersion(Date.now(), newer.version) }
  await client.request('delete', grave, { as })
  const before = await check('deleted')

  await client[Symbol.asyncDispose]()
  await server.restart()
  client = await server.connect()
  assert.deepEqual(await check('started again'), before)
  await client.request('account-remove', {}, { as: server.cluster('bob') })
  await client[Symbol.asyncDispose]()
})

test('behind its cursor comes what is undecided, and nothing that it counts', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const [early, pending, late] = [newStoredFile(), newStoredFile(), newStoredFile()]
  await store(client, as, early)
  await commit(client, as, early)
  const { next } = await said(client, as)
  assert.deepEqual(await told(client, as, next), { digest: 0, count: 0 })
  await store(client, as, pending)
  await store(client, as, late)
  await commit(client, as, late)
  const { next: beforePending } = await said(client, as)
  assert.equal((await told(client, as, beforePending)).count, 2)
  await commit(client, as, pending)
  const { next: behindAll } = await said(client, as)
  assert.equal((await told(client, as, behindAll)).count, 0)
})

test('parts that are lost or brought back count; an old folder learns what it adds up to', async () => {
  const { path, remove } = temporaryFolder()
  const catalog = openCatalog(`${path}/catalog.sqlite`)
  try {
    const table = createEntryTable(catalog)
    const part = { part: 1, bytes: 1, pieceBytes: 1, checksum: 0, data: Buffer.alloc(5) }
    const entries = Array.from({ length: 50 }, (_, number) => ({
      ...{ user: number % 2 === 0 ? 'alice' : 'bob', x: 0, first: 0, rows: 1, key: null },
      ...{ file: randomBytes(16), version: randomBytes(16), sealed: randomBytes(50) },
      parts: [part, { ...part, part: 2 }],
    }))
    await catalog.write(() => {
      for (const entry of entries) table.insert(entry, State.committed)
    })
    const expected = (user: string) => {
      const sums = [0]
      for (const one of entries.filter((entry) => entry.user === user)) {
        const { file, version, state, parts } = table.find(one)!
        const bytes = Buffer.concat([file, version])
        addEntryDigests(sums, { bytes, at: 0, facts: [state * 16 + parts] })
      }
      return sums[0]!
    }
    const whole = expected('alice')
    assert.equal(table.digests.of('alice'), whole)
    const row = () => table.find(entries[0]!)!
    await catalog.write(() => table.losePart(row(), 2))
    assert.notEqual(table.digests.of('alice'), whole)
    assert.equal(table.digests.of('alice'), expected('alice'))
    await catalog.write(() => table.holdPart(row(), { ...part, part: 2 }, null))
    assert.equal(table.digests.of('alice'), whole)

    catalog.database.exec('DROP TRIGGER digest_decided; DROP TRIGGER digest_changed')
    catalog.database.exec('DROP TRIGGER digest_removed; DROP TABLE digests')
    const { digests } = createEntryTable(catalog)
    for (const user of ['alice', 'bob']) assert.equal(digests.of(user), expected(user))
  } finally {
    catalog.close()
    remove()
  }
})
