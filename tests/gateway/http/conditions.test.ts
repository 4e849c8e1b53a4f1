// Conditional requests as tables: RFC 9110 section 13.2.2 for reading, and the condition a write
// carries.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeRead, rangeApplies, writeCondition } from '../../../gateway/http/conditions.ts'

const md5 = '0123456789abcdef0123456789abcdef'
const other = 'ffffffffffffffffffffffffffffffff'
const modified = 'Sun, 06 Nov 1994 08:49:37 GMT'
const before = 'Sun, 06 Nov 1994 08:49:36 GMT'
const after = 'Sun, 06 Nov 1994 08:49:38 GMT'
// Half a second later than Last-Modified says.
const file = { md5, modifiedMs: Date.parse(modified) + 500 }

const reads: [headers: Record<string, string>, verdict: string][] = [
  [{}, 'proceed'],
  [{ 'if-match': `"${md5}"` }, 'proceed'],
  [{ 'if-match': `"${other}", "${md5}"` }, 'proceed'],
  [{ 'if-match': '*' }, 'proceed'],
  [{ 'if-match': `"${other}"` }, 'failed'],
  [{ 'if-match': `W/"${md5}"` }, 'failed'],
  [{ 'if-match': md5 }, 'failed'],
  [{ 'if-unmodified-since': modified }, 'proceed'],
  [{ 'if-unmodified-since': after }, 'proceed'],
  [{ 'if-unmodified-since': before }, 'failed'],
  [{ 'if-unmodified-since': 'yesterday' }, 'proceed'],
  [{ 'if-match': `"${md5}"`, 'if-unmodified-since': before }, 'proceed'],
  [{ 'if-none-match': `"${md5}"` }, 'not-modified'],
  [{ 'if-none-match': `W/"${md5}"` }, 'not-modified'],
  [{ 'if-none-match': `"${other}","${md5}"` }, 'not-modified'],
  [{ 'if-none-match': '*' }, 'not-modified'],
  [{ 'if-none-match': `"${other}"` }, 'proceed'],
  [{ 'if-modified-since': modified }, 'not-modified'],
  [{ 'if-modified-since': after }, 'not-modified'],
  [{ 'if-modified-since': before }, 'proceed'],
  [{ 'if-modified-since': 'Sunday, 06-Nov-94 08:49:37 GMT' }, 'not-modified'],
  [{ 'if-modified-since': 'Sun Nov  6 08:49:37 1994' }, 'not-modified'],
  [{ 'if-modified-since': '0' }, 'proceed'],
  [{ 'if-none-match': `"${other}"`, 'if-modified-since': after }, 'proceed'],
  [{ 'if-match': `"${other}"`, 'if-none-match': `"${md5}"` }, 'failed'],
  [{ 'if-match': `"${md5}"`, 'if-none-match': `"${md5}"` }, 'not-modified'],
]

for (const [headers, verdict] of reads) {
  test(`reading with ${JSON.stringify(headers)}: ${verdict}`, () => {
    assert.equal(judgeRead(headers, file), verdict)
  })
}

const ranges: [header: string | undefined, nowMs: number, applies: boolean][] = [
  [undefined, file.modifiedMs, true],
  [`"${md5}"`, file.modifiedMs, true],
  [`W/"${md5}"`, file.modifiedMs, false],
  [`"${other}"`, file.modifiedMs, false],
  [modified, file.modifiedMs + 5000, true],
  [modified, file.modifiedMs, false],
  [before, file.modifiedMs + 5000, false],
  [after, file.modifiedMs + 5000, false],
  ['nonsense', file.modifiedMs + 5000, false],
]

for (const [header, nowMs, applies] of ranges) {
  test(`a range ${applies ? 'counts' : 'is dropped'} with If-Range: ${header}`, () => {
    assert.equal(rangeApplies({ 'if-range': header }, file, nowMs), applies)
  })
}

const absent = { kind: 'absent' }
const mine = { kind: 'match', md5s: [md5] }
const writes: [headers: Record<string, string>, isThere: boolean, expected: unknown][] = [
  [{}, true, undefined],
  [{ 'if-none-match': '*' }, true, absent],
  [{ 'if-match': '*' }, true, { kind: 'match', md5s: 'any' }],
  [{ 'if-match': `"${md5}", "${other}"` }, true, { kind: 'match', md5s: [md5, other] }],
  [{ 'if-match': `W/"${md5}"` }, true, { kind: 'match', md5s: [] }],
  [{ 'if-none-match': `"${other}"` }, true, mine],
  [{ 'if-none-match': `"${other}"` }, false, absent],
  [{ 'if-none-match': `"${md5}"` }, true, 'refused'],
  [{ 'if-match': '*', 'if-none-match': '*' }, true, 'refused'],
  [{ 'if-unmodified-since': modified }, true, mine],
  [{ 'if-unmodified-since': before }, true, 'refused'],
  [{ 'if-unmodified-since': before }, false, absent],
  [
    { 'if-match': `"${other}"`, 'if-unmodified-since': before },
    true,
    { kind: 'match', md5s: [other] },
  ],
]

for (const [headers, isThere, expected] of writes) {
  const place = isThere ? 'over a file' : 'where none is'
  test(`writing ${place} with ${JSON.stringify(headers)}: ${JSON.stringify(expected)}`, async () => {
    const condition = writeCondition(headers, async () => (isThere ? file : undefined))
    if (expected === 'refused') await assert.rejects(condition, { code: 'PRECONDITION_FAILED' })
    else assert.deepEqual(await condition, expected)
  })
}
