// Promises 3 and 4: which nodes may be down for what, and what people are told.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Identity } from '../../gateway/dfs/identity.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { gathered, ROW, seededBytes, streamed } from '../support/content.ts'

const SIZES = [0, 1, 1000, 300_000, ROW + 1, 5 * ROW + 3]

let cluster: TestCluster
let store: Store
let alice: Identity

before(async () => {
  cluster = await startCluster()
  await cluster.addUser('alice', 'alice-password')
  store = await cluster.store()
  alice = await store.signIn({ user: 'alice', password: 'alice-password', address: 'test' })
  for (const size of SIZES) {
    // Four of each size, so that all rotations occur.
    for (let copy = 0; copy < 4; copy++) {
      const source = streamed(seededBytes(`${size} ${copy}`, size))
      await store.upload(alice, { name: `${size}-${copy}`, source })
    }
  }
})

after(() => cluster[Symbol.asyncDispose]())

async function withDown(numbers: readonly number[], run: () => Promise<void>): Promise<void> {
  for (const number of numbers) await cluster.nodes[number - 1]!.kill()
  await cluster.whenUp(
    store,
    [1, 2, 3, 4].filter((number) => !numbers.includes(number)),
  )
  try {
    await run()
  } finally {
    for (const number of numbers) await cluster.nodes[number - 1]!.start()
    await cluster.whenUp(store, [1, 2, 3, 4])
  }
}

async function expectAllReadable(): Promise<void> {
  for (const size of SIZES) {
    for (let copy = 0; copy < 4; copy++) {
      const { file, content } = await store.download(alice, { name: `${size}-${copy}` })
      assert.equal(file.state, 'degraded')
      assert.ok((await gathered(content)).equals(seededBytes(`${size} ${copy}`, size)), file.name)
    }
  }
}

async function expectUploadRefused(names: string[]): Promise<void> {
  let wasRead = false
  const source = async function* () {
    wasRead = true
    yield Buffer.from('x')
  }
  const attempt = store.upload(alice, { name: 'refused', source: source() })
  await assert.rejects(attempt, { code: 'NODES_UNAVAILABLE', detail: { nodes: names } })
  assert.equal(wasRead, false)
}

for (const number of [1, 2, 3, 4]) {
  test(`with DFS${number} killed every file opens, and uploads are refused by name`, async () => {
    await withDown([number], async () => {
      await expectAllReadable()
      await expectUploadRefused([`DFS${number}`])
    })
  })
}

for (const pair of [
  [1, 3],
  [2, 4],
]) {
  test(`with the opposite nodes ${pair} killed every file opens`, async () => {
    await withDown(pair, async () => {
      await expectAllReadable()
      await expectUploadRefused(pair.map((number) => `DFS${number}`))
    })
  })
}

for (const pair of [
  [1, 2],
  [2, 3],
  [3, 4],
  [1, 4],
]) {
  test(`with the neighbours ${pair} killed, downloads name the part and the cure`, async () => {
    await withDown(pair, async () => {
      const nodes = pair.map((number) => `DFS${number}`)
      for (const size of SIZES) {
        const attempt = store.download(alice, { name: `${size}-0` })
        await assert.rejects(
          attempt,
          (error: { code: string; detail: Record<string, unknown> }) => {
            assert.equal(error.code, 'PARTS_UNAVAILABLE')
            assert.deepEqual(error.detail.nodes, nodes)
            assert.equal((error.detail.parts as number[]).length, 1)
            return true
          },
        )
      }
      const { files, missingNodes } = await store.list(alice, {})
      assert.equal(files.length, SIZES.length * 4)
      assert.ok(files.every(({ state }) => state === 'insufficient'))
      assert.deepEqual(missingNodes, nodes)
    })
  })
}

test('after all came back every file is complete again', async () => {
  const { files } = await store.list(alice, {})
  assert.ok(files.every(({ state, copies }) => state === 'complete' && copies === 255))
})

test('a file that is deleted while one node is down stays deleted when it comes back', async () => {
  await withDown([2], () => store.remove(alice, { name: '1-3' }))
  await assert.rejects(store.stat(alice, '1-3'), { code: 'FILE_NOT_FOUND' })
  await withDown([1, 3], () => assert.rejects(store.stat(alice, '1-3'), { code: 'FILE_NOT_FOUND' }))
})

test('a node that dies in the middle of a download is replaced by its twin', async () => {
  const name = 'long'
  const bytes = seededBytes(name, 40 * ROW + 11)
  await store.upload(alice, { name, source: streamed(bytes) })
  const { content } = await store.download(alice, { name })
  const parts: Buffer[] = []
  for await (const part of content) {
    parts.push(Buffer.from(part))
    if (parts.length === 3) await cluster.nodes[2]!.kill()
  }
  assert.ok(Buffer.concat(parts).equals(bytes))
  await cluster.nodes[2]!.start()
  await cluster.whenUp(store, [1, 2, 3, 4])
})

test('a node that dies in the middle of an upload fails it by name, and nothing is visible', async () => {
  const source = async function* () {
    for (let part = 0; part < 60; part++) {
      if (part === 10) await cluster.nodes[1]!.kill()
      yield seededBytes(`part ${part}`, ROW)
    }
  }
  await assert.rejects(store.upload(alice, { name: 'cut', source: source() }), { node: 2 })
  await cluster.nodes[1]!.start()
  await cluster.whenUp(store, [1, 2, 3, 4])
  await assert.rejects(store.stat(alice, 'cut'), { code: 'FILE_NOT_FOUND' })
})
