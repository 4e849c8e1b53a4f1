// Who comes next among the rows that wait for a place on their way.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmission, type Way } from '../../../gateway/dfs/admission.ts'

test("a row that waits to go up does not stand behind all of the same user's that come down", async () => {
  const admission = createAdmission({
    ...{ transfers: 8, user_transfers: 8, memory_mib: 16, rows: 1 },
    ...{ waiting: 8, wait_timeout_ms: 1000 },
  })
  const leave = await admission.passage('down', 'alice', undefined)
  const turns: Way[] = []
  const pass = async (way: Way) => {
    const leave = await admission.passage(way, 'alice', undefined)
    turns.push(way)
    leave()
  }
  const all = (['down', 'down', 'down', 'up', 'up'] as const).map(pass)
  leave()
  await Promise.all(all)
  assert.deepEqual(turns, ['down', 'up', 'down', 'up', 'down'])
})
