// Uploads that a node keeps: who may write to them, what a checkpoint holds, and what is left after
// a restart, a prepare, an abort and the end of their time.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { openFolder } from '../../storage-node/folder.ts'
import { createKeptTable } from '../../storage-node/kept-table.ts'
import { createKeptUploads } from '../../storage-node/kept-uploads.ts'
import { createStaging } from '../../storage-node/staging.ts'
import { startTestNode, type TestNode, temporaryFolder } from '../support/storage-node.ts'
import {
  commit,
  newStoredFile,
  prepareOf,
  readPart,
  type StoredFile,
} from '../support/stored-file.ts'
import type { Prover, WireClient } from '../support/wire-client.ts'

const unknown = { code: 'UPLOAD_UNKNOWN' }
const LATER = Date.now() + 3_600_000

interface Writer {
  client: WireClient
  as: Prover
  upload: Buffer
}

async function open(client: WireClient, as: Prover, expires = LATER): Promise<Buffer> {
  const upload = randomBytes(16)
  await client.request(
    'keep-open',
    { upload, first: 0, expires, sealed: Buffer.from('0'), done: false },
    { as },
  )
  return upload
}

/** Takes the upload and goes on from its newest checkpoint. */
async function take(client: WireClient, as: Prover, upload: Buffer): Promise<Writer> {
  const id = randomBytes(16)
  const { header } = await client.request('keep-take', { upload, as: id }, { as })
  const { number } = header.points.at(-1)!
  await client.request('keep-resume', { upload: id, number }, { as })
  return { client, as, upload: id }
}

function append({ client, as, upload }: Writer, stored: StoredFile, rows: readonly number[]): void {
  for (const row of rows) {
    const body = stored.rows[row]!
    client.socket.write(client.frame('append', { upload, row }, { as, body }))
  }
}

function point(writer: Writer, number: number, rows: number, tail?: readonly Buffer[]) {
  const { client, as, upload } = writer
  const fields = { upload, number, rows, expires: LATER, sealed: Buffer.from(String(number)) }
  return client.request('keep-point', fields, { as, ...(tail !== undefined && { body: tail }) })
}

const staged = ({ folder }: TestNode) => readdirSync(`${folder}/staging`).sort()

test('checkpoints outlive a restart, and what came after the last one does not count', async () => {
  await using server = await startTestNode()
  const as = server.alice
  const stored = newStoredFile({ rows: 5, lastBytes: 7 })
  const tail = [randomBytes(30), randomBytes(29)]
  let upload: Buffer
  {
    await using client = await server.connect()
    upload = await open(client, as)
    const writer = await take(client, as, upload)
    append(writer, stored, [0, 1])
    await point(writer, 1, 2, tail)
    append(writer, stored, [2])
    await client.request('staged', { upload: writer.upload }, { as })
  }
  await server.restart()
  await using client = await server.connect()
  const { header } = await client.request('keep-look', { upload }, { as })
  assert.deepEqual(
    header.points.map(({ number, rows, tail }) => [number, rows, tail]),
    [
      [0, 0, false],
      [1, 2, true],
    ],
  )
  assert.deepEqual([header.takes, header.done], [1, false])
  const id = randomBytes(16)
  await client.request('keep-take', { upload, as: id }, { as })
  const resumed = await client.request('keep-resume', { upload: id, number: 1 }, { as })
  assert.deepEqual(resumed.bodies, tail)
  const writer = { client, as, upload: id }
  append(writer, stored, [2, 3, 4])
  await point(writer, 2, 5)
  await client.request('prepare', prepareOf(stored, id), { as })
  await commit(client, as, stored)
  await client.request('keep-done', { upload: id, sealed: Buffer.from('done') }, { as })
  assert.deepEqual(staged(server), [])
  const pieces = await readPart(client, as, { stored, part: 1 })
  assert.deepEqual(
    pieces,
    stored.rows.map(([piece]) => piece),
  )
  const last = await client.request('keep-look', { upload }, { as })
  assert.deepEqual([last.header.done, last.header.points.length], [true, 1])
})

