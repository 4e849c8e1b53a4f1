// A node that answers and is merely slow: to begin, in mid-stream, or to look a file up. Its twin
// takes over long before any limit would call it dead, and asking twice costs little.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { request } from 'undici'
import { BASIC, call } from '../gateway/http/client.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { ROW, seededBytes } from '../support/content.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { nodeStatus, whenGatewaySees } from '../support/watching.ts'

/** What would end a transfer with a node that is stuck, and what a slow one may cost at most. */
const DEAD_MS = 60_000
const LIMIT_MS = 20_000
const CONF = [
  'accounts.rounds = 4096',
  'limits.slow_ms = 200',
  `limits.connect_timeout_ms = ${DEAD_MS}`,
  `limits.request_timeout_ms = ${DEAD_MS}`,
  `limits.stall_timeout_ms = ${DEAD_MS}`,
  `limits.ping_timeout_ms = ${DEAD_MS}`,
]
const LARGE = seededBytes('slow node', 12 * ROW + 5)
const SEALED_BYTES = LARGE.length + 13 * 16

let cluster: TestCluster
let relays: Relay[]
let url: string

before(async () => {
  cluster = await startCluster()
  await cluster.addUser('alice', 'correct horse')
  relays = await Promise.all(cluster.nodes.map((node) => startRelay(() => node.port)))
  const addresses = relays.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')
  const confFile = join(cluster.folder, 'slow.conf')
  const lines = [...CONF, `nodes = [${addresses}]`, 'cluster_key_file = "cluster.key"']
  await writeFile(confFile, lines.join('\n'))
  url = await cluster.startGateway(confFile)
  await whenGatewaySees(url, [1, 2, 3, 4])
  for (const [name, body] of [['large', LARGE] as const, ['small', Buffer.from('small')] as const])
    assert.equal((await call(`${url}/files/${name}`, { method: 'PUT', body })).status, 201)
})

afterEach(() => {
  for (const relay of relays) relay.become({ kind: 'fair' })
})

after(async () => {
  await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()))
  await cluster[Symbol.asyncDispose]()
})

async function sentBytes(): Promise<number> {
  const all = await Promise.all([1, 2, 3, 4].map((number) => nodeStatus(cluster, number)))
  return all.reduce((sum, { pieceBytesSent }) => sum + pieceBytesSent, 0)
}

/** Reads a file; `onBegin` is called at its first bytes. */
async function download(name: string, onBegin = () => {}): Promise<{ body: Buffer; ms: number }> {
  const startMs = performance.now()
  const headers = { authorization: BASIC }
  const { statusCode, body } = await request(`${url}/files/${name}`, { headers })
  assert.equal(statusCode, 200)
  const parts: Buffer[] = []
  for await (const part of body) {
    if (parts.length === 0) onBegin()
    parts.push(part as Buffer)
  }
  return { body: Buffer.concat(parts), ms: performance.now() - startMs }
}

for (const number of [1, 2, 3, 4]) {
  test(`a download does not wait for DFS${number}, which is slow to begin`, async (t) => {
    relays[number - 1]!.become({ kind: 'late', delayMs: DEAD_MS / 2 })
    for (const [name, bytes] of [
      ['large', LARGE] as const,
      ['small', Buffer.from('small')] as const,
    ]) {
      const before = await sentBytes()
      const { body, ms } = await download(name)
      const moved = (await sentBytes()) - before
      t.diagnostic(`${name}: ${Math.round(ms)} ms, ${moved} bytes of pieces`)
      assert.ok(body.equals(bytes))
      assert.ok(ms < LIMIT_MS, `${ms}`)
      // What the slow node had on its way before it was given up.
      assert.ok(moved < SEALED_BYTES + 8 * ROW, `${moved}`)
    }
  })
}

test('a node that comes to a crawl in mid-stream is replaced at the byte', async (t) => {
  for (const relay of relays) {
    const crawl = () => relay.become({ kind: 'slow', bytesPerSecond: 2000 })
    const { body, ms } = await download('large', crawl)
    relay.become({ kind: 'fair' })
    t.diagnostic(`${Math.round(ms)} ms`)
    assert.ok(body.equals(LARGE))
    assert.ok(ms < LIMIT_MS, `${ms}`)
  }
})

test('where all nodes are as slow as each other, hardly anything is asked for twice', async (t) => {
  for (const relay of relays) relay.become({ kind: 'late', delayMs: 250 })
  const before = await sentBytes()
  const count = 24
  // Small enough for a piece to come in one go.
  const ranges = Array.from({ length: count }, async (_, index) => {
    const from = (index % 12) * ROW
    const answer = await call(`${url}/files/large`, {
      headers: { range: `bytes=${from}-${from + 9}` },
    })
    assert.ok(answer.body.equals(LARGE.subarray(from, from + 10)))
  })
  await Promise.all(ranges)
  const moved = (await sentBytes()) - before
  const needed = count * (ROW + 16)
  t.diagnostic(`${moved} bytes for ${needed}`)
  assert.ok(moved <= needed * 1.1 + 17 * (ROW / 4 + 4), `${moved} for ${needed}`)
})
