// A disk that changed a piece behind its node's back: the reader gets the right bytes from the
// other copy, and the node has the piece mended because somebody read it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Identity } from '../../gateway/dfs/identity.ts'
import type { Store } from '../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { gathered, ROW, seededBytes, streamed } from '../support/content.ts'
import { until } from '../support/ring.ts'

const SIZE = 12 * ROW + 3
/** A full row's quarter and its checksum. */
const STRIDE = ROW / 4 + 4 + 4

let cluster: TestCluster
let store: Store
let alice: Identity

before(async () => {
  // No pass of scrub finds it before a reader does.
  cluster = await startCluster({ dfsConf: 'scrub.every_days = 1000\nrepair.look_every_ms = 100' })
  await cluster.addUser('alice', 'alice-password')
  store = await cluster.store()
  alice = await store.signIn({ user: 'alice', password: 'alice-password', address: 'test' })
})

after(() => cluster?.[Symbol.asyncDispose]())

/** The part files of node `number` (1..4). */
function partFiles(number: number): string[] {
  const folder = join(cluster.nodes[number - 1]!.folder, 'parts')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return files.filter((name) => name.includes('.part')).map((name) => join(folder, name))
}

function flipBit(path: string, position: number): void {
  const bytes = readFileSync(path)
  bytes[position]! ^= 4
  writeFileSync(path, bytes)
}

for (const [what, rows] of [
  ['one row', [5]],
  ['the first row', [0]],
  ['every row', Array.from({ length: 12 }, (_, row) => row)],
] as const) {
  test(`with a bit wrong in ${what} on one node the file is right, and is mended`, async () => {
    const bytes = seededBytes(what, SIZE)
    const older = partFiles(2)
    await store.upload(alice, { name: what, source: streamed(bytes) })
    const fresh = partFiles(2).filter((path) => !older.includes(path))
    assert.equal(fresh.length, 2)
    const before = new Map(fresh.map((path) => [path, readFileSync(path)]))
    for (const path of before.keys()) for (const row of rows) flipBit(path, row * STRIDE + 77)
    // Until reads have met both parts: which node is asked for a lane changes from one to the next.
    await until('DFS2 has mended what it holds', async () => {
      const { content } = await store.download(alice, { name: what })
      assert.ok((await gathered(content)).equals(bytes))
      return [...before].every(([path, held]) => readFileSync(path).equals(held))
    })
  })
}

test('a range of a damaged row is right too', async () => {
  const bytes = seededBytes('range', SIZE)
  await store.upload(alice, { name: 'range', source: streamed(bytes) })
  for (const path of partFiles(3)) flipBit(path, 7 * STRIDE + 1)
  const [from, to] = [7 * ROW - 10, 8 * ROW + 10]
  const choose = () => [{ from, to }]
  const { content } = await store.download(alice, { name: 'range', choose })
  assert.ok((await gathered(content)).equals(bytes.subarray(from, to + 1)))
})
