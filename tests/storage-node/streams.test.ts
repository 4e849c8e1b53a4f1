// Reading long parts: beside other requests, through an overwrite, by a reader who stops, over TLS.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { createLog } from '../../storage-node/log.ts'
import { createNode } from '../../storage-node/node.ts'
import { startTestNode, temporaryFolder, testConf } from '../support/storage-node.ts'
import {
  commit,
  newerVersion,
  newStoredFile,
  prepare,
  readPart,
  type StoredFile,
} from '../support/stored-file.ts'
import { accountOf, WireClient } from '../support/wire-client.ts'

const LONG = { rows: 48, pieceBytes: 262_148 }

test('a stream that began before an overwrite ends with the bytes it began with', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  await using other = await server.connect()
  const as = server.alice
  const old = newStoredFile(LONG)
  await prepare(client, as, old)
  await commit(client, as, old)
  const { file, version } = old
  const request = { file, version, part: 1, from: 0, to: LONG.rows }
  let row = 0
  for await (const { header, bodies } of client.answers('read', request, { as })) {
    assert.equal(header.row, row)
    assert.ok(bodies[0]!.equals(old.rows[row]![0]))
    if (row === 0) {
      client.socket.pause()
      const fresh: StoredFile = { ...newerVersion(old), rows: [old.rows[0]!] }
      await prepare(other, as, fresh)
      await commit(other, as, fresh)
      client.socket.resume()
    }
    row++
  }
  assert.equal(row, LONG.rows)
  // Who has read of it may come back for more; for anybody else it is gone.
  assert.equal((await readPart(client, as, { stored: old, part: 1 })).length, LONG.rows)
  await assert.rejects(readPart(client, as, { stored: old, part: 2 }), { code: 'FILE_NOT_FOUND' })
})

test('several streams and small requests share a connection', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const files = [
    newStoredFile(LONG),
    newStoredFile({ rows: 7, pieceBytes: 99 }),
    newStoredFile(LONG),
  ]
  for (const stored of files) await prepare(client, as, stored)
  const streams = files.map((stored, index) =>
    readPart(client, as, { stored, part: 1 + (index % 2) }),
  )
  for (let index = 0; index < 20; index++) await client.request('ping', {})
  for (const [index, pieces] of (await Promise.all(streams)).entries()) {
    const lane = (index % 2) as 0 | 1
    assert.ok(pieces.every((piece, row) => piece.equals(files[index]!.rows[row]![lane])))
  }
})

test('any range of rows comes whole, however many are read at once', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 11, pieceBytes: 5003 })
  await prepare(client, as, stored)
  const { file, version } = stored
  const ranges = Array.from({ length: 11 }, (_, from) =>
    Array.from({ length: 11 - from }, (_, more) => ({ from, to: from + more + 1 })),
  ).flat()
  // Of these sixty-six, the first few streams read several pieces at once and the others one.
  await Promise.all(
    ranges.map(async ({ from, to }) => {
      let row = from
      const request = { file, version, part: 1, from, to }
      for await (const { header, bodies, damaged } of client.answers('read', request, { as })) {
        assert.deepEqual([header.row, header.more, damaged], [row, row + 1 < to, []])
        assert.ok(bodies[0]!.equals(stored.rows[row]![0]))
        row++
      }
      assert.equal(row, to)
    }),
  )
})

test('a reader who stops is given up after the stall limit, and holds up nobody', async () => {
  await using server = await startTestNode({ limits: { stall_timeout_ms: 400 } })
  await using deaf = await server.connect()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile(LONG)
  await prepare(client, as, stored)
  const { file, version } = stored
  // More than the buffers of two sockets hold.
  for (let count = 0; count < 6; count++) {
    deaf.socket.write(deaf.frame('read', { file, version, part: 1, from: 0, to: 48 }, { as }))
  }
  deaf.socket.pause()
  const { header } = await client.request('status', {}, { as: server.cluster() })
  assert.equal(header.connections, 2)
  for (;;) {
    const status = await client.request('status', {}, { as: server.cluster() })
    if (status.header.connections === 1) break
    await new Promise(setImmediate)
  }
  assert.equal((await readPart(client, as, { stored, part: 2 })).length, 48)
})

test('a client that leaves in mid-stream leaves nothing running', async () => {
  await using server = await startTestNode()
  const as = server.alice
  const stored = newStoredFile(LONG)
  for (let round = 0; round < 5; round++) {
    await using client = await server.connect()
    if (round === 0) await prepare(client, as, stored)
    const { file, version } = stored
    const request = { file, version, part: 1, from: 0, to: 48 }
    for await (const answer of client.answers('read', request, { as })) {
      if (answer.header.row === 2) break
    }
  }
  await using client = await server.connect()
  assert.equal((await readPart(client, as, { stored, part: 1 })).length, 48)
})

test('the same frames go over TLS where the conf has a certificate', async () => {
  const { path, remove } = temporaryFolder()
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', '/CN=localhost', '-keyout', `${path}/key.pem`, '-out', `${path}/cert.pem`],
  ])
  assert.equal(made.status, 0, String(made.stderr))
  const conf = testConf()
  conf.tls = { cert_file: `${path}/cert.pem`, key_file: `${path}/key.pem` }
  const clusterKey = randomBytes(32)
  const log = createLog({ name: 'DFS1', level: 'warn' })
  try {
    await using node = await createNode({
      folder: `${path}/DFS1`,
      port: 0,
      node: 1,
      clusterKey,
      conf,
      log,
    })
    await using client = await WireClient.over(
      connect({ port: node.port, host: '127.0.0.1', rejectUnauthorized: false }),
    )
    const operator = { by: 'cluster', user: 'alice', key: clusterKey } as const
    const as = { by: 'user', user: 'alice', key: randomBytes(32) } as const
    const account = accountOf('alice', as.key)
    await client.request('account-prepare', { account }, { as: operator })
    await client.request('account-commit', { change: 1 }, { as: operator })
    const stored = newStoredFile({ rows: 9, pieceBytes: 262_148, lastBytes: 5 })
    await prepare(client, as, stored)
    const pieces = await readPart(client, as, { stored, part: 1 })
    assert.ok(pieces.every((piece, row) => piece.equals(stored.rows[row]![0])))
    conf.tls.key_file = `${path}/none.pem`
    const options = { folder: `${path}/DFS2`, port: 0, node: 2, clusterKey, conf, log }
    await assert.rejects(createNode(options), { code: 'CONF_INVALID' })
  } finally {
    remove()
  }
})
