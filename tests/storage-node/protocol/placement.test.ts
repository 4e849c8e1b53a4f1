// Where parts live: the table of the design, word for word, and that every way to compute it
// agrees.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import {
  laneOfPart,
  lanesOfNode,
  nodeName,
  nodesOfLane,
  nodesOfPart,
  partOfLane,
  partsOfNode,
  rotationOf,
} from '@fourfold/storage-node/protocol'
import { readVectors } from '../../support/property.ts'

interface Vectors {
  parts: [number, number][][]
  rotations: [text: string, md5: string, x: number][]
}

const QUARTERS = [0, 1, 2, 3]
const vectors = readVectors<Vectors>('placement.json')

test('the parts of each node are those of the table', () => {
  const table = QUARTERS.map((x) => QUARTERS.map((node) => partsOfNode(node, x)))
  // biome-ignore format: a table
  assert.deepEqual(table, [
    // DFS1, DFS2, DFS3, DFS4
    [[1, 2], [2, 3], [3, 4], [4, 1]], // x = 0
    [[4, 1], [1, 2], [2, 3], [3, 4]], // x = 1
    [[3, 4], [4, 1], [1, 2], [2, 3]], // x = 2
    [[2, 3], [3, 4], [4, 1], [1, 2]], // x = 3
  ])
  assert.deepEqual(vectors.parts, table)
})

test('the rotation is the MD5 as a number, modulo 4', () => {
  for (const [text, md5, x] of vectors.rotations) {
    const digest = createHash('md5').update(text).digest()
    assert.equal(digest.toString('hex'), md5)
    assert.equal(rotationOf(digest), x)
    assert.equal(BigInt(`0x${md5}`) % 4n, BigInt(x))
  }
})

test('lanes, parts and nodes agree for every first and x', () => {
  for (const first of QUARTERS) {
    for (const x of QUARTERS) {
      for (const lane of QUARTERS) {
        const part = partOfLane(lane, { first, x })
        assert.equal(laneOfPart(part, { first, x }), lane)
        assert.deepEqual(nodesOfPart(part, x), nodesOfLane(lane, first))
        for (const node of nodesOfLane(lane, first)) {
          assert.ok(lanesOfNode(node, first).includes(lane))
          assert.ok(partsOfNode(node, x).includes(part))
        }
      }
      for (const node of QUARTERS) {
        const parts = lanesOfNode(node, first).map((lane) => partOfLane(lane, { first, x }))
        assert.deepEqual(parts, partsOfNode(node, x), 'lanes and parts are named in the same order')
      }
    }
  }
})

test('lane c of a file of one row becomes part c + 1', () => {
  for (const x of QUARTERS) {
    for (const lane of QUARTERS) assert.equal(partOfLane(lane, { first: x, x }), lane + 1)
  }
})

test('two neighbours share each part, and opposite nodes or any three hold all four', () => {
  for (const x of QUARTERS) {
    for (const part of [1, 2, 3, 4]) {
      const [one, other] = nodesOfPart(part, x)
      assert.equal((one - other + 4) % 4, 1, 'the two nodes of a part are neighbours')
    }
    for (const node of QUARTERS) {
      const without = QUARTERS.filter((other) => other !== node)
      assert.equal(new Set(without.flatMap((other) => partsOfNode(other, x))).size, 4)
      const opposite = [node, (node + 2) % 4]
      assert.equal(new Set(opposite.flatMap((other) => partsOfNode(other, x))).size, 4)
    }
  }
})

test('nodes are called DFS1 to DFS4', () => {
  assert.deepEqual(QUARTERS.map(nodeName), ['DFS1', 'DFS2', 'DFS3', 'DFS4'])
})
