// Renaming while others read, and while processes die: one of the two names opens at every moment,
// who reads under the old name reads to the end, and in the end there is one name and all bytes.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { request } from 'undici'
import { BASIC, call } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { below, randomOf, seedFor } from '../support/random.ts'
import { until } from '../support/ring.ts'
import { inParallel, whenGatewaySees } from '../support/watching.ts'

const ALL = [1, 2, 3, 4]
const ROUND_COUNT = 4
const FILE_COUNT = 8
/** A closed connection tells that a node died; silence may be that of a busy machine. */
const DFC_CONF = 'limits.ping_every_ms = 200\nlimits.ping_timeout_ms = 10000'
const DFS_CONF = 'settle.grace_ms = 500\nrepair.look_every_ms = 100'

function rename(url: string, name: string, to: string) {
  return call(`${url}/files/${name}`, {
    method: 'PATCH',
    body: JSON.stringify({ name: to }),
    headers: { 'content-type': 'application/json' },
  })
}

test('one of both names opens at every moment of a rename', async () => {
  await using cluster = await startCluster({ gateways: 2 })
  await cluster.addUser('alice', 'correct horse')
  const [url, other] = cluster.urls as [string, string]
  for (const size of [1000, 300_000]) {
    const body = seededBytes(`read ${size}`, size)
    await call(`${url}/files/${size}-0`, { method: 'PUT', body })
    for (let step = 0; step < 6; step++) {
      const [from, to] = [`${size}-${step}`, `${size}-${step + 1}`]
      let isDone = false
      const watch = async (at: string) => {
        while (!isDone) {
          // In this order: a name that is gone here has become the other one before.
          const old = await call(`${at}/files/${from}`)
          const found = old.status === 404 ? await call(`${at}/files/${to}`) : old
          assert.equal(found.status, 200, `${from} is ${old.status}, ${to} ${found.status}`)
          assert.equal(md5Hex(found.body), md5Hex(body))
        }
      }
      const watching = Promise.all([watch(url), watch(other)])
      const answer = await rename(url, from, to)
      isDone = true
      await watching
      assert.equal(answer.status, 200, answer.text)
      assert.equal((await call(`${other}/files/${from}`)).status, 404)
      assert.equal((await call(`${other}/files/${to}`)).status, 200)
    }
  }
})

test('who reads under the old name reads to the end', async () => {
  await using cluster = await startCluster({ gateways: 1 })
  await cluster.addUser('alice', 'correct horse')
  const url = cluster.urls[0]!
  const body = seededBytes('long', 48 * ROW + 5)
  await call(`${url}/files/long`, { method: 'PUT', body })
  const answer = await request(`${url}/files/long`, { headers: { authorization: BASIC } })
  const hash = createHash('md5')
  let renamed: number | undefined
  for await (const bytes of answer.body) {
    hash.update(bytes)
    // The rest is more than what sockets hold: it is read after the rename.
    renamed ??= (await rename(url, 'long', 'longer')).status
  }
  assert.equal(renamed, 200)
  assert.equal(hash.digest('hex'), md5Hex(body))
  assert.equal((await call(`${url}/files/long`)).status, 404)
})

test('whatever is killed during renames, each file has one name in the end, and all its bytes', {
  timeout: 180_000,
}, async (t) => {
  const random = randomOf(seedFor(t))
  await using cluster = await startCluster({ gateways: 1, dfcConf: DFC_CONF, dfsConf: DFS_CONF })
  await cluster.addUser('alice', 'correct horse')
  const files = Array.from({ length: FILE_COUNT }, (_, index) => ({
    body: seededBytes(`file ${index}`, [10, 5000, 300_000, ROW + 77][index % 4]!),
    name: `file-${index}`,
  }))
  await inParallel(files, 4, async ({ name, body }) => {
    await call(`${cluster.urls[0]}/files/${name}`, { method: 'PUT', body })
  })
  for (let round = 0; round < ROUND_COUNT; round++) {
    // In each round another node, or the gateway, dies when some of the renames are answered.
    const victim = below(5, random)
    const killAfter = below(FILE_COUNT, random)
    let answeredCount = 0
    let blow: Promise<void> | undefined
    const strike = () => {
      if (answeredCount >= killAfter) blow ??= kill(cluster, victim)
    }
    const url = cluster.urls.at(-1)!
    const outcomes = files.map(async (file) => {
      const to = `${file.name}-${round}`
      const status = await rename(url, file.name, to).then(
        (answer) => answer.status,
        () => 0,
      )
      answeredCount++
      strike()
      return { file, to, isConfirmed: status === 200 }
    })
    strike()
    const told = await Promise.all(outcomes)
    await blow
    await restart(cluster, victim)
    await whenGatewaySees(cluster.urls.at(-1)!, ALL)
    const confirmed = told.filter(({ isConfirmed }) => isConfirmed).length
    t.diagnostic(`${victim === 0 ? 'gateway' : `DFS${victim}`} killed, ${confirmed} confirmed`)
    await inParallel(told, 4, async ({ file, to, isConfirmed }) => {
      file.name = await settledName(cluster.urls.at(-1)!, { ...file, to, isConfirmed })
    })
  }
})

/** The one name of a file, once the nodes have decided; until then at least one opens. */
async function settledName(
  url: string,
  file: { name: string; to: string; body: Buffer; isConfirmed: boolean },
): Promise<string> {
  const { name, to, body, isConfirmed } = file
  let found: string[] = []
  const lost: string[] = []
  await until(`${name} or ${to} is decided`, async () => {
    const listing = await call(`${url}/files?prefix=${name}`)
    found = listing.json.files.map((one: { name: string }) => one.name)
    if (found.length === 0) lost.push(listing.text)
    return found.length === 1
  })
  assert.deepEqual(lost, [], 'no moment without a name')
  if (isConfirmed) assert.deepEqual(found, [to])
  const answer = await call(`${url}/files/${found[0]}`)
  assert.equal(answer.status, 200, answer.text.slice(0, 200))
  assert.equal(md5Hex(answer.body), md5Hex(body))
  return found[0]!
}

function kill(cluster: TestCluster, victim: number): Promise<void> {
  const dying = victim === 0 ? cluster.gateways.at(-1)! : cluster.nodes[victim - 1]!
  return dying.kill('SIGKILL')
}

async function restart(cluster: TestCluster, victim: number): Promise<void> {
  if (victim === 0) await cluster.startGateway()
  else await cluster.nodes[victim - 1]!.start()
}
