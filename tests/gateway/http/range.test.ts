// The Range header as a table: what it asks of files of several sizes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chooseRange } from '../../../gateway/http/range.ts'

const table: [header: string | undefined, sizeBytes: number, expected: unknown][] = [
  [undefined, 10, 'all'],
  ['bytes=0-0', 10, { from: 0, to: 0 }],
  ['bytes=0-9', 10, { from: 0, to: 9 }],
  ['bytes=2-5', 10, { from: 2, to: 5 }],
  ['bytes=9-', 10, { from: 9, to: 9 }],
  ['bytes=0-', 10, { from: 0, to: 9 }],
  ['bytes=5-999', 10, { from: 5, to: 9 }],
  ['bytes=-3', 10, { from: 7, to: 9 }],
  ['bytes=-10', 10, { from: 0, to: 9 }],
  ['bytes=-999', 10, { from: 0, to: 9 }],
  ['BYTES=1-2', 10, { from: 1, to: 2 }],
  [' bytes=1-2 ', 10, { from: 1, to: 2 }],
  ['bytes=007-08', 10, { from: 7, to: 8 }],
  [`bytes=0-${'9'.repeat(40)}`, 10, { from: 0, to: 9 }],
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
  ['bytes=0-1,4-5', 10, 'all'],
  [`bytes=${'0'.repeat(500)}-1`, 10, 'all'],
]

for (const [header, sizeBytes, expected] of table) {
  const shown = (header ?? 'no header').slice(0, 40)
  test(`"${shown}" of ${sizeBytes} bytes is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(chooseRange(header, sizeBytes), expected)
  })
}

test('a range that is chosen always lies inside the file', () => {
  const number = fc.oneof(
    fc.nat(30).map(String),
    fc.constant(''),
    fc.bigInt({ min: 0n }).map(String),
  )
  fc.assert(
    fc.property(number, number, fc.nat(20), (first, last, sizeBytes) => {
      const range = chooseRange(`bytes=${first}-${last}`, sizeBytes)
      if (typeof range === 'string') return true
      return 0 <= range.from && range.from <= range.to && range.to < sizeBytes
    }),
  )
})
