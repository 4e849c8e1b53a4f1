// The disk of one node is full, or nearly: uploads are refused by name before anything is sent
// where that can be known, in mid-stream where not; all else goes on and nothing stored is harmed.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { call, type Reply } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes, streamed } from '../support/content.ts'
import { moveToSmallDisk, type SmallDisk } from '../support/small-disk.ts'
import { nodeStatus } from '../support/watching.ts'

/** The node whose disk is small. */
const NODE = 2
const RESERVE_BYTES = 8 * ROW
const FILE_COUNT = 2000
const LIMIT_MS = 20_000
const LARGE = seededBytes('full disk', 24 * ROW + 5)
const refused = { status: 507, code: 'NO_SPACE', nodes: [`DFS${NODE}`] }

let cluster: TestCluster
let disk: SmallDisk | undefined
let url: string

before(async () => {
  const dfsConf = `disk.reserve_bytes = ${RESERVE_BYTES}`
  const dfcConf = 'limits.ping_every_ms = 100'
  cluster = await startCluster({ dfsConf, dfcConf })
  await cluster.addUser('alice', 'correct horse')
  disk = await moveToSmallDisk(cluster, NODE, { sizeBytes: 48 * ROW, fileCount: FILE_COUNT })
  url = await cluster.startGateway()
  await untilFull(false)
  await put('small', Buffer.from('kept'))
  await put('large', LARGE)
})

after(async () => {
  await Promise.all(cluster.gateways.map((gateway) => gateway.kill('SIGKILL')))
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGKILL')))
  disk?.unmount()
  await cluster[Symbol.asyncDispose]()
})

async function put(name: string, body: Buffer): Promise<void> {
  assert.ok((await send(name, body)).status < 300, name)
}

function send(name: string, body: Buffer | AsyncIterable<Uint8Array>): Promise<Reply> {
  return call(`${url}/files/${name}`, { method: 'PUT', body })
}

function problemOf({ status, json }: Reply) {
  return { status, code: json.code, nodes: json.nodes }
}

async function untilFull(isFull: boolean): Promise<void> {
  const deadlineMs = performance.now() + LIMIT_MS
  for (;;) {
    const { json } = await call(`${url}/nodes`)
    const states = json?.nodes as { name: string; health: string; full?: boolean }[] | undefined
    const state = states?.find(({ name }) => name === `DFS${NODE}`)
    if (state?.health === 'up' && (state.full ?? false) === isFull) return
    assert.ok(performance.now() < deadlineMs, JSON.stringify(json))
    await wait(50)
  }
}

async function untilNothingStaged(): Promise<void> {
  const deadlineMs = performance.now() + LIMIT_MS
  for (;;) {
    const left = cluster.nodes.flatMap(({ folder }) => readdirSync(join(folder, 'staging')))
    if (left.length === 0) return
    assert.ok(performance.now() < deadlineMs, `left in staging: ${left}`)
    await wait(20)
  }
}

async function whatIsStored(): Promise<void> {
  assert.equal((await call(`${url}/files/small`)).text, 'kept')
  const large = await call(`${url}/files/large`)
  assert.equal(md5Hex(large.body), md5Hex(LARGE))
  for (const name of ['lost', 'streamed']) {
    assert.equal((await call(`${url}/files/${name}`)).status, 404)
  }
  const { json } = await call(`${url}/files`)
  for (const { name, state } of json.files) assert.equal(state, 'complete', name)
}

/** Runs `check` where a small disk can be had, with all its room at the beginning and the end. */
function withSmallDisk(name: string, check: (disk: SmallDisk) => Promise<void>): void {
  test(name, async (t) => {
    if (disk === undefined) return t.skip('no file system can be mounted here')
    try {
      await check(disk)
    } finally {
      disk.fill(undefined)
      disk.useUpFiles(undefined)
      await untilFull(false)
    }
    await put('after', Buffer.from('there is room again'))
    await whatIsStored()
  })
}

withSmallDisk('an upload that is known not to fit is refused before it is sent', async (disk) => {
  const leftBytes = RESERVE_BYTES + 6 * ROW
  disk.fill(leftBytes)
  await untilMeasured(leftBytes)
  const sentBytes = async () => (await nodeStatus(cluster, 1)).pieceBytesReceived
  const before = await sentBytes()
  assert.deepEqual(problemOf(await send('lost', LARGE)), refused)
  assert.equal(await sentBytes(), before)
  await untilNothingStaged()
  // Half as large, and a quarter of it in each lane: it fits.
  await put('fits', seededBytes('fits', 4 * ROW))
})

withSmallDisk(
  'an upload of unknown length that fills the disk is refused in mid-stream',
  async (disk) => {
    const leftBytes = RESERVE_BYTES + 2 * ROW
    disk.fill(leftBytes)
    await untilMeasured(leftBytes)
    assert.deepEqual(problemOf(await send('streamed', slowly(LARGE))), refused)
    await untilNothingStaged()
    assert.deepEqual(problemOf(await send('large', slowly(LARGE))), refused)
    await untilNothingStaged()
    await whatIsStored()
  },
)

withSmallDisk(
  'below the reserve files are read and deleted, and no upload is taken',
  async (disk) => {
    await put('deleted', Buffer.from('x'))
    disk.fill(RESERVE_BYTES / 2)
    await untilFull(true)
    for (const body of [Buffer.from('x'), LARGE]) {
      assert.deepEqual(problemOf(await send('lost', body)), refused)
    }
    await whatIsStored()
    assert.equal((await call(`${url}/files/deleted`, { method: 'DELETE' })).status, 204)
    assert.equal((await call(`${url}/files/deleted`)).status, 404)
  },
)

withSmallDisk('a disk with no room at all keeps what it has, also through a kill', async (disk) => {
  await put('deleted', Buffer.from('x'))
  disk.fill(0)
  await untilFull(true)
  await whatIsStored()
  assert.equal((await call(`${url}/files/deleted`, { method: 'DELETE' })).status, 204)
  const node = cluster.nodes[NODE - 1]!
  await node.kill()
  await node.start()
  await untilFull(true)
  assert.equal((await call(`${url}/files/deleted`)).status, 404)
  await whatIsStored()
})

withSmallDisk('a disk that takes no more files refuses uploads the same way', async (disk) => {
  disk.useUpFiles(0)
  await untilFull(true)
  for (const body of [Buffer.from('x'), LARGE]) {
    assert.deepEqual(problemOf(await send('lost', body)), refused)
  }
  await whatIsStored()
})

/** Waits until the node knows how little is free: it measures its disk once a second. */
async function untilMeasured(leftBytes: number): Promise<void> {
  const deadlineMs = performance.now() + LIMIT_MS
  while ((await nodeStatus(cluster, NODE)).freeBytes > leftBytes) {
    assert.ok(performance.now() < deadlineMs)
    await wait(50)
  }
}

async function* slowly(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for await (const part of streamed(bytes, ROW)) {
    yield part
    await wait(100)
  }
}
