// The trial of many slow transfers: a crowd is under way, and beside it small files are fetched and
// others stored, while the memory of the gateway is watched.
import assert from 'node:assert/strict'
import { costOfFamily } from '../bench/process-cost.ts'
import { fill, runSmall, type SmallLoad } from '../bench/small-load.ts'
import { basic, call } from '../gateway/http/client.ts'
import type { TestCluster } from './cluster.ts'
import { ROW, seededBytes } from './content.ts'
import { startCrowd } from './slow-crowd.ts'
import { inParallel } from './watching.ts'

const PASSWORD = 'a password'
const DOWN_BYTES = 8 * ROW
const MIB = 1_048_576

export interface Trial {
  clientCount: number
  userCount: number
  /** How long 4 KiB are fetched beside the crowd. */
  smallMs: number
}

export interface Figures {
  clients: number
  p99AloneMs: number
  p99BesideMs: number
  smallCount: number
  /** Of the gateway: before the crowd, and at most. */
  memoryBeforeMib: number
  memoryPeakMib: number
}

/** Runs the trial on a fresh cluster with one gateway. Fails where any client does. */
export async function runCrowd(cluster: TestCluster, trial: Trial): Promise<Figures> {
  const url = cluster.urls[0]!
  const names = Array.from({ length: trial.userCount }, (_, index) => `user${index}`)
  const store = await cluster.store()
  await inParallel(names, 4, (user) => store.accounts.add({ user, password: PASSWORD }))
  await store.accounts.add({ user: 'small', password: PASSWORD })
  const users = names.map((user) => basic(user, PASSWORD))
  const content = seededBytes('down', DOWN_BYTES)
  await inParallel(users, 2, async (authorization) => {
    const put = await call(`${url}/files/down`, { method: 'PUT', body: content, authorization })
    assert.equal(put.status, 201)
  })
  const authorization = basic('small', PASSWORD)
  const load: SmallLoad = {
    target: { url, authorization } as SmallLoad['target'],
    ...{ path: '/files/small/{name}', method: 'GET', connections: 4, lasts: trial.smallMs },
  }
  await fill(load)
  const alone = await runSmall(load)
  const { pid } = cluster.gateways[0]!.child
  const memoryBeforeMib = costOfFamily(pid!).peakRssBytes / MIB

  const options = { url, users, downPath: '/files/down', downBytes: DOWN_BYTES }
  await using crowd = await startCrowd({ ...options, clientCount: trial.clientCount })
  assert.deepEqual(crowd.failures.slice(0, 3), [], `${crowd.failures.length} did not begin`)
  const beside = await runSmall(load)
  assert.equal(beside.failures, 0)
  // What is not small and not slow passes too.
  const body = seededBytes('beside', 3 * ROW)
  const put = await call(`${url}/files/beside`, { method: 'PUT', body, authorization })
  assert.equal(put.status, 201, put.text)
  const got = await call(`${url}/files/beside`, { authorization })
  assert.ok(got.body.equals(body))
  const failures = await crowd.finish()
  assert.deepEqual(failures.slice(0, 3), [], `${failures.length} did not end well`)
  return {
    clients: trial.clientCount,
    p99AloneMs: alone.p99Ms,
    p99BesideMs: beside.p99Ms,
    smallCount: beside.count,
    memoryBeforeMib,
    memoryPeakMib: costOfFamily(pid!).peakRssBytes / MIB,
  }
}
