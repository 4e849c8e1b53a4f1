// What a node tells of a user's changes: each once, in order, in pages that a body can carry.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  type ChangedEntry,
  MAX_BODY_BYTES,
  newVersion,
  partsOfEntry,
  readChangesPage,
} from '@fourfold/storage-node/protocol'
import { startTestNode } from '../support/storage-node.ts'
import { commit, newStoredFile, store } from '../support/stored-file.ts'

test('changes are told once each, in order, in pages', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const files = Array.from({ length: 25 }, () => newStoredFile())
  for (const stored of files) await store(client, as, stored)
  for (const stored of files.slice(0, 20)) await commit(client, as, stored)
  const gone = { file: files[0]!.file, version: newVersion(Date.now(), files[24]!.version) }
  await client.request('delete', gone, { as })

  const seen: ChangedEntry[] = []
  let since = 0
  for (let more = true; more; ) {
    const fields = { since, limit: 10, brief: false }
    const { header, bodies } = await client.request('changes', fields, { as })
    const page = readChangesPage(bodies[0]!)
    assert.ok(page.length <= 10)
    seen.push(...page)
    since = header.next
    more = header.more
  }
  assert.equal(seen.length, 25)
  assert.deepEqual(
    seen.map(({ state }) => state),
    [...Array(5).fill('prepared'), ...Array(19).fill('committed'), 'deleted'],
  )
  const known = files.slice(20).concat(files.slice(1, 20))
  for (const [at, entry] of seen.slice(0, 24).entries()) {
    const { file, version, sealed } = partsOfEntry(entry)
    assert.deepEqual({ file, version }, { file: known[at]!.file, version: known[at]!.version })
    assert.deepEqual([sealed, entry.parts], [known[at]!.sealed, 3])
  }
  const rest = await client.request('changes', { since, limit: 10, brief: false }, { as })
  assert.deepEqual([rest.header.next, rest.header.more], [since, false])
  assert.equal(rest.bodies[0]!.length, 0)
  const brief = await client.request('changes', { since: 0, limit: 4096, brief: true }, { as })
  assert.deepEqual([brief.header.next, brief.header.more], [since, false])
  const told = (entries: ChangedEntry[]) =>
    entries.map((entry) => ({ ...partsOfEntry(entry), sealed: 0, state: entry.state }))
  assert.deepEqual(told(readChangesPage(brief.bodies[0]!)), told(seen))
})

test('a page of long descriptions is cut to what a body can carry', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const sends = Array.from({ length: 150 }, () => {
    const { file, version, x, rows } = newStoredFile()
    const sealed = randomBytes(8192)
    return client.request('store', { file, version, x, sealed }, { as, body: rows[0]! })
  })
  await Promise.all(sends)
  let since = 0
  let count = 0
  for (let more = true; more; ) {
    const fields = { since, limit: 4096, brief: false }
    const { header, bodies } = await client.request('changes', fields, { as })
    assert.ok(bodies[0]!.length <= MAX_BODY_BYTES / 2)
    count += readChangesPage(bodies[0]!).length
    since = header.next
    more = header.more
  }
  assert.equal(count, 150)
})

test('bytes that are no page of changes are refused', () => {
  const entry = Buffer.alloc(35 + 20)
  entry.writeUInt16BE(20, 33)
  assert.equal(readChangesPage(Buffer.concat([entry, entry])).length, 2)
  const isRefused = { code: 'BAD_MESSAGE' }
  for (const length of [1, 34, 35, 54, 56, 109]) {
    const page = Buffer.concat([entry, entry]).subarray(0, length)
    assert.throws(() => readChangesPage(page), isRefused)
  }
  for (const [at, byte] of [
    [32, 0x30],
    [33, 0xff],
  ] as const) {
    const page = Buffer.from(entry)
    page[at] = byte
    assert.throws(() => readChangesPage(page), isRefused)
  }
})
