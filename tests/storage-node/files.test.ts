// Files on one node: stored, committed, read, replaced, deleted, listed. Over a real socket.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { MAX_BODY_BYTES, newVersion, partsOfNode } from '@fourfold/storage-node/protocol'
import { INLINE_BYTES } from '../../storage-node/commands/uploads.ts'
import { startTestNode } from '../support/storage-node.ts'
import {
  commit,
  newerVersion,
  newStoredFile,
  prepare,
  readPart,
  type StoredFile,
  store,
} from '../support/stored-file.ts'
import type { Prover, WireClient } from '../support/wire-client.ts'

for (const node of [1, 2, 3, 4]) {
  test(`node ${node} keeps its two parts of every rotation and gives back their bytes`, async () => {
    await using server = await startTestNode({ node })
    await using client = await server.connect()
    const as = server.alice
    for (const x of [0, 1, 2, 3]) {
      for (const first of [0, 1, 2, 3]) {
        const stored = newStoredFile({ rows: 3, lastBytes: 1 + first, x, first })
        await prepare(client, as, stored)
        await commit(client, as, stored)
        await requireParts(client, as, stored, node)
      }
      const small = newStoredFile({ x })
      await store(client, as, small)
      await commit(client, as, small)
      await requireParts(client, as, small, node)
    }
  })
}

test('sizes around every boundary come back as they were', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const sizes = [1, 3, 4, 5, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, MAX_BODY_BYTES / 2]
  for (const pieceBytes of sizes) {
    const stored = newStoredFile({ pieceBytes })
    await store(client, as, stored)
    await commit(client, as, stored)
    await requireParts(client, as, stored, 1)
  }
  const large = newStoredFile({ rows: 40, pieceBytes: 262_148, lastBytes: 4 })
  await prepare(client, as, large)
  await commit(client, as, large)
  await requireParts(client, as, large, 1)
  const middle = await readPart(client, as, { stored: large, part: 1, from: 17, to: 20 })
  assert.deepEqual(
    middle,
    large.rows.slice(17, 20).map(([piece]) => piece),
  )
})

test('a part file is named by its part and holds each piece and its CRC-32', async () => {
  await using server = await startTestNode({ node: 3 })
  await using client = await server.connect()
  const stored = newStoredFile({ rows: 4, pieceBytes: 5000, lastBytes: 9, x: 1, first: 2 })
  await prepare(client, server.alice, stored)
  const key = createHash('sha256')
    .update('alice\0')
    .update(stored.file)
    .update(stored.version)
    .digest('hex')
    .slice(0, 32)
  const folder = `${server.folder}/parts/${key.slice(0, 2)}`
  const [low, high] = partsOfNode(2, 1)
  assert.deepEqual(
    readdirSync(folder).sort(),
    [low, high].map((part) => `${key}.part${part}`).sort(),
  )
  assert.deepEqual(readFileSync(`${folder}/${key}.part${low}`), withCrcs(stored, 0))
  assert.deepEqual(readFileSync(`${folder}/${key}.part${high}`), withCrcs(stored, 1))
  assert.deepEqual(readdirSync(`${server.folder}/staging`), [])
})

test('small parts lie in the catalog and make no file', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const stored = newStoredFile({ pieceBytes: INLINE_BYTES })
  assert.equal(await store(client, server.alice, stored), false)
  await commit(client, server.alice, stored)
  assert.equal(partFileCount(server.folder), 0)
  const { header, bodies } = await client.request(
    'lookup',
    { file: stored.file, withParts: true },
    { as: server.alice },
  )
  assert.deepEqual(header.parts, [1, 2])
  assert.deepEqual(bodies, stored.rows[0])
  assert.deepEqual(Buffer.from(header.entries[0]!.sealed), stored.sealed)
})

test('a lookup of a file with part files sends no parts', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ pieceBytes: INLINE_BYTES + 1 })
  await store(client, as, stored)
  await commit(client, as, stored)
  assert.equal(partFileCount(server.folder), 2)
  const answer = await client.request('lookup', { file: stored.file, withParts: true }, { as })
  assert.deepEqual([answer.header.parts, answer.bodies], [[], []])
})

