// The dates of HTTP as a table: the three forms that are read, and what is none of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpDate, parseHttpDate } from '../../../gateway/http/http-date.ts'

const then = Date.parse('1994-11-06T08:49:37Z')
const now = Date.parse('2026-11-22T12:00:00Z')

const table: [text: string | undefined, expected: number | undefined][] = [
  ['Sun, 06 Nov 1994 08:49:37 GMT', then],
  ['  Sun, 06 Nov 1994 08:49:37 GMT ', then],
  ['Sunday, 06-Nov-94 08:49:37 GMT', then],
  ['Sun Nov  6 08:49:37 1994', then],
  ['Sun Nov 06 08:49:37 1994', then],
  // A wrong name of the day changes nothing: the date is what counts.
  ['Mon, 06 Nov 1994 08:49:37 GMT', then],
  ['Thu, 29 Feb 2024 00:00:00 GMT', Date.parse('2024-02-29T00:00:00Z')],
  ['Sat, 31 Dec 2016 23:59:60 GMT', Date.parse('2017-01-01T00:00:00Z')],
  ['Fri, 01 Jan 0099 00:00:00 GMT', Date.parse('0099-01-01T00:00:00Z')],
  // Two digits: the last such year that is at most 50 years ahead.
  ['Sunday, 06-Nov-76 08:49:37 GMT', Date.parse('2076-11-06T08:49:37Z')],
  ['Sunday, 06-Nov-77 08:49:37 GMT', Date.parse('1977-11-06T08:49:37Z')],
  ['Sunday, 06-Nov-00 08:49:37 GMT', Date.parse('2000-11-06T08:49:37Z')],
  [undefined, undefined],
  ['', undefined],
  ['0', undefined],
  ['784111777', undefined],
  ['1994-11-06T08:49:37Z', undefined],
  ['Sun, 06 Nov 1994 08:49:37', undefined],
  ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
  ['Sun, 06 Nov 1994 08:49:37 +0000', undefined],
  ['Sun, 6 Nov 1994 08:49:37 GMT', undefined],
  ['sun, 06 nov 1994 08:49:37 gmt', undefined],
  ['Sun, 06-Nov-1994 08:49:37 GMT', undefined],
  ['Sun, 06 Nov 94 08:49:37 GMT', undefined],
  ['Sun, 31 Feb 1994 08:49:37 GMT', undefined],
  ['Sun, 00 Nov 1994 08:49:37 GMT', undefined],
  ['Sun, 06 Nov 1994 24:00:00 GMT', undefined],
  ['Sun, 06 Nov 1994 08:60:00 GMT', undefined],
  ['Wed, 29 Feb 2023 00:00:00 GMT', undefined],
]

for (const [text, expected] of table) {
  test(`${text} is ${expected === undefined ? 'no date' : new Date(expected).toISOString()}`, () => {
    assert.equal(parseHttpDate(text, now), expected)
  })
}

test('a date that is sent is read back, to the second', () => {
  assert.equal(httpDate(then), 'Sun, 06 Nov 1994 08:49:37 GMT')
  assert.equal(parseHttpDate(httpDate(now + 999)), now)
})
