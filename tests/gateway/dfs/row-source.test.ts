// What a download holds between the nodes and a reader: rows come ahead of a fast one, and nothing
// is kept for one that has stopped.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { LaneReader } from '../../../gateway/dfs/lane-reader.ts'
import { type LanePlace, sealedRowsAtPace } from '../../../gateway/dfs/row-source.ts'

const ROW = 1_048_576
const ROWS = 6
const file = { sizeBytes: ROWS * ROW, rowBytes: ROW }

/** A lane that has everything at once, and sends as far ahead as it may. */
function laneOf({ lane, fromRow, toRow, assembly }: LanePlace): LaneReader {
  const { promise, resolve } = Promise.withResolvers<void>()
  let row = fromRow
  const send = () => {
    while (row < toRow) {
      const piece = Buffer.alloc(assembly.pieceLength(row, lane), row)
      assembly.write({ row, lane, offset: 0 }, piece)
      if (!assembly.finishPiece(row++, lane)) break
    }
    if (row === toRow) resolve()
  }
  const run = () => {
    send()
    return promise
  }
  return { run, resume: send, stop: resolve, replaceSlow() {} } as unknown as LaneReader
}

function rowsOf() {
  let inside = 0
  const rows = sealedRowsAtPace({
    ...{ file, fromRow: 0, toRow: ROWS, signal: undefined, lateMs: 1000 },
    enter: async () => {
      inside++
      return () => inside--
    },
    openLane: laneOf,
  })
  return { rows, inside: () => inside }
}

test('a reader gets every row, in order', async () => {
  const { rows, inside } = rowsOf()
  let next = 0
  for await (const { row, pieces } of rows) {
    assert.equal(row, next++)
    assert.ok(pieces.length === 4 && pieces.every((piece) => piece[0] === row))
  }
  assert.equal(next, ROWS)
  assert.equal(inside(), 0)
})

test('for a reader that has stopped neither rows nor a place are kept', async () => {
  const { rows, inside } = rowsOf()
  const held = () => process.memoryUsage().arrayBuffers
  await rows.next()
  const whileMoving = held()
  assert.equal(inside(), 1)
  await setTimeout(1200)
  assert.equal(inside(), 0)
  assert.ok(whileMoving - held() >= ROW, `${whileMoving - held()} bytes were given back`)
  const { value } = await rows.next()
  assert.equal(value?.row, 1, 'and it goes on where it was')
  await rows.return(undefined)
  assert.equal(inside(), 0)
})
