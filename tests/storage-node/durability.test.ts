// What survives: a kill at any moment, restarts, files that crashes left, folders that are not
// ours.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'node:test'
import { createLog } from '../../storage-node/log.ts'
import { createNode } from '../../storage-node/node.ts'
import { until } from '../support/ring.ts'
import {
  startNodeProcess,
  startTestNode,
  temporaryFolder,
  testConf,
} from '../support/storage-node.ts'
import {
  commit,
  newerVersion,
  newStoredFile,
  prepare,
  readPart,
  type StoredFile,
  stage,
  store,
} from '../support/stored-file.ts'

test('what was acknowledged before a kill is there after it, and what was not is gone', async () => {
  await using server = await startNodeProcess()
  const as = server.alice
  const committed: StoredFile[] = []
  const waiting: StoredFile[] = []
  for (let round = 0; round < 4; round++) {
    await using client = await server.connect()
    const small = Array.from({ length: 40 }, () => newStoredFile())
    const large = Array.from({ length: 4 }, () => newStoredFile({ rows: 3, pieceBytes: 80_000 }))
    // Many writes are under way when the kill comes; only those that were answered count.
    const run = async (stored: StoredFile, isLarge: boolean) => {
      await (isLarge ? prepare(client, as, stored) : store(client, as, stored))
      waiting.push(stored)
      await commit(client, as, stored)
      committed.push(stored)
      if (committed.length > (round + 1) * 20) await server.kill()
    }
    const runs = [...small.map((one) => run(one, false)), ...large.map((one) => run(one, true))]
    await stage(client, as, newStoredFile({ rows: 2 })).catch(() => {})
    await Promise.allSettled(runs)
    await server.kill()
    await server.restart()
  }
  assert.ok(committed.length > 40)
  await using client = await server.connect()
  for (const stored of committed) {
    const { file } = stored
    const { header } = await client.request('lookup', { file, withParts: false }, { as })
    assert.deepEqual(
      header.entries.map(({ state }) => state),
      ['committed'],
    )
  }
  // Prepared is durable, too: each is readable, committed or not.
  for (const stored of waiting) {
    const pieces = await readPart(client, as, { stored, part: 1 })
    assert.deepEqual(
      pieces,
      stored.rows.map(([piece]) => piece),
    )
  }
  assert.deepEqual(readdirSync(`${server.folder}/staging`), [])
})

test('a version prepared before a kill can be committed after it', async () => {
  await using server = await startNodeProcess()
  const as = server.alice
  const stored = newStoredFile({ rows: 3, pieceBytes: 70_000 })
  {
    await using client = await server.connect()
    await prepare(client, as, stored)
  }
  await server.kill()
  await server.restart()
  await using client = await server.connect()
  await commit(client, as, stored)
  assert.equal((await readPart(client, as, { stored, part: 1 })).length, 3)
})

test('part files without an entry and staged files are collected after a start', async () => {
  await using server = await startTestNode()
  const as = server.alice
  const stored = newStoredFile({ rows: 2 })
  {
    await using client = await server.connect()
    await prepare(client, as, stored)
    await commit(client, as, stored)
  }
  const orphan = `${server.folder}/parts/ab/ab${'0'.repeat(30)}.part2`
  writeFileSync(orphan, 'left by a crash')
  writeFileSync(`${server.folder}/staging/${'1'.repeat(32)}.0`, 'left by a crash')
  await server.restart()
  assert.deepEqual(readdirSync(`${server.folder}/staging`), [])
  // In the background: the node serves already.
  await until('the orphan is gone', async () => !existsSync(orphan))
  await using client = await server.connect()
  assert.equal((await readPart(client, as, { stored, part: 1 })).length, 2)
})

test('change numbers and the epoch outlive a restart', async () => {
  await using server = await startTestNode()
  const as = server.alice
  const stored = newStoredFile()
  let since = 0
  let epoch: Buffer
  {
    await using client = await server.connect()
    await store(client, as, stored)
    await commit(client, as, stored)
    since = (await client.request('changes', { since, limit: 10, brief: true }, { as })).header.next
    epoch = Buffer.from(client.greeting.epoch)
  }
  await server.restart()
  await using client = await server.connect()
  assert.deepEqual(Buffer.from(client.greeting.epoch), epoch)
  await store(client, as, newerVersion(stored))
  const { header } = await client.request('changes', { since, limit: 10, brief: true }, { as })
  assert.equal(header.next, since + 1)
})

