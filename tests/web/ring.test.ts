// The ring's verdict and drawing, against a table of all sixteen sets of nodes, and against the
// placement of parts for all four rotations.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ALL_COPIES,
  copiesOnNodes,
  quarterState,
  RING_BOX,
  ringPaths,
  ringState,
} from '../../web/ring.ts'

/** Nodes DFS1..DFS4 as up (1) or down (0): the four quarters from 12 o'clock, and the whole. */
const verdicts: [nodes: string, quarters: string, whole: string][] = [
  ['1111', 'whole whole whole whole', 'whole'],
  ['0111', 'thin whole whole thin', 'thin'],
  ['1011', 'thin thin whole whole', 'thin'],
  ['1101', 'whole thin thin whole', 'thin'],
  ['1110', 'whole whole thin thin', 'thin'],
  ['0101', 'thin thin thin thin', 'thin'],
  ['1010', 'thin thin thin thin', 'thin'],
  ['0011', 'lost thin whole thin', 'lost'],
  ['1001', 'thin lost thin whole', 'lost'],
  ['1100', 'whole thin lost thin', 'lost'],
  ['0110', 'thin whole thin lost', 'lost'],
  ['1000', 'thin lost lost thin', 'lost'],
  ['0100', 'thin thin lost lost', 'lost'],
  ['0010', 'lost thin thin lost', 'lost'],
  ['0001', 'lost lost thin thin', 'lost'],
  ['0000', 'lost lost lost lost', 'lost'],
]

/** Which parts each node keeps when MD5 mod 4 is x: the table that everything is placed by. */
// biome-ignore format: a table
const placement: [x: number, partsOfNodes: number[][]][] = [
  [0, [[1, 2], [2, 3], [3, 4], [4, 1]]],
  [1, [[4, 1], [1, 2], [2, 3], [3, 4]]],
  [2, [[3, 4], [4, 1], [1, 2], [2, 3]]],
  [3, [[2, 3], [3, 4], [4, 1], [1, 2]]],
]

const quarters = [0, 1, 2, 3]

function nodesUp(nodes: string): boolean[] {
  return [...nodes].map((digit) => digit === '1')
}

describe('the ring', () => {
  assert.equal(new Set(verdicts.map(([nodes]) => nodes)).size, 16)

  for (const [nodes, expected, whole] of verdicts) {
    const isUp = nodesUp(nodes)
    const copies = copiesOnNodes(isUp)

    test(`with nodes ${nodes} up shows ${expected}`, () => {
      assert.equal(quarters.map((quarter) => quarterState(copies, quarter)).join(' '), expected)
      assert.equal(ringState(copies), whole)
    })

    for (const [x, partsOfNodes] of placement) {
      test(`with nodes ${nodes} up shows each part's true copies where x is ${x}`, () => {
        for (const quarter of quarters) {
          const next = (quarter + 1) % 4
          const shared = partsOfNodes[quarter]!.filter((part) => partsOfNodes[next]!.includes(part))
          assert.equal(shared.length, 1, 'two neighbours share one part')
          const copyCount = partsOfNodes.filter(
            (parts, node) => isUp[node] && parts.includes(shared[0]!),
          ).length
          assert.equal(quarterState(copies, quarter), ['lost', 'thin', 'whole'][copyCount])
        }
      })
    }
  }

  test('of a single missing copy is thin in that quarter alone', () => {
    for (let bit = 0; bit < 8; bit += 1) {
      const copies = ALL_COPIES & ~(1 << bit)
      const states = quarters.map((quarter) => quarterState(copies, quarter))
      const expected = quarters.map((quarter) => (quarter === bit >> 1 ? 'thin' : 'whole'))
      assert.deepEqual(states, expected)
      assert.equal(ringState(copies), 'thin')
    }
  })
})

describe('the drawing of the ring', () => {
  test('draws every quarter once, whatever the copies', () => {
    for (let copies = 0; copies <= ALL_COPIES; copies += 1) {
      const paths = ringPaths(copies)
      const kinds = paths.map(({ kind }) => kind)
      assert.equal(new Set(kinds).size, kinds.length, 'one path for each kind')
      const arcCount = paths.reduce((sum, { d }) => sum + d.split('M').length - 1, 0)
      const thinCount = quarters.filter((q) => quarterState(copies, q) === 'thin').length
      assert.equal(arcCount, 4 + thinCount)
      assert.equal(kinds.includes('lost'), ringState(copies) === 'lost')
      assert.equal(kinds.includes('last'), thinCount > 0)
      assert.equal(kinds.includes('absent'), thinCount > 0)
    }
  })

  test('stays inside its box', () => {
    for (const { d } of ringPaths(0b0110_1101)) {
      for (const number of d.match(/\d+\.\d+/g) ?? []) {
        assert.ok(Number(number) > 1 && Number(number) < RING_BOX - 1, number)
      }
    }
  })

  test('puts the first quarter at the upper right and goes on clockwise', () => {
    const centre = RING_BOX / 2
    const starts = ringPaths(ALL_COPIES)[0]!.d.match(/(?<=M)[\d.]+ [\d.]+/g) ?? []
    const sides = starts.map((start) => {
      const [x, y] = start.split(' ').map(Number)
      return `${y! < centre ? 'upper' : 'lower'} ${x! < centre ? 'left' : 'right'}`
    })
    assert.deepEqual(sides, ['upper right', 'lower right', 'lower left', 'upper left'])
  })

  test('draws the half at the node whose copy is left, not the other', () => {
    // Only node 0 has a copy of the first quarter: the half that begins near 12 o'clock.
    const first = ringPaths(0b1111_1101)
    const second = ringPaths(0b1111_1110)
    const half = (paths: ReturnType<typeof ringPaths>, kind: string) =>
      paths.find((path) => path.kind === kind)?.d
    assert.equal(half(first, 'last'), half(second, 'absent'))
    assert.equal(half(first, 'absent'), half(second, 'last'))
    assert.notEqual(half(first, 'last'), half(second, 'last'))
    assert.match(half(first, 'last') ?? '', /^M13\.98 3\.43A/)
  })
})
