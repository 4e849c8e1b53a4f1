// Lines of a listing are the same text that a page of it has.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FileInfo } from '../../../gateway/dfs/store.ts'
import { fileLines } from '../../../gateway/http/file-lines.ts'
import { fileJson } from '../../../gateway/http/schemas.ts'
import { holds } from '../../support/property.ts'

/** The last time that a description can say. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 255 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 255 }),
  // Halves of surrogate pairs, which JSON escapes; 255 of what takes the most bytes.
  fc.constantFrom('\ud800', 'a\udfff\ud800b', '\u0001'.repeat(255), '"\\\n\t\u007f', 'é€😀'),
)
const file: fc.Arbitrary<FileInfo> = fc.record({
  name: text,
  sizeBytes: fc.maxSafeNat(),
  modifiedMs: fc.integer({ min: 0, max: LAST_MS }),
  type: text,
  md5: fc.constant('9e107d9d372bb6826bd81d3542a419d6'),
  version: fc.constant('0'.repeat(32)),
  copies: fc.integer({ min: 0, max: 255 }),
  state: fc.constantFrom('complete', 'degraded', 'insufficient'),
  missingParts: fc.constant([2]),
  missingNodes: fc.constant(['DFS2']),
})

const expectedLines = (files: readonly FileInfo[]) =>
  files.map((one) => `${JSON.stringify(fileJson(one))}\n`).join('')

test('each line is the JSON of its file', async (t) => {
  const property = fc.property(fc.array(file, { maxLength: 20 }), (files) => {
    assert.equal(fileLines(files).toString(), expectedLines(files))
  })
  await holds(t, property, 1000)
})

test('times are written as a Date writes them, also where days, months and years begin', () => {
  const starts = [0, 999, 86_399_999, 86_400_000, Date.UTC(2000, 1, 29), Date.UTC(2100, 2, 1)]
  const times = [...starts, Date.UTC(2026, 0, 1) - 1, Date.UTC(2026, 0, 1), LAST_MS]
  const [sample] = fc.sample(file, 1)
  const files = times.map((modifiedMs) => ({ ...sample!, modifiedMs, state: 'complete' as const }))
  assert.equal(fileLines(files).toString(), expectedLines(files))
})
