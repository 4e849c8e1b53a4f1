// The small form of tests/faults/repair-many.fault.ts, for every run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seedFor } from '../support/random.ts'
import { repairMany } from '../support/repair-many.ts'

test('an emptied node gets every copy of 300 files back while users go on', async (t) => {
  const { copiedBytes, neededBytes } = await repairMany(300, seedFor(t))
  assert.ok(copiedBytes <= neededBytes * 1.05, `${copiedBytes} bytes for ${neededBytes}`)
})
