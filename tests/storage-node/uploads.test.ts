// Uploads on their way in, and everything that can be wrong with them.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { startTestNode } from '../support/storage-node.ts'
import {
  commit,
  newStoredFile,
  prepare,
  prepareOf,
  readPart,
  stage,
  store,
} from '../support/stored-file.ts'
import type { Prover, WireClient } from '../support/wire-client.ts'

test('an upload goes on over another connection after its first one died', async () => {
  await using server = await startTestNode()
  const as = server.alice
  const stored = newStoredFile({ rows: 6, lastBytes: 10 })
  const upload = randomBytes(16)
  {
    await using client = await server.connect()
    await client.request('open', { upload, first: 0 }, { as })
    for (const row of [0, 1, 2]) append(client, as, { upload, row, body: stored.rows[row]! })
    const { header } = await client.request('staged', { upload }, { as })
    assert.equal(header.rows, 3)
    // The fourth row breaks off in the middle.
    const frame = client.frame('append', { upload, row: 3 }, { as, body: stored.rows[3]! })
    await new Promise((resolve) => client.socket.write(frame.subarray(0, -700), resolve))
    client.socket.end()
    await client.closed
  }
  await using client = await server.connect()
  const { header } = await client.request('staged', { upload }, { as })
  assert.equal(header.rows, 3)
  for (const row of [3, 4, 5]) append(client, as, { upload, row, body: stored.rows[row]! })
  await client.request('prepare', prepareOf(stored, upload), { as })
  await commit(client, as, stored)
  assert.deepEqual(
    await readPart(client, as, { stored, part: 1 }),
    stored.rows.map(([piece]) => piece),
  )
})

test('bytes of a row that was replaced by a shorter one are cut off', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 2, lastBytes: 3 })
  const upload = randomBytes(16)
  await client.request('open', { upload, first: 0 }, { as })
  append(client, as, { upload, row: 0, body: stored.rows[0]! })
  {
    await using dying = await server.connect()
    const long = { as, body: [randomBytes(900), randomBytes(900)] }
    const frame = dying.frame('append', { upload, row: 1 }, long)
    await new Promise((resolve) => dying.socket.write(frame.subarray(0, -1), resolve))
    dying.socket.end()
    await dying.closed
  }
  append(client, as, { upload, row: 1, body: stored.rows[1]! })
  await client.request('prepare', prepareOf(stored, upload), { as })
  assert.deepEqual(
    await readPart(client, as, { stored, part: 2 }),
    stored.rows.map(([, piece]) => piece),
  )
})

test('rows out of order break the upload, and prepare repeats the first error', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3 })
  const upload = randomBytes(16)
  await client.request('open', { upload, first: 0 }, { as })
  append(client, as, { upload, row: 0, body: stored.rows[0]! })
  const failure = failureOf(client, as, { upload, row: 2, body: stored.rows[2]! })
  await assert.rejects(failure, { code: 'OUT_OF_ORDER', detail: { expected: 1 } })
  append(client, as, { upload, row: 1, body: stored.rows[1]! })
  const refused = { code: 'OUT_OF_ORDER' }
  await assert.rejects(client.request('staged', { upload }, { as }), refused)
  await assert.rejects(client.request('prepare', prepareOf(stored, upload), { as }), refused)
  await client.request('abort-upload', { upload }, { as })
  assert.deepEqual(readdirSync(`${server.folder}/staging`), [])
})

test('a piece that arrives damaged breaks the upload, and a damaged store is refused', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const upload = randomBytes(16)
  await client.request('open', { upload, first: 0 }, { as })
  const id = client.nextId()
  const answers = client.expect('append', id)
  const body = [randomBytes(100), randomBytes(100)]
  client.socket.write(client.frame('append', { upload, row: 0 }, { as, body, crcs: [1], id }))
  await assert.rejects(answers.next(), { code: 'FRAME_DAMAGED' })
  await assert.rejects(client.request('staged', { upload }, { as }), { code: 'FRAME_DAMAGED' })
  const { file, version, x, sealed } = newStoredFile()
  await assert.rejects(
    client.request('store', { file, version, x, sealed }, { as, body, crcs: [1] }),
    { code: 'FRAME_DAMAGED' },
  )
  const { header } = await client.request('lookup', { file, withParts: true }, { as })
  assert.deepEqual(header.entries, [])
})

test('rows have two pieces, and only the last may be shorter', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const refused = { code: 'BAD_MESSAGE' }
  const piece = randomBytes(100)
  const bodies = [[piece], [piece, piece, piece], [piece, Buffer.alloc(0)]]
  for (const body of bodies) {
    const upload = randomBytes(16)
    await client.request('open', { upload, first: 0 }, { as })
    await assert.rejects(failureOf(client, as, { upload, row: 0, body }), refused)
    const { file, version, x, sealed } = newStoredFile()
    const fields = { file, version, x, sealed }
    await assert.rejects(client.request('store', fields, { as, body }), refused)
  }
  const { file, version, x, sealed } = newStoredFile()
  await assert.rejects(client.request('store', { file, version, x, sealed }, { as }), refused)
  for (const second of [randomBytes(101), randomBytes(99)]) {
    const upload = randomBytes(16)
    await client.request('open', { upload, first: 0 }, { as })
    append(client, as, { upload, row: 0, body: [piece, piece] })
    const isLonger = second.length > 100
    if (!isLonger) append(client, as, { upload, row: 1, body: [piece, second] })
    const row = isLonger ? 1 : 2
    const body: [Buffer, Buffer] = [piece, isLonger ? second : piece]
    await assert.rejects(failureOf(client, as, { upload, row, body }), refused)
  }
})

