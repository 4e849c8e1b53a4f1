// Nodes that are there and merely have much to write when an upload ends: they are waited for, and
// nobody is told that the outcome is unknown.
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

test('an upload whose nodes take longer to commit than an answer may take is stored', async () => {
  await using cluster = await startCluster()
  await cluster.addUser('alice', 'correct horse')
  await using stack = new AsyncDisposableStack()
  const relays = await Promise.all(cluster.nodes.map((node) => startRelay(() => node.port)))
  for (const relay of relays) stack.use(relay)
  const addresses = relays.map(({ port }) => `"127.0.0.1:${port}"`).join(', ')
  const confFile = join(cluster.folder, 'slow.conf')
  const lines = [
    'accounts.rounds = 4096',
    `limits.request_timeout_ms = ${REQUEST_MS}`,
    'limits.ping_timeout_ms = 60000',
    `nodes = [${addresses}]`,
    'cluster_key_file = "cluster.key"',
  ]
  await writeFile(confFile, lines.join('\n'))
  const url = await cluster.startGateway(confFile)
  await whenGatewaySees(url, [1, 2, 3, 4])
  const put = (name: string) => call(`${url}/files/${name}`, { method: 'PUT', body: name })
  assert.equal((await put('before')).status, 201)
  for (const relay of relays) relay.become({ kind: 'late', delayMs: LATE_MS })
  const slow = await put('late')
  assert.equal(slow.status, 201, slow.text)
  for (const relay of relays) relay.become({ kind: 'fair' })
  assert.equal((await call(`${url}/files/late`)).text, 'late')
})
