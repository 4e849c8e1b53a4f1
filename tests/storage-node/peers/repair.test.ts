// What a node lost comes back from its two neighbours, byte for byte: a whole folder, a part file,
// a piece that rotted; also when the node dies in the middle of it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { versionAfter } from '@fourfold/storage-node/protocol'
import {
  isWholeOn,
  newRingFile,
  partFiles,
  putFiles,
  type Ring,
  type RingFile,
  shareOf,
  startRing,
  until,
} from '../../support/ring.ts'
import { readPart } from '../../support/stored-file.ts'

let ring: Ring
let files: RingFile[]

before(async () => {
  ring = await startRing()
  files = [
    ...[0, 1, 2, 3].map((x) => newRingFile({ x, pieceBytes: 1 + x * 5000 })),
    // One row in part files, and rows of which the last is short.
    newRingFile({ x: 1, pieceBytes: 70_000 }),
    ...[0, 1, 2, 3].map((x) => newRingFile({ x, rows: 40, pieceBytes: 60_000, lastBytes: 7 })),
  ]
  await putFiles(ring, files)
})

after(() => ring?.[Symbol.asyncDispose]())

const isComplete = (at: Ring, number: number, all: readonly RingFile[]) => async () => {
  for (const file of all) if (!(await isWholeOn(at, number, file))) return false
  return true
}

test('a node whose folder was replaced by an empty one fills it from its neighbours', async () => {
  const before = partFiles(ring.cluster.nodes[1]!.folder)
  await ring.wipe(2)
  await ring.start(2)
  await until('DFS2 has every file', isComplete(ring, 2, files))
  assert.deepEqual(partFiles(ring.cluster.nodes[1]!.folder), before)
  await until('it says that it is through', async () => {
    const { repair } = await ring.status(2)
    return repair.isCurrent && !repair.isRunning && repair.missingParts === 0
  })
  const { repair, files: fileCount, users, storedBytes } = await ring.status(2)
  assert.equal(repair.doneParts, 2 * files.length)
  assert.equal(repair.failedParts, 0)
  assert.equal(repair.peers, 3)
  assert.deepEqual([fileCount, users], [files.length, 1])
  assert.equal(storedBytes, repair.doneBytes)
})

test('a node that is filling itself claims no part before it has it', async () => {
  await ring.wipe(4)
  await ring.kill(3)
  await ring.start(4)
  // DFS1 has one half of what DFS4 should have; the other half is on DFS3.
  await until('DFS4 has what DFS1 has', async () => {
    const { repair } = await ring.status(4)
    return repair.missingParts === files.length && repair.doneParts === files.length
  })
  for (const file of files) {
    const entry = await ring.entryOf(4, file.file)
    assert.ok([1, 2, 4, 8].includes(entry!.parts), `mask ${entry!.parts}`)
    const part = Math.log2(entry!.parts) + 1
    const pieces = await ring.at(4, (client) =>
      readPart(client, ring.alice, { stored: shareOf(file, 4), part }),
    )
    assert.equal(pieces.length, file.lanes[0]!.length)
  }
  await ring.start(3)
  await until('DFS4 has every file', isComplete(ring, 4, files))
})

test('a part file that was removed or cut short is fetched again at the next start', async () => {
  const { folder } = ring.cluster.nodes[0]!
  const before = partFiles(folder)
  const [one, two, three] = [...before.keys()]
  await ring.kill(1)
  rmSync(`${folder}/parts/${one}`)
  truncateSync(`${folder}/parts/${two}`, 100)
  truncateSync(`${folder}/parts/${three}`, 0)
  await ring.start(1)
  await until('the files are back', async () => {
    const { repair } = await ring.status(1)
    return repair.doneParts === 3 && repair.missingParts === 0
  })
  assert.deepEqual(partFiles(folder), before)
})

