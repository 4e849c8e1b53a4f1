// A node that was replaced by an empty folder, or slept, as users see it: its account works there,
// every file gets its eight copies back, and the copies are the bytes that were stored.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import type { Identity } from '../../gateway/dfs/identity.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { gathered, ROW, seededBytes, streamed } from '../support/content.ts'
import { until } from '../support/ring.ts'

const SIZES = [0, 1, 5, 1000, 262_128, 700_001, ROW, ROW + 1, 6 * ROW + 7]

let cluster: TestCluster
let store: Store
let alice: Identity

before(async () => {
  cluster = await startCluster({ dfsConf: 'repair.look_every_ms = 200' })
  await cluster.addUser('alice', 'alice-password')
  store = await cluster.store()
  alice = await store.signIn({ user: 'alice', password: 'alice-password', address: 'test' })
  for (const size of SIZES) await put(`${size}`, size)
})

after(() => cluster?.[Symbol.asyncDispose]())

async function put(name: string, size: number): Promise<void> {
  await store.upload(alice, { name, source: streamed(seededBytes(name, size)) })
}

async function readAll(): Promise<void> {
  for (const size of SIZES) {
    const { content } = await store.download(alice, { name: `${size}` })
    assert.ok((await gathered(content)).equals(seededBytes(`${size}`, size)), `${size}`)
  }
}

const isAllComplete = async () => {
  const { files } = await store.list(alice, { limit: 100 })
  return files.every(({ copies, state }) => copies === 0xff && state === 'complete')
}

test('an emptied node takes uploads again and gets all copies back', async () => {
  const node = cluster.nodes[2]!
  await node.kill()
  await rm(node.folder, { recursive: true })
  await node.start()
  await cluster.whenUp(store, [1, 2, 3, 4])
  await until('an upload is taken', async () => {
    await put('while it repairs', 3 * ROW)
    return true
  })
  await until('every file has eight copies', isAllComplete)
  // Without its neighbours the opposite pair is the only one to read from: half of it is new.
  await cluster.nodes[1]!.kill()
  await cluster.nodes[3]!.kill()
  await cluster.whenUp(store, [1, 3])
  await readAll()
  await cluster.nodes[1]!.start()
  await cluster.nodes[3]!.start()
  await cluster.whenUp(store, [1, 2, 3, 4])
})

test('a user can sign in where only the emptied node and its opposite are up', async () => {
  await cluster.nodes[0]!.kill()
  await rm(cluster.nodes[0]!.folder, { recursive: true })
  await cluster.nodes[0]!.start()
  await cluster.whenUp(store, [1, 2, 3, 4])
  await until('every file has eight copies', isAllComplete)
  await cluster.nodes[1]!.kill()
  await cluster.nodes[3]!.kill()
  const fresh = await cluster.store()
  await cluster.whenUp(fresh, [1, 3])
  const again = await fresh.signIn({ user: 'alice', password: 'alice-password', address: 'new' })
  const { files } = await fresh.list(again, { limit: 100 })
  assert.equal(files.length, SIZES.length + 1)
})
