// Two gateways on the same nodes, which do not know of each other: conditional writes cannot both
// win, of plain ones the last wins on all nodes, and who reads an old version reads it to its end.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { request } from 'undici'
import { audit } from '../faults/audit.ts'
import { BASIC, basic, call, type Reply } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { md5Hex, ROW, seededBytes } from '../support/content.ts'
import { nodeStatus, whenGatewaySees } from '../support/watching.ts'

const SETTLE_MS = 30_000
/** In the catalog, in files, and of many rows. */
const SIZES = [1000, 300_000, 3 * ROW + 5]

let cluster: TestCluster
let one: string
let two: string

before(async () => {
  // Only the gateways decide: the nodes among themselves would do so much later.
  cluster = await startCluster({ gateways: 2 })
  await cluster.addUser('alice', 'correct horse')
  ;[one, two] = cluster.urls as [string, string]
  for (const url of cluster.urls) await whenGatewaySees(url, [1, 2, 3, 4])
})

after(() => cluster?.[Symbol.asyncDispose]())

function put(
  url: string,
  name: string,
  { body, ...headers }: { body: Buffer } & Record<string, string | Buffer>,
): Promise<Reply> {
  const conditions = headers as Record<string, string>
  return call(`${url}/files/${name}`, { method: 'PUT', body, headers: conditions })
}

async function etagOf(url: string, name: string): Promise<string> {
  const answer = await call(`${url}/files/${name}`)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.etag, `"${md5Hex(answer.body)}"`)
  return answer.headers.etag!
}

/** Both at once, then what both show: the winner's, where there is one. Answers who won. */
async function race(name: string, bodies: [Buffer, Buffer], condition: Record<string, string>) {
  const replies = await Promise.all([
    put(one, name, { body: bodies[0], ...condition }),
    put(two, name, { body: bodies[1], ...condition }),
  ])
  const winners = replies.flatMap(({ status }, index) => (status < 300 ? [index] : []))
  for (const { status, json } of replies) {
    assert.ok(status < 300 || json.code === 'PRECONDITION_FAILED', JSON.stringify(json))
  }
  assert.ok(winners.length <= 1, `both won ${name}`)
  return winners[0]
}

test('a password that one gateway changed is at once the only one at the other, which knew the old', async () => {
  const [first, second] = ['first password', 'second password']
  await cluster.addUser('erin', first)
  const change = (current: string, next: string) =>
    call(`${one}/account/password`, {
      ...{ method: 'POST', authorization: basic('erin', current) },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ current, next }),
    })
  const signIn = (password: string) =>
    call(`${two}/session`, {
      ...{ method: 'POST', authorization: null },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user: 'erin', password }),
    })
  const listNodes = (password: string) =>
    call(`${two}/nodes`, { authorization: basic('erin', password) })
  assert.equal((await signIn(first)).status, 200)
  assert.equal((await listNodes(first)).status, 200)
  assert.equal((await change(first, second)).status, 204)
  assert.equal((await listNodes(first)).status, 401)
  assert.equal((await signIn(second)).status, 200)
  assert.equal((await change(second, first)).status, 204)
  // Remembered and refused: what it was before the changes is asked anew.
  assert.equal((await signIn(second)).status, 401)
  const { status, headers } = await signIn(first)
  assert.equal(status, 200)
  const cookie = headers['set-cookie']!.toString().split(';')[0]!
  assert.equal(
    (await call(`${two}/files`, { authorization: null, headers: { cookie } })).status,
    200,
  )
})

test('of two gateways that create the same name one wins at most, and both show that', async (t) => {
  let wins = 0
  for (const [index, size] of [...SIZES, ...SIZES, ...SIZES].entries()) {
    const name = `created-${index}`
    const bodies = [0, 1].map((who) => seededBytes(`${name} ${who}`, size)) as [Buffer, Buffer]
    const winner = await race(name, bodies, { 'if-none-match': '*' })
    if (winner === undefined) {
      assert.equal((await call(`${one}/files/${name}`)).status, 404)
      continue
    }
    wins++
    for (const url of [one, two]) {
      assert.equal(await etagOf(url, name), `"${md5Hex(bodies[winner]!)}"`)
    }
  }
  t.diagnostic(`${wins} of ${3 * SIZES.length} races had a winner`)
  assert.ok(wins > 0)
})

