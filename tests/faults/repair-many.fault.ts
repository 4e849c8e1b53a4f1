// Ten thousand files of mixed sizes, and a node that lost its folder: all its copies come back,
// byte for byte, hardly a byte is fetched twice, and downloads and uploads go on meanwhile.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seedFor } from '../support/random.ts'
import { repairMany } from '../support/repair-many.ts'

const FILES = Number(process.env.FOURFOLD_FILES ?? 10_000)

test(`an emptied node gets every copy of ${FILES} files back while users go on`, async (t) => {
  const figures = await repairMany(FILES, seedFor(t))
  const { neededBytes, copiedBytes, before, during, uploadsDuring, seconds } = figures
  const ratio = copiedBytes / neededBytes
  t.diagnostic(`${seconds.toFixed(1)} s for ${(neededBytes / 1e6).toFixed(0)} MB in ${FILES} files`)
  t.diagnostic(`bytes copied ÷ bytes needed: ${ratio.toFixed(4)}`)
  t.diagnostic(`download before: p50 ${before.p50} ms, p95 ${before.p95} ms (${before.count})`)
  t.diagnostic(`download during: p50 ${during.p50} ms, p95 ${during.p95} ms (${during.count})`)
  t.diagnostic(`uploads during: ${uploadsDuring}`)
  assert.ok(ratio <= 1.05, `${copiedBytes} bytes were copied for ${neededBytes}`)
  assert.ok(uploadsDuring > 0 && during.count > 0)
})