test('who takes an upload is its only writer, and the one before can add nothing', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3 })
  const upload = await open(client, as)
  const old = await take(client, as, upload)
  append(old, stored, [0])
  const next = await take(client, as, upload)
  await assert.rejects(point(old, 1, 1), unknown)
  await assert.rejects(
    client.request('keep-resume', { upload: old.upload, number: 0 }, { as }),
    unknown,
  )
  await assert.rejects(client.request('prepare', prepareOf(stored, old.upload), { as }), unknown)
  await assert.rejects(
    client.request('keep-done', { upload: old.upload, sealed: upload }, { as }),
    unknown,
  )
  await client.request('abort-upload', { upload: old.upload }, { as })
  await point(next, 1, 0)
})

test('two checkpoints are kept, and going back to the first takes the second away', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3 })
  const upload = await open(client, as)
  const writer = await take(client, as, upload)
  for (const row of [0, 1, 2]) {
    append(writer, stored, [row])
    await point(writer, row + 1, row + 1)
  }
  const numbers = async () => {
    const { header } = await client.request('keep-look', { upload }, { as })
    return header.points.map(({ number }) => number)
  }
  assert.deepEqual(await numbers(), [2, 3])
  await assert.rejects(point(writer, 3, 3), { code: 'OUT_OF_ORDER' })
  await assert.rejects(point(writer, 4, 2), { code: 'COUNT_MISMATCH' })
  const id = randomBytes(16)
  await client.request('keep-take', { upload, as: id }, { as })
  const far = { upload: id, number: 1 }
  await assert.rejects(client.request('keep-resume', far, { as }), { code: 'OUT_OF_ORDER' })
  await client.request('keep-resume', { upload: id, number: 2 }, { as })
  assert.deepEqual(await numbers(), [2])
  await point({ client, as, upload: id }, 3, 2)
  assert.deepEqual(await numbers(), [2, 3])
})

test('a prepared upload that is aborted is still there and can be prepared again', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 2 })
  const upload = await open(client, as)
  const writer = await take(client, as, upload)
  append(writer, stored, [0, 1])
  await point(writer, 1, 2)
  await client.request('prepare', prepareOf(stored, writer.upload), { as })
  const { file, version } = stored
  await client.request('abort-version', { file, version }, { as })
  await server.restart()
  await using later = await server.connect()
  const again = await take(later, as, upload)
  const newer = { ...stored, version: randomBytes(16).fill(0xfe, 0, 4) }
  await later.request('prepare', prepareOf(newer, again.upload), { as })
  await commit(later, as, newer)
  const pieces = await readPart(later, as, { stored: newer, part: 2 })
  assert.deepEqual(
    pieces,
    stored.rows.map(([, piece]) => piece),
  )
})

test('that the file is stored is told under the upload’s own id after a restart, by its user', async () => {
  await using server = await startTestNode()
  const as = server.alice
  const bob = await server.addUser('bob')
  const stored = newStoredFile({ rows: 2 })
  let upload: Buffer
  {
    await using client = await server.connect()
    upload = await open(client, as)
    const writer = await take(client, as, upload)
    append(writer, stored, [0, 1])
    await point(writer, 1, 2)
    await client.request('prepare', prepareOf(stored, writer.upload), { as })
    await commit(client, as, stored)
  }
  await server.restart()
  await using client = await server.connect()
  assert.equal(staged(server).length, 2)
  const fields = { upload, sealed: Buffer.from('done') }
  await assert.rejects(client.request('keep-done', fields, { as: bob }), unknown)
  // Twice is once: who tells it may not have heard the answer.
  for (const sealed of ['done', 'again']) {
    await client.request('keep-done', { upload, sealed: Buffer.from(sealed) }, { as })
    assert.deepEqual(staged(server), [])
    const { header } = await client.request('keep-look', { upload }, { as })
    assert.deepEqual(
      [header.done, Buffer.from(header.points[0]!.sealed).toString()],
      [true, 'done'],
    )
  }
  const pieces = await readPart(client, as, { stored, part: 1 })
  assert.deepEqual(
    pieces,
    stored.rows.map(([piece]) => piece),
  )
})

