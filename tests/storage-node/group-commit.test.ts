// Many writes, one transaction: each is right by itself, and none is answered before all are on the
// disk.
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { DfsError } from '@fourfold/storage-node/protocol'
import { createGroupCommit } from '../../storage-node/group-commit.ts'
import { startTestNode } from '../support/storage-node.ts'
import { commit, newerVersion, newStoredFile, store } from '../support/stored-file.ts'

function newDatabase() {
  const database = new DatabaseSync(':memory:')
  database.exec('CREATE TABLE t (n INTEGER PRIMARY KEY)')
  const insert = database.prepare('INSERT INTO t VALUES (?)')
  const count = () => (database.prepare('SELECT count(*) AS n FROM t').get() as { n: number }).n
  return { database, insert, count }
}

test('writes of one turn share a transaction, and one that fails spoils no other', async () => {
  const { database, insert, count } = newDatabase()
  let transactions = 0
  const commits = createGroupCommit({ database, beforeCommit: () => transactions++ })
  const writes = Array.from({ length: 100 }, (_, n) =>
    commits.write(() => {
      insert.run(n)
      if (n % 10 === 3) throw new DfsError('STALE_VERSION', 'no')
      return n
    }),
  )
  const outcomes = await Promise.allSettled(writes)
  assert.equal(transactions, 1)
  assert.equal(count(), 90)
  for (const [n, outcome] of outcomes.entries()) {
    if (n % 10 === 3) assert.equal(outcome.status, 'rejected')
    else assert.deepEqual(outcome, { status: 'fulfilled', value: n })
  }
})

test('a write that stands alone has a transaction of its own, and is undone with it', async () => {
  const { database, insert, count } = newDatabase()
  let transactions = 0
  const commits = createGroupCommit({ database, beforeCommit: () => transactions++ })
  const outcomes = await Promise.allSettled([
    commits.writeAlone(() => insert.run(1)),
    commits.write(() => insert.run(2)),
    commits.writeAlone(() => {
      insert.run(3)
      throw new DfsError('STALE_VERSION', 'no')
    }),
    commits.write(() => {
      insert.run(4)
      throw new DfsError('STALE_VERSION', 'no')
    }),
    commits.write(() => insert.run(5)),
  ])
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  assert.equal(transactions, 2)
  assert.equal(count(), 3)
  await assert.rejects(
    commits.write(() => {
      insert.run(6)
      throw new DfsError('STALE_VERSION', 'no')
    }),
    { code: 'STALE_VERSION' },
  )
  assert.equal(count(), 3)
})

test('a write sees those before it in the same transaction', async () => {
  const { database, insert, count } = newDatabase()
  const commits = createGroupCommit({ database, beforeCommit: () => {} })
  const add = (n: number) =>
    commits.write(() => {
      insert.run(n)
      return count()
    })
  assert.deepEqual(await Promise.all([add(1), add(2), add(3)]), [1, 2, 3])
})

test('where the commit fails nobody is told of success, and the next transaction works', async () => {
  const { database, insert, count } = newDatabase()
  let isBroken = true
  const beforeCommit = () => {
    if (isBroken) throw Object.assign(new Error('disk I/O error'), { code: 'EIO' })
  }
  const commits = createGroupCommit({ database, beforeCommit })
  const outcomes = await Promise.allSettled([1, 2].map((n) => commits.write(() => insert.run(n))))
  for (const outcome of outcomes) {
    assert.equal(outcome.status === 'rejected' && outcome.reason.code, 'DISK_FAILED')
  }
  assert.equal(count(), 0)
  isBroken = false
  await commits.write(() => insert.run(1))
  assert.equal(count(), 1)
})

test('closing commits what waits and refuses what comes', async () => {
  const { database, insert, count } = newDatabase()
  const commits = createGroupCommit({ database, beforeCommit: () => {} })
  const write = commits.write(() => insert.run(1))
  commits.close()
  await write
  assert.equal(count(), 1)
  await assert.rejects(
    commits.write(() => insert.run(2)),
    { code: 'NODE_GONE' },
  )
})

test('of many writers of one file at once one wins, and no version is lost in between', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  let last = newStoredFile()
  const versions = Array.from({ length: 30 }, () => {
    last = newerVersion(last)
    return last
  })
  const outcomes = await Promise.allSettled(
    versions.map(async (stored) => {
      await store(client, as, stored)
      await commit(client, as, stored)
    }),
  )
  assert.ok(outcomes.every(({ status }) => status === 'fulfilled'))
  const { file } = last
  const { header, bodies } = await client.request('lookup', { file, withParts: true }, { as })
  assert.equal(header.entries.length, 1)
  assert.deepEqual(Buffer.from(header.entries[0]!.version), last.version)
  assert.deepEqual(bodies, last.rows[0])
})

test('a thousand small files at once are all kept', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const files = Array.from({ length: 1000 }, () => newStoredFile({ pieceBytes: 500 }))
  await Promise.all(
    files.map(async (stored) => {
      await store(client, as, stored)
      await commit(client, as, stored)
    }),
  )
  const { header } = await client.request('status', {}, { as: server.cluster() })
  assert.deepEqual([header.files, header.storedBytes], [1000, 1_000_000])
})
