// What people are told while a node fills itself: copies, bytes and an estimate, over HTTP and by
// dfc; at the end a statement in its log, of what could not be brought back too.
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { runDfc } from '../gateway/dfc/run-dfc.ts'
import { call } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { partFiles, until } from '../support/ring.ts'
import { scrubNode, whenGatewaySees } from '../support/watching.ts'

/** The node that loses its folder. */
const LOSER = 3
/** Of the file's half that it gets back, enough for people to look meanwhile. */
const CONF = 'repair.look_every_ms = 200\nrepair.bytes_per_second = 500000'
const ROWS = 16
const FILE = seededBytes('repair told', ROWS * ROW)
/** Of two parts: half of all sealed rows. */
const NEEDED_BYTES = (ROWS * (ROW + 16)) / 2

let cluster: TestCluster
let url: string

before(async () => {
  cluster = await startCluster({ gateways: 1, dfsConf: CONF })
  await cluster.addUser('alice', 'correct horse')
  url = cluster.urls[0]!
  await whenGatewaySees(url, [1, 2, 3, 4])
  assert.equal((await call(`${url}/files/file`, { method: 'PUT', body: FILE })).status, 201)
})

after(() => cluster?.[Symbol.asyncDispose]())

async function repairOf(number: number) {
  const { json } = await call(`${url}/nodes`)
  return json.nodes[number - 1].repair
}

async function dfcNodes(): Promise<string> {
  const { code, out, err } = await runDfc([cluster.dfcConfFile, 'nodes'], { cwd: cluster.folder })
  assert.equal(code, 0, err)
  return out.toString()
}

test('how far a repair is, and at its end that nothing is missing, is told', async (t) => {
  const node = cluster.nodes[LOSER - 1]!
  await node.kill()
  rmSync(node.folder, { recursive: true })
  await node.start()
  await until('a repair with an estimate is told', async () => {
    const repair = await repairOf(LOSER)
    return repair?.state === 'running' && repair.total === 2 && repair.secondsLeft > 0
  })
  const early = await repairOf(LOSER)
  assert.ok(early.done < 2 && early.started !== undefined && early.finished === undefined)
  // What has come of a part that is not whole counts, and the total stays what it is.
  assert.ok(early.doneBytes > 0 && early.doneBytes < early.totalBytes, `${early.doneBytes}`)
  assert.ok(Math.abs(early.totalBytes / NEEDED_BYTES - 1) < 0.1, `${early.totalBytes}`)
  const text = await dfcNodes()
  t.diagnostic(/DFS3 repair: .*/.exec(text)?.[0] ?? text)
  assert.match(text, /DFS3 repair: [01] of 2 copies, .* of about .*, about .* left/)
  // A reader meanwhile gets all of it: what the node lacks its twin has.
  assert.equal(md5Hex((await call(`${url}/files/file`)).body), md5Hex(FILE))

  await until('the repair is over', async () => (await repairOf(LOSER)).state === 'idle')
  const end = await repairOf(LOSER)
  assert.deepEqual([end.done, end.total, end.unrepairable], [2, 2, 0])
  assert.deepEqual([end.doneBytes, end.totalBytes], [NEEDED_BYTES, NEEDED_BYTES])
  assert.match(await dfcNodes(), /DFS3 repair: done .*, 2 copies, /)
  await node.process.waitFor(/Repair is done: nothing is missing\. parts=2 /)
})

test('what cannot be brought back is counted, and the final statement says so', async () => {
  const node = cluster.nodes[LOSER - 1]!
  const twin = cluster.nodes[LOSER % 4]!
  const mine = partFiles(node.folder)
  const shared = [...partFiles(twin.folder).keys()].find((path) => mine.has(path))!
  for (const { folder } of [node, twin]) rmSync(`${folder}/parts/${shared}`)
  await scrubNode(cluster, LOSER)
  await until('the copy is told as lost', async () => (await repairOf(LOSER)).unrepairable === 1)
  await node.process.waitFor(/Repair is done: some parts are lost on both of their nodes\. .*lost/)
  assert.match(await dfcNodes(), /DFS3 repair: .*1 copy cannot be brought back/)
})
