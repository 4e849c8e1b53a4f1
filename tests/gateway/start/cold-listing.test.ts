// A gateway that never listed many files asks one node for them, and the others whether they have
// the same; where they do not, it hears of each difference.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { newVersion } from '@fourfold/storage-node/protocol'
import { fileIdOf } from '../../../gateway/dfs/keys.ts'
import { openCatalog } from '../../../storage-node/catalog.ts'
import { createEntryTable, type EntryTable } from '../../../storage-node/entry-table.ts'
import { fillCatalogs, nameOfFile } from '../../bench/catalogs.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { WireClient } from '../../support/wire-client.ts'
import { call, PASSWORD, USER } from '../http/client.ts'

const FILE_COUNT = 5000
/** What an entry takes in a page without its description. */
const BRIEF_BYTES = 35

let cluster: TestCluster
let nameKey: Parameters<typeof fileIdOf>[0]

before(async () => {
  cluster = await startCluster()
  await cluster.addUser(USER, PASSWORD)
  const store = await cluster.store()
  const identity = await store.signIn({ user: USER, password: PASSWORD, address: 'test' })
  nameKey = identity.nameKey
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGTERM')))
  const folders = cluster.nodes.map(({ folder }) => folder)
  await fillCatalogs(folders, [{ identity, fileCount: FILE_COUNT }])
  // Nodes without peers: what differs stays so.
  const conf = await readFile(cluster.dfsConfFile, 'utf8')
  await writeFile(cluster.dfsConfFile, conf.replace(/^peers = .*$/m, ''))
  await Promise.all(cluster.nodes.map((node) => node.start()))
})
after(() => cluster[Symbol.asyncDispose]())

/** What each node has sent since it started. */
function sentBytes(): Promise<number[]> {
  const as = { by: 'cluster', user: '', key: cluster.clusterKey } as const
  return Promise.all(
    cluster.nodes.map(async ({ port }) => {
      await using client = await WireClient.connect(port)
      return (await client.request('status', {}, { as })).header.sentBytes
    }),
  )
}

interface Row {
  name: string
  copies: number
  state: string
}

async function listed(): Promise<Row[]> {
  const { json } = await call(`${await cluster.startGateway()}/files?limit=10000`)
  await cluster.gateways.at(-1)!.kill('SIGKILL')
  return json.files
}

/** Changes what node DFS`number` has, behind its back. */
async function change(number: number, apply: (table: EntryTable) => void): Promise<void> {
  const node = cluster.nodes[number - 1]!
  await node.kill('SIGTERM')
  const catalog = openCatalog(`${node.folder}/catalog.sqlite`)
  const table = createEntryTable(catalog)
  await catalog.write(() => apply(table))
  catalog.close()
  await node.start()
}

const idOf = (name: string) => fileIdOf(nameKey, name)

test('nodes that have the same are not asked for it again', async () => {
  const before = await sentBytes()
  const rows = await listed()
  assert.equal(rows.length, FILE_COUNT)
  assert.ok(rows.every(({ copies, state }) => copies === 255 && state === 'complete'))
  const sent = (await sentBytes()).map((bytes, node) => bytes - before[node]!)
  const long = sent.filter((bytes) => bytes > FILE_COUNT * BRIEF_BYTES)
  assert.equal(long.length, 1, `sent by the nodes: ${sent.join(', ')}`)
})

test('each difference between nodes is heard of, whichever node has it', async () => {
  const [lacking, unknown, deleted] = [10, 2000, 4000].map(nameOfFile) as [string, string, string]
  await change(2, (table) => {
    const [row] = table.rowsOf(USER, idOf(lacking))
    table.losePart(row!, row!.parts & 1 ? 1 : 3)
  })
  await change(3, (table) => {
    for (const row of table.rowsOf(USER, idOf(unknown))) table.removeRow(row)
  })
  await change(4, (table) => {
    const file = idOf(deleted)
    table.bury({ user: USER, file, version: newVersion(Date.now()) })
  })
  const rows = new Map((await listed()).map((row) => [row.name, row]))
  assert.equal(rows.size, FILE_COUNT - 1)
  assert.ok(!rows.has(deleted))
  const copiesOf = (name: string) => rows.get(name)!.copies.toString(2).replaceAll('0', '').length
  assert.deepEqual([copiesOf(lacking), copiesOf(unknown)], [7, 6])
  const degraded = [...rows.values()].filter(({ state }) => state !== 'complete')
  assert.deepEqual(degraded.map(({ name }) => name).sort(), [lacking, unknown].sort())
})