test('a part file that is gone or cut short is said to be missing', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3, pieceBytes: 5000 })
  await prepare(client, as, stored)
  const names = readdirSync(`${server.folder}/parts`, { recursive: true }) as string[]
  const path = (part: number) =>
    `${server.folder}/parts/${names.find((name) => name.endsWith(`.part${part}`))}`
  truncateSync(path(1), 7000)
  rmSync(path(2))
  for (const part of [1, 2]) {
    await assert.rejects(readPart(client, as, { stored, part }), { code: 'PART_MISSING' })
  }
})

test('a part file whose bytes changed is not sent beyond the piece that changed', async () => {
  await using server = await startTestNode()
  await using client = await server.connect()
  const as = server.alice
  const stored = newStoredFile({ rows: 3, pieceBytes: 5000 })
  await prepare(client, as, stored)
  const names = readdirSync(`${server.folder}/parts`, { recursive: true }) as string[]
  const path = `${server.folder}/parts/${names.find((name) => name.endsWith('.part1'))}`
  const bytes = readFileSync(path)
  bytes[5004 + 100]! ^= 1
  writeFileSync(path, bytes)
  const { file, version } = stored
  const sent: number[] = []
  const request = { file, version, part: 1, from: 0, to: 3 }
  const read = async () => {
    for await (const answer of client.answers('read', request, { as })) {
      assert.deepEqual(answer.damaged, [])
      sent.push(answer.header.row)
    }
  }
  await assert.rejects(read(), { code: 'DAMAGED' })
  assert.deepEqual(sent, [0])
})

test('a folder serves one process at a time, and is free again after a kill', async () => {
  await using server = await startNodeProcess()
  const log = createLog({ name: 'DFS1', level: 'error' })
  const open = () =>
    createNode({
      folder: server.folder,
      port: 0,
      node: 1,
      clusterKey: server.clusterKey,
      conf: testConf(),
      log,
    })
  await assert.rejects(open(), { code: 'FOLDER_IN_USE' })
  await server.kill()
  await using second = await open()
  await assert.rejects(open(), { code: 'FOLDER_IN_USE' })
  await second.close()
})

test("folders of others, of other nodes, of other formats and of people's things are refused", async () => {
  const { path, remove } = temporaryFolder()
  const log = createLog({ name: 'DFS', level: 'error' })
  const clusterKey = randomBytes(32)
  const open = (node: number) =>
    createNode({ folder: `${path}/DFS`, port: 0, node, clusterKey, conf: testConf(), log })
  const foreign = { code: 'FOLDER_FOREIGN' }
  try {
    mkdirSync(`${path}/DFS`)
    writeFileSync(`${path}/DFS/holiday.jpg`, 'beach')
    await assert.rejects(open(1), foreign)
    assert.deepEqual(readdirSync(`${path}/DFS`), ['holiday.jpg'])
    rmSync(`${path}/DFS/holiday.jpg`)
    mkdirSync(`${path}/DFS/lost+found`)
    await (await open(1)).close()
    await assert.rejects(open(2), foreign)
    const format = `${path}/DFS/format.json`
    const text = readFileSync(format, 'utf8')
    writeFileSync(format, text.replace(/"format":\d+/, '"format":99'))
    await assert.rejects(open(1), foreign)
    writeFileSync(format, 'not JSON')
    await assert.rejects(open(1), foreign)
    writeFileSync(format, text)
    await (await open(1)).close()
  } finally {
    remove()
  }
})

test('a folder whose making was cut short is made whole', async () => {
  const { path, remove } = temporaryFolder()
  const log = createLog({ name: 'DFS', level: 'error' })
  const clusterKey = randomBytes(32)
  const open = () =>
    createNode({ folder: path, port: 0, node: 1, clusterKey, conf: testConf(), log })
  try {
    await (await open()).close()
    rmSync(`${path}/format.json`)
    rmSync(`${path}/parts`, { recursive: true })
    writeFileSync(`${path}/format.json.new`, '')
    await (await open()).close()
    assert.equal(readdirSync(`${path}/parts`).length, 256)
  } finally {
    remove()
  }
})
