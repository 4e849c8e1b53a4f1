// Nodes that are there and merely have much to write when an upload ends, or whose links break just
// then and are back at once: they are waited for, and nobody is told that the outcome is unknown.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { call } from '../gateway/http/client.ts'
import { startCluster } from '../support/cluster.ts'
import { startRelay } from '../support/relay.ts'
import { whenGatewaySees } from '../support/watching.ts'

const REQUEST_MS = 500
const LATE_MS = 1500
const AWAY_MS = 300

/** A gateway whose links lead through relays. */
async function openCluster(stack: AsyncDisposableStack, limits: readonly string[]) {
  const cluster = stack.use(await startCluster())
  await cluster.addUser('alice', 'correct horse')
  const relays = await Promise.all(cluster.nodes.map((node) => startRelay(() => node.port)))
  for (const relay of relays) stack.use(relay)
  const addresses = relays.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')
  const confFile = join(cluster.folder, 'slow.conf')
  const lines = [
    'accounts.rounds = 4096',
    ...limits,
    `nodes = [${addresses}]`,
    'cluster_key_file = "cluster.key"',
  ]
  await writeFile(confFile, lines.join('\n'))
  const url = await cluster.startGateway(confFile)
  await whenGatewaySees(url, [1, 2, 3, 4])
  const put = (name: string) => call(`${url}/files/${name}`, { method: 'PUT', body: name })
  assert.equal((await put('before')).status, 201)
  return { url, relays, put }
}

test('an upload whose nodes take longer to commit than an answer may take is stored', async () => {
  await using stack = new AsyncDisposableStack()
  const limits = [`limits.request_timeout_ms = ${REQUEST_MS}`, 'limits.ping_timeout_ms = 60000']
  const { url, relays, put } = await openCluster(stack, limits)
  for (const relay of relays) relay.become({ kind: 'late', delayMs: LATE_MS })
  const slow = await put('late')
  assert.equal(slow.status, 201, slow.text)
  for (const relay of relays) relay.become({ kind: 'fair' })
  assert.equal((await call(`${url}/files/late`)).text, 'late')
})

test('an upload whose links all break when it is committed is stored when they are back', async () => {
  await using stack = new AsyncDisposableStack()
  const { url, relays, put } = await openCluster(stack, [])
  let brokenCount = 0
  for (const relay of relays) {
    const spring = () => {
      brokenCount++
      relay.become({ kind: 'cut' })
      setTimeout(() => relay.become({ kind: 'fair' }), AWAY_MS)
    }
    relay.ambush({ sought: Buffer.from('bopfcommit'), isAnswer: false, spring })
  }
  const cut = await put('cut')
  assert.equal(brokenCount, 4)
  assert.equal(cut.status, 201, cut.text)
  assert.equal((await call(`${url}/files/cut`)).text, 'cut')
})
