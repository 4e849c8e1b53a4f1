// What nodes' entries say together, for every set of live nodes and every rotation.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { copiesMask, currentVersion, readability } from '../../../gateway/dfs/file-state.ts'
import { type Entry, newVersion, partsOfNode } from '../../../storage-node/protocol/index.ts'

/** Masks of the parts that the nodes `live` hold. */
function heldBy(live: readonly number[], x: number): number[] {
  return [0, 1, 2, 3].map((node) => {
    if (!live.includes(node)) return 0
    const [a, b] = partsOfNode(node, x)
    return (1 << (a - 1)) | (1 << (b - 1))
  })
}

function entry(version: Uint8Array, fields: Partial<Entry> = {}): Entry {
  const file = new Uint8Array(16)
  return {
    file,
    version,
    state: 'committed',
    x: 0,
    first: 0,
    rows: 1,
    parts: 3,
    sealed: randomBytes(40),
    ...fields,
  }
}

/** DESIGN's picture: quarter q lies between node q and node q+1; a copy on each. */
test('the copies mask has the two half-arcs beside each live node, whatever the rotation', () => {
  for (let subset = 0; subset < 16; subset++) {
    const live = [0, 1, 2, 3].filter((node) => (subset & (1 << node)) !== 0)
    const expected = live.reduce((mask, node) => {
      const halves = [
        [0, 7],
        [2, 1],
        [4, 3],
        [6, 5],
      ][node]!
      return mask | (1 << halves[0]!) | (1 << halves[1]!)
    }, 0)
    for (let x = 0; x < 4; x++) assert.equal(copiesMask(heldBy(live, x), x), expected)
  }
})

test('any one node or two opposite nodes may be down; two neighbours take one part away', () => {
  for (let x = 0; x < 4; x++) {
    for (const live of [
      [0, 1, 2],
      [0, 1, 3],
      [0, 2, 3],
      [1, 2, 3],
      [0, 2],
      [1, 3],
    ]) {
      assert.equal(readability(heldBy(live, x), x, live).state, 'degraded')
    }
    for (const [live, down] of [
      [
        [0, 1],
        ['DFS3', 'DFS4'],
      ],
      [
        [1, 2],
        ['DFS1', 'DFS4'],
      ],
      [
        [2, 3],
        ['DFS1', 'DFS2'],
      ],
      [
        [0, 3],
        ['DFS2', 'DFS3'],
      ],
    ] as const) {
      const seen = readability(heldBy(live, x), x, live)
      assert.equal(seen.state, 'insufficient')
      assert.equal(seen.missingParts.length, 1)
      assert.deepEqual(seen.missingNodes, down)
    }
    assert.equal(readability(heldBy([0, 1, 2, 3], x), x, [0, 1, 2, 3]).state, 'complete')
  }
})

test('a part that live nodes should have and have not is missing without a cure', () => {
  const held = heldBy([0, 1, 2, 3], 0)
  held[0]! &= ~1
  held[3]! &= ~1
  const seen = readability(held, 0, [0, 1, 2, 3])
  assert.deepEqual([seen.state, seen.missingParts, seen.missingNodes], ['insufficient', [1], []])
})

test('the newest version that is committed anywhere counts, and prepared copies of it are copies', () => {
  const old = newVersion(1000)
  const young = newVersion(2000)
  const current = currentVersion([
    { node: 0, entries: [entry(young)] },
    { node: 1, entries: [entry(old), entry(young, { state: 'prepared', parts: 6 })] },
    { node: 3, entries: [entry(old)] },
  ])
  assert.deepEqual(current?.entry.version, young)
  assert.deepEqual(current?.partsHeld, [3, 6, 0, 0])
})

test('a version that is only prepared is not there', () => {
  assert.equal(
    currentVersion([{ node: 0, entries: [entry(newVersion(1), { state: 'prepared' })] }]),
    undefined,
  )
})

test('a deletion that is newer hides the file, also when older nodes still show it', () => {
  const current = currentVersion([
    { node: 0, entries: [entry(newVersion(1000))] },
    { node: 2, entries: [entry(newVersion(2000), { state: 'deleted', parts: 0 })] },
  ])
  assert.equal(current?.entry.state, 'deleted')
})