test('of two gateways that replace the same version one wins at most', async (t) => {
  let wins = 0
  for (const size of SIZES) {
    const name = `replaced-${size}`
    assert.equal((await put(one, name, { body: seededBytes(name, size) })).status, 201)
    for (let round = 0; round < 3; round++) {
      const before = await etagOf(round % 2 === 0 ? one : two, name)
      const bodies = [0, 1].map((who) => seededBytes(`${name} ${round} ${who}`, size))
      const winner = await race(name, bodies as [Buffer, Buffer], { 'if-match': before })
      const expected = winner === undefined ? before : `"${md5Hex(bodies[winner]!)}"`
      for (const url of [one, two]) assert.equal(await etagOf(url, name), expected)
      if (winner !== undefined) wins++
    }
  }
  t.diagnostic(`${wins} of ${3 * SIZES.length} races had a winner`)
  assert.ok(wins > 0)
})

test('a write that began after another was answered replaces it, through whichever gateway', async () => {
  for (let round = 0; round < 6; round++) {
    const body = seededBytes(`turns ${round}`, SIZES[round % SIZES.length]!)
    assert.ok((await put(round % 2 === 0 ? one : two, 'turns', { body })).status < 300)
    for (const url of [one, two]) assert.equal(await etagOf(url, 'turns'), `"${md5Hex(body)}"`)
  }
})

test('who reads a version reads it to its end while another gateway replaces and deletes it', async () => {
  const old = seededBytes('read on', 24 * ROW)
  assert.equal((await put(one, 'read-on', { body: old })).status, 201)
  const { body } = await request(`${one}/files/read-on`, { headers: { authorization: BASIC } })
  const parts: Buffer[] = []
  for await (const part of body) {
    if (parts.length === 0) {
      assert.equal((await put(two, 'read-on', { body: Buffer.from('new') })).status, 200)
      assert.equal((await call(`${two}/files/read-on`)).text, 'new')
      const deleted = await call(`${two}/files/read-on`, { method: 'DELETE' })
      assert.equal(deleted.status, 204)
    }
    parts.push(part as Buffer)
  }
  assert.ok(Buffer.concat(parts).equals(old))
  for (const url of [one, two]) assert.equal((await call(`${url}/files/read-on`)).status, 404)
})

test('after many overwrites of one name at once all four nodes hold the same version', async () => {
  const bodies = Array.from({ length: 12 }, (_, index) => {
    return seededBytes(`crowd ${index}`, SIZES[index % SIZES.length]!)
  })
  const replies = await Promise.all(
    bodies.map((body, index) => put(index % 2 === 0 ? one : two, 'crowd', { body })),
  )
  const won = replies.filter(({ status }) => status < 300)
  assert.ok(won.length > 0)
  for (const { status, text } of replies) assert.ok(status < 300 || status === 503, text)
  const etag = await etagOf(one, 'crowd')
  assert.equal(await etagOf(two, 'crowd'), etag)
  const written = bodies.filter((_, index) => replies[index]!.status < 300).map(md5Hex)
  assert.ok(written.includes(etag.replaceAll('"', '')))
  await untilDecided()
  await Promise.all(cluster.nodes.map((node) => node.kill('SIGTERM')))
  assert.deepEqual(audit(cluster.nodes.map(({ folder }) => folder)), [])
})

async function untilDecided(): Promise<void> {
  const deadlineMs = performance.now() + SETTLE_MS
  for (;;) {
    const all = await Promise.all([1, 2, 3, 4].map((number) => nodeStatus(cluster, number)))
    if (all.every(({ undecided }) => undecided === 0)) return
    assert.ok(performance.now() < deadlineMs, 'versions are left undecided')
    await wait(50)
  }
}