test('an upload is its user’s alone, and aborting it frees its bytes', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const bob = await server.addUser('bob')
  const upload = await open(client, as)
  const writer = await take(client, as, upload)
  append(writer, newStoredFile({ rows: 2 }), [0])
  await point(writer, 1, 1)
  await assert.rejects(client.request('keep-look', { upload }, { as: bob }), unknown)
  await assert.rejects(client.request('keep-take', { upload, as: upload }, { as: bob }), unknown)
  await assert.rejects(point({ ...writer, as: bob }, 2, 1), unknown)
  await client.request('abort-upload', { upload }, { as: bob })
  assert.equal(staged(server).length, 2)
  await client.request('abort-upload', { upload }, { as })
  assert.deepEqual(staged(server), [])
  await assert.rejects(client.request('keep-look', { upload }, { as }), unknown)
})

test('what has expired is unknown at once, and its bytes are freed at the next start', async () => {
  await using server = await startTestNode()
  const as = server.alice
  await using client = await server.connect()
  const upload = await open(client, as)
  const writer = await take(client, as, upload)
  append(writer, newStoredFile({ rows: 2 }), [0])
  const fields = { upload: writer.upload, number: 1, rows: 1, expires: 1, sealed: upload }
  await client.request('keep-point', fields, { as })
  await assert.rejects(client.request('keep-look', { upload }, { as }), unknown)
  await server.restart()
  assert.deepEqual(staged(server), [])
})

/** The uploads of a folder, without a node around them. */
async function bareUploads(t: TestContext) {
  const { path, remove } = temporaryFolder()
  t.after(remove)
  const { catalog, stagingPath } = await openFolder(`${path}/DFS1`, 1)
  t.after(() => catalog.close())
  const limits = { ageMs: 3_600_000, syncEveryBytes: 1_000_000 }
  const staging = createStaging({ folder: stagingPath, node: 1, ...limits })
  const table = createKeptTable(catalog)
  const kept = createKeptUploads({ catalog, staging, table, async syncFolder() {} })
  const fresh = (expiresMs = LATER) => {
    return { id: randomBytes(16), first: 0, expiresMs, sealed: Buffer.from('0'), isDone: false }
  }
  return { kept, stagingPath, fresh }
}

test('a user may leave 1024 uploads unfinished, and is in nobody else’s way then', async (t) => {
  const { kept, fresh } = await bareUploads(t)
  const uploads = Array.from({ length: 1024 }, () => fresh())
  await Promise.all(uploads.map((upload) => kept.open('alice', upload)))
  await assert.rejects(kept.open('alice', fresh()), { code: 'BUSY' })
  await kept.open('bob', fresh())
  // One that is stored is no unfinished one.
  await kept.open('alice', { ...fresh(), isDone: true })
  await kept.drop('alice', uploads[0]!.id)
  await kept.open('alice', fresh())
})

test('a node that goes on frees the bytes of what has expired, and of nothing else', async (t) => {
  const { kept, stagingPath, fresh } = await bareUploads(t)
  const begin = async (expiresMs: number) => {
    const upload = fresh(expiresMs)
    const [id, as] = [upload.id, randomBytes(16)]
    await kept.open('alice', upload)
    await kept.take('alice', id, as)
    await kept.resume('alice', as, 0)
    return id
  }
  const nowMs = Date.now()
  const soon = await begin(nowMs + 60_000)
  const later = await begin(nowMs + 120_000)
  assert.equal(await kept.collect(nowMs + 59_000), 0)
  assert.equal(readdirSync(stagingPath).length, 4)
  assert.equal(await kept.collect(nowMs + 61_000), 1)
  const names = readdirSync(stagingPath)
  assert.equal(names.length, 2)
  assert.ok(names.every((name) => name.startsWith(later.toString('hex'))))
  assert.throws(() => kept.find('alice', soon), unknown)
  assert.equal(kept.find('alice', later).points.length, 1)
})