test('a version is not the file before its commit, and a commit may be repeated', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const old = newStoredFile()
  await store(client, as, old)
  await commit(client, as, old)
  const fresh = newerVersion(old)
  assert.equal(await store(client, as, fresh), true)
  assert.deepEqual(await statesOf(client, as, old), ['committed', 'prepared'])
  await requireParts(client, as, old, 1)
  await requireParts(client, as, fresh, 1)
  await commit(client, as, fresh)
  await commit(client, as, fresh)
  assert.deepEqual(await statesOf(client, as, old), ['committed'])
  await requireParts(client, as, fresh, 1)
  await assert.rejects(readPart(client, as, { stored: old, part: 1 }), { code: 'FILE_NOT_FOUND' })
  // A commit that comes too late changes nothing.
  await commit(client, as, old)
  assert.deepEqual(await statesOf(client, as, old), ['committed'])
})

test('replacing, deleting and aborting remove the part files', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const old = newStoredFile({ rows: 2 })
  await prepare(client, as, old)
  await commit(client, as, old)
  const fresh = newerVersion(old)
  await prepare(client, as, fresh)
  assert.equal(partFileCount(server.folder), 4)
  await commit(client, as, fresh)
  assert.equal(partFileCount(server.folder), 2)
  const aborted = newerVersion(fresh)
  await prepare(client, as, aborted)
  const { file, version } = aborted
  await client.request('abort-version', { file, version }, { as })
  await client.request('abort-version', { file, version }, { as })
  assert.equal(partFileCount(server.folder), 2)
  assert.deepEqual(await statesOf(client, as, old), ['committed'])
  await assert.rejects(client.request('abort-version', { file, version: fresh.version }, { as }), {
    code: 'PRECONDITION_FAILED',
  })
  const tombstone = newVersion(Date.now(), aborted.version)
  const request = { file, version: tombstone }
  assert.equal((await client.request('delete', request, { as })).header.existed, true)
  assert.equal((await client.request('delete', request, { as })).header.existed, true)
  assert.equal(partFileCount(server.folder), 0)
  assert.deepEqual(await statesOf(client, as, old), ['deleted'])
  const later = { file, version: newVersion(Date.now(), tombstone) }
  assert.equal((await client.request('delete', later, { as })).header.existed, false)
  const { header } = await client.request('status', {}, { as: server.cluster() })
  assert.deepEqual([header.files, header.storedBytes], [0, 0])
})

test('a version that is not newer than all others is refused and told the newest', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const first = newStoredFile()
  const second = newerVersion(first)
  await store(client, as, second)
  const expected = {
    code: 'STALE_VERSION',
    detail: { newest: second.version.toString('hex') },
  }
  await assert.rejects(store(client, as, second), expected)
  await commit(client, as, second)
  await assert.rejects(store(client, as, first), expected)
  await assert.rejects(store(client, as, second), expected)
  await assert.rejects(prepare(client, as, first), expected)
  const stale = { file: first.file, version: first.version }
  await assert.rejects(client.request('delete', stale, { as }), expected)
  await assert.rejects(
    client.request('delete', { file: first.file, version: second.version }, { as }),
    expected,
  )
})

test('of two prepared versions the newer one stays, in whichever order they commit', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  for (const isNewerFirst of [true, false]) {
    const first = newStoredFile()
    const second = newerVersion(first)
    await store(client, as, second)
    await store(client, as, first)
    for (const file of isNewerFirst ? [second, first] : [first, second]) {
      await commit(client, as, file)
    }
    const { header } = await client.request(
      'lookup',
      { file: first.file, withParts: false },
      { as },
    )
    const seen = header.entries.map(({ version, state }) => [Buffer.from(version), state])
    assert.deepEqual(seen, [[second.version, 'committed']])
  }
})