test('a prepare whose counts differ from what arrived is refused and may be tried again', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3 })
  const upload = await stage(client, as, stored)
  const right = prepareOf(stored, upload)
  const [one, two] = right.lanes
  const wrong = [
    { ...right, rows: 2 },
    { ...right, lanes: [{ ...one, bytes: one.bytes + 1 }, two] as [typeof one, typeof two] },
    { ...right, lanes: [one, { ...two, checksum: 0 }] as [typeof one, typeof two] },
  ]
  for (const request of wrong) {
    await assert.rejects(client.request('prepare', request, { as }), { code: 'COUNT_MISMATCH' })
  }
  await client.request('prepare', right, { as })
  await assert.rejects(client.request('prepare', right, { as }), { code: 'UPLOAD_UNKNOWN' })
})

test('an upload belongs to its user', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const bob = await server.addUser('bob')
  const stored = newStoredFile({ rows: 2 })
  const upload = await stage(client, as, stored)
  const unknown = { code: 'UPLOAD_UNKNOWN' }
  await assert.rejects(client.request('staged', { upload }, { as: bob }), unknown)
  await assert.rejects(client.request('prepare', prepareOf(stored, upload), { as: bob }), unknown)
  await assert.rejects(failureOf(client, bob, { upload, row: 2, body: stored.rows[0]! }), unknown)
  await client.request('abort-upload', { upload }, { as: bob })
  await assert.rejects(client.request('open', { upload, first: 0 }, { as: bob }), {
    code: 'UPLOAD_EXISTS',
  })
  await client.request('prepare', prepareOf(stored, upload), { as })
})

test('a node without room to spare takes nothing and still gives what it has', async () => {
  await using server = await startTestNode()
  const kept = newStoredFile({ rows: 2 })
  {
    await using client = await server.connect()
    await prepare(client, server.alice, kept)
    await commit(client, server.alice, kept)
  }
  await using full = await startTestNode({ disk: { reserve_bytes: Number.MAX_SAFE_INTEGER } })
  await using client = await full.connect()
  const as = full.alice
  const upload = randomBytes(16)
  const refused = { code: 'NO_SPACE' }
  await assert.rejects(client.request('open', { upload, first: 0 }, { as }), refused)
  await assert.rejects(store(client, as, newStoredFile()), refused)
  assert.equal((await client.request('ping', {})).header.isFull, true)
  await client.request('lookup', { file: kept.file, withParts: true }, { as })
})

test('an upload announced as larger than the disk is refused at its opening', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const request = { upload: randomBytes(16), first: 0, size: Number.MAX_SAFE_INTEGER }
  await assert.rejects(client.request('open', request, { as: server.alice }), { code: 'NO_SPACE' })
})

test('the newest of two connections that send the same row wins, and no bytes mix', async () => {
  await using server = await startTestNode()
  await using slow = await server.connect()
  await using fast = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ pieceBytes: 10_000 })
  const upload = randomBytes(16)
  await slow.request('open', { upload, first: 0 }, { as })
  const id = slow.nextId()
  const lost = slow.expect('append', id)
  const body = [randomBytes(10_000), randomBytes(10_000)]
  const frame = slow.frame('append', { upload, row: 0 }, { as, body, id })
  // Sent in one piece with the half frame: its answer shows that the node has read both.
  const pingId = slow.nextId()
  const pong = slow.expect('ping', pingId)
  const ping = slow.frame('ping', {}, { id: pingId })
  slow.socket.write(Buffer.concat([ping, frame.subarray(0, 9000)]))
  await pong.next()
  append(fast, as, { upload, row: 0, body: stored.rows[0]! })
  await fast.request('staged', { upload }, { as })
  slow.socket.write(frame.subarray(9000))
  await assert.rejects(lost.next(), { code: 'OUT_OF_ORDER' })
  await fast.request('prepare', prepareOf(stored, upload), { as })
  assert.deepEqual(await readPart(fast, as, { stored, part: 1 }), [stored.rows[0]![0]])
})

test('hundreds of uploads at once on one connection are all kept', async () => {
  await using server = await startTestNode({ staging: { sync_every_bytes: 65_536 } })
  await using client = await server.connect()
  const as = server.alice
  const files = Array.from({ length: 200 }, (_, index) =>
    newStoredFile({ rows: 1 + (index % 4), pieceBytes: 40_000 }),
  )
  await Promise.all(files.map((stored) => prepare(client, as, stored)))
  await Promise.all(files.map((stored) => commit(client, as, stored)))
  for (const stored of files) {
    const pieces = await readPart(client, as, { stored, part: 2 })
    assert.deepEqual(
      pieces,
      stored.rows.map(([, piece]) => piece),
    )
  }
})

interface Row {
  upload: Buffer
  row: number
  body: readonly Uint8Array[]
}

function append(client: WireClient, as: Prover, { upload, row, body }: Row): void {
  client.socket.write(client.frame('append', { upload, row }, { as, body }))
}

/** Sends a row that is to be refused, and waits for the refusal. */
function failureOf(client: WireClient, as: Prover, { upload, row, body }: Row) {
  const id = client.nextId()
  const answers = client.expect('append', id)
  client.socket.write(client.frame('append', { upload, row }, { as, body, id }))
  return answers.next()
}
