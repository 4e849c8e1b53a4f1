// The Range header as a table: what it asks of files of several sizes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chooseRanges } from '../../../gateway/http/range.ts'

const KIB = 1024
const span = (from: number, to: number) => ({ from, to })
const hundreds = (count: number) =>
  Array.from({ length: count }, (_, at) => span(at * 100, at * 100 + 1))
const everyHundred = (count: number) =>
  hundreds(count)
    .map(({ from, to }) => `${from}-${to}`)
    .join()

const table: [header: string | undefined, sizeBytes: number, expected: unknown][] = [
  [undefined, 10, 'all'],
  ['bytes=0-0', 10, [{ from: 0, to: 0 }]],
  ['bytes=0-9', 10, [{ from: 0, to: 9 }]],
  ['bytes=2-5', 10, [{ from: 2, to: 5 }]],
  ['bytes=9-', 10, [{ from: 9, to: 9 }]],
  ['bytes=0-', 10, [{ from: 0, to: 9 }]],
  ['bytes=5-999', 10, [{ from: 5, to: 9 }]],
  ['bytes=-3', 10, [{ from: 7, to: 9 }]],
  ['bytes=-10', 10, [{ from: 0, to: 9 }]],
  ['bytes=-999', 10, [{ from: 0, to: 9 }]],
  ['BYTES=1-2', 10, [{ from: 1, to: 2 }]],
  [' bytes=1-2 ', 10, [{ from: 1, to: 2 }]],
  ['bytes=007-08', 10, [{ from: 7, to: 8 }]],
  [`bytes=0-${'9'.repeat(40)}`, 10, [{ from: 0, to: 9 }]],
  // Section 14.1.2: beyond the file.
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=10-20', 10, 'unsatisfiable'],
  [`bytes=${'9'.repeat(40)}-`, 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=0-0', 0, 'unsatisfiable'],
  ['bytes=-1', 0, 'all'],
  // Ignored: section 14.2.
  ['bytes=5-2', 10, 'all'],
  ['bytes=-', 10, 'all'],
  ['bytes=', 10, 'all'],
  ['bytes', 10, 'all'],
  ['', 10, 'all'],
  ['bytes=a-b', 10, 'all'],
  ['bytes=-5--3', 10, 'all'],
  ['bytes=--3', 10, 'all'],
  ['bytes=1.5-2', 10, 'all'],
  ['bytes=1e1-2', 10, 'all'],
  ['bytes=0x1-2', 10, 'all'],
  ['bytes=1 - 2', 10, 'all'],
  ['bytes 1-2', 10, 'all'],
  ['rows=0-1', 10, 'all'],
  [`bytes=${'0'.repeat(5000)}-1`, 10, 'all'],
  ['bytes=0-1 4-5', 10, 'all'],
  ['bytes=0-1,5-2', 10, 'all'],
  ['bytes=0-1,x', 10, 'all'],
  ['bytes=0-1;4-5', 10, 'all'],
  ['bytes=,', 10, 'all'],
  // Several ranges, in the order in which they were asked for.
  ['bytes=0-9,500-509', KIB, [span(0, 9), span(500, 509)]],
  ['bytes=500-509,0-9', KIB, [span(500, 509), span(0, 9)]],
  ['bytes= 0-9 ,\t500-509 ', KIB, [span(0, 9), span(500, 509)]],
  ['bytes=0-9,,500-509,', KIB, [span(0, 9), span(500, 509)]],
  ['bytes=0-0,-1', KIB, [span(0, 0), span(1023, 1023)]],
  ['bytes=0-9,900-', KIB, [span(0, 9), span(900, 1023)]],
  ['bytes=0-9,900-9999', KIB, [span(0, 9), span(900, 1023)]],
  ['bytes=300-309,600-609,0-9', KIB, [span(300, 309), span(600, 609), span(0, 9)]],
  // What lies beyond the file is left out; all of it beyond is 416.
  ['bytes=0-9,2000-3000', KIB, [span(0, 9)]],
  ['bytes=2000-,0-9', KIB, [span(0, 9)]],
  ['bytes=0-9,-0', KIB, [span(0, 9)]],
  ['bytes=1024-,2000-3000', KIB, 'unsatisfiable'],
  ['bytes=1024-,-0', KIB, 'unsatisfiable'],
  // Overlapping and nearly touching ranges become one, in the place of the first.
  ['bytes=0-99,50-149', KIB, [span(0, 149)]],
  ['bytes=0-99,100-199', KIB, [span(0, 199)]],
  ['bytes=0-99,179-199', KIB, [span(0, 199)]],
  ['bytes=0-99,180-199', KIB, [span(0, 99), span(180, 199)]],
  ['bytes=500-599,0-99,550-649', KIB, [span(500, 649), span(0, 99)]],
  ['bytes=0-,-1', KIB, [span(0, 1023)]],
  ['bytes=0-1,4-5', 10, [span(0, 5)]],
  // Section 14.2 and 17.15: what costs more than it can be worth.
  ['bytes=0-,0-,0-', KIB, [span(0, 1023)]],
  ['bytes=0-,0-,0-,0-', KIB, 'all'],
  ['bytes=0-9,5-14,8-20,15-30', KIB, 'all'],
  ['bytes=900-901,600-601,300-301', KIB, [span(900, 901), span(600, 601), span(300, 301)]],
  ['bytes=900-901,600-601,300-301,0-1', KIB, 'all'],
  [`bytes=${everyHundred(32)}`, 100 * KIB, hundreds(32)],
  [`bytes=${everyHundred(33)}`, 100 * KIB, 'all'],
]

for (const [header, sizeBytes, expected] of table) {
  const shown = (header ?? 'no header').slice(0, 40)
  test(`"${shown}" of ${sizeBytes} bytes is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(chooseRanges(header, sizeBytes), expected)
  })
}

test('ranges that are chosen lie inside the file, apart from each other, and hold what was asked', () => {
  const number = fc.oneof(
    fc.nat(300).map(String),
    fc.constant(''),
    fc.bigInt({ min: 0n }).map(String),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(number, number), { maxLength: 6 }),
      fc.nat(400),
      (asked, size) => {
        const header = `bytes=${asked.map(([first, last]) => `${first}-${last}`).join()}`
        const ranges = chooseRanges(header, size)
        if (typeof ranges === 'string') return true
        const inOrder = ranges.toSorted((a, b) => a.from - b.from)
        const covers = (at: number) => ranges.some(({ from, to }) => from <= at && at <= to)
        return (
          ranges.length <= asked.length &&
          inOrder.every(({ from, to }) => 0 <= from && from <= to && to < size) &&
          inOrder.every(({ from }, at) => at === 0 || from > inOrder[at - 1]!.to) &&
          asked.every(([first]) => first === '' || Number(first) >= size || covers(Number(first)))
        )
      },
    ),
  )
})