test('a reader who meets a part that is gone or rotten causes it to be fetched again', async () => {
  const { folder } = ring.cluster.nodes[2]!
  const before = partFiles(folder)
  const [gone, rotten] = [...before.keys()]
  rmSync(`${folder}/parts/${gone}`)
  const bytes = readFileSync(`${folder}/parts/${rotten}`)
  bytes[bytes.length >> 1]! ^= 4
  writeFileSync(`${folder}/parts/${rotten}`, bytes)
  // Whoever reads everything meets both: it is refused, and whole a moment later.
  await until('every file reads as it was', isComplete(ring, 3, files))
  assert.deepEqual(partFiles(folder), before)
})

test('a node that is killed again and again while it fills itself comes to the end', async () => {
  await using slow = await startRing('repair.bytes_per_second = 4000000')
  const all = [0, 1, 2, 3, 0, 1].map((x) => newRingFile({ x, rows: 10, pieceBytes: 100_000 }))
  await putFiles(slow, all)
  await slow.wipe(3)
  let lastParts = -1
  for (let round = 0; round < 3; round++) {
    await slow.start(3)
    // At least one part more than at the kill before.
    await until('it went on', async () => {
      const status = await slow.status(3)
      const held = 2 * all.length - status.repair.missingParts
      if (status.files < all.length || held <= lastParts) return false
      lastParts = held
      return true
    })
    await slow.kill(3)
  }
  await slow.start(3)
  await until('DFS3 has every file', isComplete(slow, 3, all))
  const { repair, storedBytes } = await slow.status(3)
  assert.ok(repair.copiedBytes < storedBytes, 'what was there stayed')
  assert.equal(repair.doneParts, 2 * all.length, 'and was counted on')
})

test('a long part that came halfway is not fetched anew when the node, or its twin, is killed', async () => {
  await using slow = await startRing('repair.bytes_per_second = 4000000')
  const file = newRingFile({ x: 2, rows: 100, pieceBytes: 100_000 })
  await putFiles(slow, [file])
  const { folder } = slow.cluster.nodes[2]!
  const { storedBytes } = await slow.status(3)
  const partial = () => {
    const [name] = readdirSync(`${folder}/repair`)
    return name === undefined ? 0 : statSync(`${folder}/repair/${name}`).size
  }
  await slow.wipe(3)
  await slow.start(3)
  await until('a part came halfway', async () => partial() > 4_500_000)
  await slow.kill(3)
  const before = partial()
  await slow.start(3)
  await until('it went on', async () => (await slow.status(3)).repair.copiedBytes > 1_000_000)
  assert.ok(partial() > before, 'what had come stayed')
  // The twin of what is on its way is one of these.
  for (const twin of [2, 4]) await slow.kill(twin)
  for (const twin of [2, 4]) await slow.start(twin)
  await until('DFS3 has the file', isComplete(slow, 3, [file]))
  const { repair } = await slow.status(3)
  // Fetched anew, it would have been all of it, and more.
  assert.ok(repair.copiedBytes < storedBytes, `${repair.copiedBytes} of ${storedBytes}`)
  assert.deepEqual(readdirSync(`${folder}/repair`), [])
})

test('what came of a part whose file was deleted meanwhile is not kept', async () => {
  await using slow = await startRing('repair.bytes_per_second = 4000000')
  const [file, kept] = [newRingFile({ x: 1, rows: 100, pieceBytes: 100_000 }), newRingFile()]
  await putFiles(slow, [file, kept])
  const { folder } = slow.cluster.nodes[2]!
  const partials = () => readdirSync(`${folder}/repair`)
  await slow.wipe(3)
  await slow.start(3)
  await until('a part is on its way', async () => partials().length > 0)
  await slow.kill(3)
  const version = versionAfter(file.version)
  await slow.each([1, 2, 4], (client) =>
    client.request('delete', { file: file.file, version }, { as: slow.alice }),
  )
  assert.equal(partials().length, 1)
  await slow.start(3)
  await until('DFS3 knows', async () => (await slow.entryOf(3, file.file))?.state === 'deleted')
  await until('nothing is kept of it', async () => partials().length === 0)
  assert.ok(await isWholeOn(slow, 3, kept))
})
