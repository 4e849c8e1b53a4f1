// `dfc put` of a long file that breaks off, and goes on where it was.
import assert from 'node:assert/strict'
import { readdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { putKept } from '../../../gateway/dfc/put-kept.ts'
import type { Identity } from '../../../gateway/dfs/identity.ts'
import type { Store } from '../../../gateway/dfs/store.ts'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { gathered, ROW, seededBytes, streamed } from '../../support/content.ts'
import { ended, runDfc, startDfc } from './run-dfc.ts'

const ALICE = { DFC_USER: 'alice', DFC_PASSWORD: 'wonderland' }
const SIZE_BYTES = 48 * ROW + 17

let cluster: TestCluster
let store: Store
let identity: Identity

before(async () => {
  cluster = await startCluster()
  await cluster.addUser('alice', 'wonderland')
  store = await cluster.store()
  identity = await store.signIn({ user: 'alice', password: 'wonderland', address: 'test' })
})
after(() => cluster[Symbol.asyncDispose]())

/** A put that is stopped by Ctrl-C when some of it is on the nodes' disks. */
async function broken(file: string): Promise<number> {
  const child = startDfc([cluster.dfcConfFile, 'put', file], { env: ALICE, cwd: cluster.folder })
  const staging = join(cluster.nodes[0]!.folder, 'staging')
  while (child.exitCode === null && readdirSync(staging).length === 0) {
    await new Promise(setImmediate)
  }
  child.kill('SIGINT')
  assert.equal(await ended(child), 130)
  const [upload] = await store.uploads.list(identity)
  return upload!.offsetBytes
}

const dfc = async (...args: string[]) => {
  const { code, out, err } = await runDfc([cluster.dfcConfFile, ...args], {
    env: ALICE,
    cwd: cluster.folder,
  })
  return { code, out: out.toString(), err }
}

test('a put that broke off goes on where it was, says so, and the file is right', async () => {
  const bytes = seededBytes('dfc resume', SIZE_BYTES)
  writeFileSync(join(cluster.folder, 'long.bin'), bytes)
  const offset = await broken('long.bin')
  assert.ok(offset < SIZE_BYTES)
  const { code, out, err } = await dfc('put', 'long.bin')
  assert.equal(code, 0, err)
  if (offset > 0) assert.match(err, /long\.bin: goes on where it broke off, at /)
  assert.match(out, /long\.bin: .*on all four nodes/)
  const { content } = await store.download(identity, { name: 'long.bin' })
  assert.ok((await gathered(content)).equals(bytes))
  assert.deepEqual(await store.uploads.list(identity), [])
})

test('a file that changed since begins anew, also where size and time say that it did not', async () => {
  const path = join(cluster.folder, 'changing.bin')
  const time = new Date(1_700_000_000_000)
  writeFileSync(path, seededBytes('before', SIZE_BYTES))
  utimesSync(path, time, time)
  await broken('changing.bin')
  const bytes = seededBytes('after', SIZE_BYTES)
  writeFileSync(path, bytes)
  utimesSync(path, time, time)
  assert.equal((await dfc('put', 'changing.bin')).code, 0)
  const { content } = await store.download(identity, { name: 'changing.bin' })
  assert.ok((await gathered(content)).equals(bytes))
  await broken('changing.bin')
  truncateSync(path, 20 * ROW)
  const { code, err } = await dfc('put', 'changing.bin', '--anew')
  assert.deepEqual([code, err], [0, ''])
  assert.deepEqual(await store.uploads.list(identity), [])
  const staged = cluster.nodes.flatMap(({ folder }) => readdirSync(join(folder, 'staging')))
  assert.deepEqual(staged, [])
})

test('a file that becomes shorter while it is sent is not taken for stored', async () => {
  const name = 'shrinking.log'
  const path = join(cluster.folder, name)
  await store.upload(identity, { name, source: streamed(Buffer.from('the one before')) })
  writeFileSync(path, seededBytes(name, 2 * ROW))
  const put = putKept({
    ...{ store, identity, name, path, sizeBytes: 3 * ROW, modifiedMs: 1, mayResume: true },
    progress: { update() {}, [Symbol.dispose]() {} },
    ...{ signal: AbortSignal.timeout(60_000), async onResume() {} },
  })
  await assert.rejects(put, { code: 'LENGTH_MISMATCH', message: /became shorter/ })
  const { content } = await store.download(identity, { name })
  assert.equal((await gathered(content)).toString(), 'the one before')
})
