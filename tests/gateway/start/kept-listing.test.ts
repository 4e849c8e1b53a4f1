// A gateway that starts again lists many files from what it kept, and what changed meanwhile too.
import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fillCatalogs } from '../../bench/catalogs.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { keptListing } from '../../support/watching.ts'
import { call, PASSWORD, USER } from '../http/client.ts'

/** Fewer are not kept. */
const FILE_COUNT = 6000
const KEPT_WITHIN_MS = 10_000

let cluster: TestCluster
let data: string

before(async () => {
  cluster = await startCluster()
  data = join(cluster.folder, 'gateway')
  await cluster.addUser(USER, PASSWORD)
  const store = await cluster.store()
  const identity = await store.signIn({ user: USER, password: PASSWORD, address: 'test' })
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGTERM')))
  const folders = cluster.nodes.map(({ folder }) => folder)
  await fillCatalogs(folders, [{ identity, fileCount: FILE_COUNT }])
  await Promise.all(cluster.nodes.map((node) => node.start()))
})
after(() => cluster[Symbol.asyncDispose]())

test('what was listed is kept, used and brought up to date', async () => {
  const first = await cluster.startGateway(undefined, data)
  const before = await call(`${first}/files?limit=10000`)
  assert.equal(before.json.files.length, FILE_COUNT)
  const file = await keptListing(data, KEPT_WITHIN_MS)
  const { mtimeMs } = await stat(file)
  await call(`${first}/files/new`, { method: 'PUT', body: 'new' })
  const [{ name: old }] = before.json.files
  const path = `/files/${old.split('/').map(encodeURIComponent).join('/')}`
  assert.equal((await call(`${first}${path}`, { method: 'DELETE' })).status, 204)
  await cluster.gateways.at(-1)!.kill('SIGKILL')

  const again = await cluster.startGateway(undefined, data)
  const { json } = await call(`${again}/files?limit=10000`)
  const names = (files: { name: string }[]) => files.map(({ name }) => name)
  const expected = [...names(before.json.files).filter((name) => name !== old), 'new'].sort()
  assert.deepEqual(names(json.files), expected)
  // Read, not written anew: so little has changed.
  const { birthtimeMs, mtimeMs: usedMs } = await stat(file)
  assert.ok(usedMs > mtimeMs && birthtimeMs <= mtimeMs)
})
