// A thousand slow transfers of as many users at once: all of them get through, small files are
// fetched beside them, and the gateway's memory stays under its ceiling.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '../support/cluster.ts'
import { runCrowd } from '../support/crowd-trial.ts'

/** conf limits.memory_mib and limits.rows × 3, and what Node itself takes. */
const CEILING_MIB = 1280 + 96 + 250

test('a thousand slow transfers hold up nobody and stay under the memory ceiling', async (t) => {
  await using cluster = await startCluster({ gateways: 1, dfcConf: 'gateway.metrics = true' })
  const figures = await runCrowd(cluster, { clientCount: 1000, userCount: 1000, smallMs: 10_000 })
  t.diagnostic(JSON.stringify(figures))
  assert.ok(figures.memoryPeakMib < CEILING_MIB, `${figures.memoryPeakMib} MiB`)
})