test('conditions hold at the moment of the write', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const conditional = (stored: StoredFile, condition: Uint8Array | null) => {
    const { file, version, x, sealed, rows } = stored
    const fields = { file, version, x, sealed, condition }
    return client.request('store', fields, { as, body: rows[0]! })
  }
  const refused = { code: 'PRECONDITION_FAILED' }
  const first = newStoredFile()
  await assert.rejects(conditional(first, first.version), refused)
  await conditional(first, null)
  // Somebody else is writing the file at this moment.
  await assert.rejects(conditional(newerVersion(first), null), refused)
  await commit(client, as, first)
  const second = newerVersion(first)
  await assert.rejects(conditional(second, null), refused)
  await assert.rejects(conditional(second, randomBytes(16)), refused)
  await conditional(second, first.version)
  await commit(client, as, second)
  const { file } = first
  const version = newVersion(Date.now(), second.version)
  const remove = (condition: Uint8Array | null) =>
    client.request('delete', { file, version, condition }, { as })
  await assert.rejects(remove(first.version), refused)
  await assert.rejects(remove(null), refused)
  // An upload that is committed elsewhere already may be only prepared here.
  const rival = newerVersion(second)
  await store(client, as, rival)
  await assert.rejects(remove(second.version), refused)
  await client.request('abort-version', { file, version: rival.version }, { as })
  assert.equal((await remove(second.version)).header.existed, true)
  const third = newStoredFile()
  await conditional({ ...third, file, version: newVersion(Date.now(), version) }, null)
})

test('reading says what is wrong with the request', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3 })
  await prepare(client, as, stored)
  const read = (part: number, from: number, to: number) =>
    readPart(client, as, { stored, part, from, to })
  await assert.rejects(read(3, 0, 1), { code: 'PART_MISSING' })
  await assert.rejects(read(1, 0, 4), { code: 'BAD_MESSAGE' })
  await assert.rejects(read(1, 2, 2), { code: 'BAD_MESSAGE' })
  await assert.rejects(read(1, 3, 1), { code: 'BAD_MESSAGE' })
  await assert.rejects(read(5, 0, 1), { code: 'BAD_MESSAGE' })
  const other = newStoredFile()
  await assert.rejects(readPart(client, as, { stored: other, part: 1 }), { code: 'FILE_NOT_FOUND' })
  await assert.rejects(commit(client, as, other), { code: 'FILE_NOT_FOUND' })
})

test("users do not see each other's files, even under the same id and version", async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const bob = await server.addUser('bob')
  const mine = newStoredFile({ rows: 2 })
  const his = { ...newStoredFile({ rows: 2 }), file: mine.file, version: mine.version }
  await prepare(client, server.alice, mine)
  await commit(client, server.alice, mine)
  await assert.rejects(readPart(client, bob, { stored: mine, part: 1 }), { code: 'FILE_NOT_FOUND' })
  await prepare(client, bob, his)
  await commit(client, bob, his)
  await requireParts(client, server.alice, mine, 1)
  await requireParts(client, bob, his, 1)
})

test('the counters of status tell what crossed the sockets', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const status = async () => (await client.request('status', {}, { as: server.cluster() })).header
  const before = await status()
  const stored = newStoredFile({ rows: 10, pieceBytes: 10_000 })
  await prepare(client, as, stored)
  await commit(client, as, stored)
  await readPart(client, as, { stored, part: 2 })
  const after = await status()
  assert.equal(after.pieceBytesReceived - before.pieceBytesReceived, 200_000)
  assert.equal(after.pieceBytesSent - before.pieceBytesSent, 100_000)
  assert.ok(after.receivedBytes - before.receivedBytes > 200_000)
  assert.ok(after.sentBytes - before.sentBytes < 110_000)
  assert.deepEqual([after.files, after.users, after.connections], [1, 1, 1])
  assert.equal(after.storedBytes, 200_000)
})

/** Reads both parts of node `node` and compares them with what was sent. */
async function requireParts(
  client: WireClient,
  as: Prover,
  stored: StoredFile,
  node: number,
): Promise<void> {
  for (const [lane, part] of partsOfNode(node - 1, stored.x).entries()) {
    const pieces = await readPart(client, as, { stored, part })
    assert.deepEqual(
      pieces,
      stored.rows.map((row) => row[lane]),
    )
  }
}

async function statesOf(client: WireClient, as: Prover, { file }: StoredFile): Promise<string[]> {
  const { header } = await client.request('lookup', { file, withParts: false }, { as })
  return header.entries.map(({ state }) => state)
}

function partFileCount(folder: string): number {
  return readdirSync(`${folder}/parts`, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  ).length
}

function withCrcs(stored: StoredFile, lane: 0 | 1): Buffer {
  const crc = (piece: Buffer) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(crc32(piece))
    return bytes
  }
  return Buffer.concat(stored.rows.flatMap((row) => [row[lane], crc(row[lane])]))
}
