// Promises 1 and 2 under kill -9: nodes and gateway die at random instants while people store,
// replace and delete. What was confirmed is there, with any one node away too; what was not is
// there whole or not at all.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { call } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { below, type Random, randomOf, seedFor } from '../support/random.ts'
import { inParallel, whenGatewaySees } from '../support/watching.ts'

const ROUND_COUNT = 6
const NAME_COUNT = 24
/** Changes of a round, each of another name, all at once. */
const CHANGE_COUNT = 16
/** A closed connection tells that a node died; silence may be that of a busy machine. */
const DFC_CONF = 'limits.ping_every_ms = 200\nlimits.ping_timeout_ms = 10000'

/** Contents by their MD5; `absent` where there is no file. */
type Content = string
const ABSENT: Content = 'absent'

/** What each name may hold: one content where the last change was confirmed, else two. */
type Model = Map<string, Content[]>

test('whatever is killed and whenever, confirmed changes stay and others are whole or nothing', {
  timeout: 240_000,
}, async (t) => {
  const random = randomOf(seedFor(t))
  await using cluster = await startCluster({ gateways: 1, dfcConf: DFC_CONF })
  await cluster.addUser('alice', 'correct horse')
  const model: Model = new Map()
  for (let index = 0; index < NAME_COUNT; index++) model.set(`file ${index}`, [ABSENT])

  for (let round = 0; round < ROUND_COUNT; round++) {
    const counts = await changeAndKill(cluster, model, { round, random })
    t.diagnostic(`round ${round}: ${counts}`)
    await checkAll(cluster, model)
  }
  await checkWithEachNodeAway(t, cluster, model)
})

async function changeAndKill(
  cluster: TestCluster,
  model: Model,
  { round, random }: { round: number; random: Random },
): Promise<string> {
  const victims = chooseVictims(round, random)
  const names = [...model.keys()].sort(() => random() - 0.5).slice(0, CHANGE_COUNT)
  // In some rounds the blow falls before the first answer, in others among them or after the last.
  const killAfter = below(CHANGE_COUNT + 1, random)
  let doneCount = 0
  let confirmedCount = 0
  let blow: Promise<unknown> | undefined
  const strikeWhenDue = () => {
    if (doneCount < killAfter || blow !== undefined) return
    blow = Promise.all(victims.map((victim) => kill(cluster, victim)))
  }
  const changes = names.map((name, index) => {
    const size = [10, 5000, 300_000, ROW + 77][below(4, random)]!
    const isDelete = random() < 0.2
    const body = isDelete ? undefined : seededBytes(`${name} ${round} ${index}`, size)
    return change(cluster, name, body).then((isConfirmed) => {
      const content = body === undefined ? ABSENT : md5Hex(body)
      model.set(name, isConfirmed ? [content] : [...model.get(name)!, content])
      doneCount++
      if (isConfirmed) confirmedCount++
      strikeWhenDue()
    })
  })
  strikeWhenDue()
  await Promise.all(changes)
  await blow
  await Promise.all(victims.map((victim) => restart(cluster, victim)))
  await whenGatewaySees(cluster.urls.at(-1)!, [1, 2, 3, 4])
  const who = victims.map((victim) => (victim === 0 ? 'gateway' : `DFS${victim}`)).join('+')
  return `${who} killed after ${killAfter} answers, ${confirmedCount} of ${CHANGE_COUNT} confirmed`
}

/** Numbers of nodes, 0 for the gateway; at least one of them. */
function chooseVictims(round: number, random: Random): number[] {
  if (round === ROUND_COUNT - 1) return [0, 1, 2, 3, 4]
  const chosen = [0, 1, 2, 3, 4].filter(() => random() < 0.4)
  return chosen.length > 0 ? chosen : [below(5, random)]
}

function kill(cluster: TestCluster, victim: number): Promise<void> {
  return victim === 0
    ? cluster.gateways.at(-1)!.kill('SIGKILL')
    : cluster.nodes[victim - 1]!.kill('SIGKILL')
}

async function restart(cluster: TestCluster, victim: number): Promise<void> {
  if (victim === 0) await cluster.startGateway()
  else await cluster.nodes[victim - 1]!.start()
}

function addressOf(cluster: TestCluster, name: string): string {
  return `${cluster.urls.at(-1)}/files/${encodeURIComponent(name)}`
}

/** Whether the change was confirmed; a gateway that dies confirms nothing. */
async function change(cluster: TestCluster, name: string, body?: Buffer): Promise<boolean> {
  const options =
    body === undefined ? { method: 'DELETE' as const } : { method: 'PUT' as const, body }
  try {
    const { status, text } = await call(addressOf(cluster, name), options)
    assert.ok([200, 201, 204, 404].includes(status) || status >= 500, `${status} ${text}`)
    // Nothing to delete: as good as deleted.
    return status < 300 || (status === 404 && body === undefined)
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return false
  }
}

async function checkAll(cluster: TestCluster, model: Model): Promise<void> {
  const listing = await call(`${cluster.urls.at(-1)}/files`)
  assert.equal(listing.status, 200, listing.text)
  const listed = new Map<string, { md5: string; state: string }>()
  for (const file of listing.json.files) listed.set(file.name, file)
  await inParallel([...model.keys()], 8, async (name) => {
    const answer = await call(addressOf(cluster, name))
    assert.ok(answer.status === 200 || answer.status === 404, `${name}: ${answer.text}`)
    const content = answer.status === 404 ? ABSENT : md5Hex(answer.body)
    const possible = model.get(name)!
    assert.ok(possible.includes(content), `${name} is ${content}, not one of ${possible}`)
    assert.equal(listed.get(name)?.md5 ?? ABSENT, content, `${name} is listed as it is fetched`)
    assert.notEqual(listed.get(name)?.state, 'insufficient')
    // What was seen once must stay.
    model.set(name, [content])
  })
}

async function checkWithEachNodeAway(
  t: TestContext,
  cluster: TestCluster,
  model: Model,
): Promise<void> {
  for (const number of [1, 2, 3, 4]) {
    await cluster.nodes[number - 1]!.kill('SIGKILL')
    const live = [1, 2, 3, 4].filter((other) => other !== number)
    await whenGatewaySees(cluster.urls.at(-1)!, live)
    await checkAll(cluster, model)
    await cluster.nodes[number - 1]!.start()
    await whenGatewaySees(cluster.urls.at(-1)!, [1, 2, 3, 4])
  }
  const stored = [...model.values()].filter(([content]) => content !== ABSENT).length
  t.diagnostic(`${stored} files open with any one node away`)
}
