// dfc fsck and dfc scrub: every copy is read, what is wrong is named, and the exit code says so.
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../support/cluster.ts'
import { ROW, seededBytes, streamed } from '../../support/content.ts'
import { partFiles, until } from '../../support/ring.ts'
import { nodeStatus } from '../../support/watching.ts'
import { runDfc } from './run-dfc.ts'

/** Two of them in part files. */
const SIZES = [0, 5, 100_000, ROW, 2 * ROW + 7]

let cluster: TestCluster

before(async () => {
  cluster = await startCluster({ dfsConf: 'repair.look_every_ms = 100' })
  await cluster.addUser('alice', 'wonderland')
  const store = await cluster.store()
  const alice = await store.signIn({ user: 'alice', password: 'wonderland', address: 'test' })
  for (const size of SIZES) {
    await store.upload(alice, { name: `${size}`, source: streamed(seededBytes(`${size}`, size)) })
  }
})

after(() => cluster?.[Symbol.asyncDispose]())

async function dfc(...args: string[]) {
  const env = { DFC_USER: 'alice', DFC_PASSWORD: 'wonderland' }
  const { code, out, err } = await runDfc([cluster.dfcConfFile, ...args], {
    env,
    cwd: cluster.folder,
  })
  return { code, out: out.toString(), err }
}

const pathsOf = (number: number) => {
  const { folder } = cluster.nodes[number - 1]!
  return [...partFiles(folder).keys()].map((path) => `${folder}/parts/${path}`)
}

const isRepaired = async () => {
  for (const { number } of cluster.nodes) {
    const { repair } = await nodeStatus(cluster, number)
    if (repair.missingParts > 0 || !repair.isCurrent) return false
  }
  return true
}

test('where all copies are whole, fsck says so of every file and ends with 0', async () => {
  const { code, out, err } = await dfc('fsck')
  assert.equal(code, 0, err)
  assert.equal(out.match(/^8 of 8 .* whole /gm)?.length, SIZES.length)
  assert.match(out, /^5 files, .* read: 5 whole\.$/m)
  const all = await dfc('fsck', '--all', '--json')
  assert.equal(all.code, 0, all.err)
  const checks = all.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.equal(checks.length, SIZES.length)
  for (const check of checks) {
    assert.deepEqual([check.user, check.copies, check.verdict], ['alice', 8, 'whole'])
    assert.equal('name' in check, false)
  }
})

test('a damaged and a missing copy are named, and mended because they were met', async () => {
  const [path] = pathsOf(2)
  const bytes = readFileSync(path!)
  const broken = Buffer.from(bytes)
  broken[broken.length >> 1]! ^= 1
  writeFileSync(path!, broken)
  const [gone] = pathsOf(4)
  rmSync(gone!)
  const { code, out, err } = await dfc('fsck', '--quiet')
  assert.equal(code, 1)
  assert.match(out, /being repaired .*part \d on DFS2 is damaged/)
  assert.match(out, /being repaired .*part \d on DFS4 is missing/)
  assert.match(err, /not all copies are whole; none is lost/)
  await until('both are back', isRepaired)
  assert.ok(readFileSync(path!).equals(bytes))
  assert.equal((await dfc('fsck', '--all', '--quiet')).code, 0)
})

test('a node that is down leaves copies unread, and that is no success', async () => {
  await cluster.nodes[0]!.kill()
  const { code, out, err } = await dfc('fsck')
  assert.equal(code, 1)
  assert.equal(out.match(/^6 of 8 .* not all read .* on DFS1 is unreachable/gm)?.length, 5)
  assert.match(err, /not all copies could be read/)
  await cluster.nodes[0]!.start()
  await until('it is back', isRepaired)
})

test('scrub asks the nodes, and nodes tells what came of it', async () => {
  const asked = await dfc('scrub', 'dfs1', 'DFS3')
  assert.equal(asked.code, 0, asked.err)
  assert.match(asked.out, /DFS1 checks all that it holds\.\nDFS3 checks all that it holds\./)
  await until('it is through', async () => {
    const { scrub } = await nodeStatus(cluster, 3)
    return !scrub.isRunning && scrub.last !== undefined
  })
  const { out } = await dfc('nodes')
  assert.match(out, /DFS3 scrub: last pass done \d{4}-\d\d-\d\d \d\d:\d\d, no damage/)
  assert.match(out, /DFS2 repair: done .*1 copy/)
  assert.equal((await dfc('scrub', 'DFS7')).code, 2)
})

test('a file of which both copies of a part are gone is lost, and both ways of fsck say so', async () => {
  const shared = pathsOf(1).find((path) => {
    const [name] = path.split('/').slice(-1)
    return pathsOf(2).some((other) => other.endsWith(name!))
  })!
  const twin = pathsOf(2).find((path) => path.endsWith(shared.split('/').at(-1)!))!
  for (const path of [shared, twin]) rmSync(path)
  for (const args of [['fsck'], ['fsck', '--all']]) {
    const { code, out, err } = await dfc(...args)
    assert.equal(code, 1)
    assert.match(
      out,
      /6 of 8 .* lost .*part (\d) on DFS[12] is missing, part \1 on DFS[12] is miss/,
    )
    assert.match(err, /of 1 file some part has no whole copy/i)
  }
})
