// A line of a listing is the same text that a page of it has.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FileInfo } from '../../../gateway/dfs/store.ts'
import { fileLine, timeText } from '../../../gateway/http/file-line.ts'
import { fileJson } from '../../../gateway/http/schemas.ts'
import { holds } from '../../support/property.ts'

/** The last that a description can say. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const file: fc.Arbitrary<FileInfo> = fc.record({
  name: fc.string({ unit: 'binary' }),
  sizeBytes: fc.maxSafeNat(),
  modifiedMs: fc.integer({ min: 0, max: LAST_MS }),
  type: fc.string({ unit: 'binary' }),
  md5: fc.constant('9e107d9d372bb6826bd81d3542a419d6'),
  version: fc.constant('0'.repeat(32)),
  copies: fc.integer({ min: 0, max: 255 }),
  state: fc.constantFrom('complete', 'degraded', 'insufficient'),
  missingParts: fc.constant([2]),
  missingNodes: fc.constant(['DFS2']),
})

test('a line is the JSON of its file', async (t) => {
  const property = fc.property(file, (one) => {
    assert.equal(fileLine(one), `${JSON.stringify(fileJson(one))}\n`)
  })
  await holds(t, property, 1000)
})

test('times are written as a Date writes them, also where days, months and years begin', () => {
  const starts = [0, 999, 86_399_999, 86_400_000, Date.UTC(2000, 1, 29), Date.UTC(2100, 2, 1)]
  for (const ms of [...starts, Date.UTC(2026, 0, 1) - 1, Date.UTC(2026, 0, 1), LAST_MS]) {
    assert.equal(timeText(ms), new Date(ms).toISOString())
  }
})
