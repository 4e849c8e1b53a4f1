// A node reads again what it holds, finds what the disk has changed, and has it back from the twin,
// byte for byte. Bits are flipped in the files themselves, behind the node's back.
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
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

/** Two part files each on every node. */
const LONG_FILES = 50
const SMALL_FILES = 20

let ring: Ring
let long: RingFile[]
let small: RingFile[]

before(async () => {
  // A day's pass does nothing by itself while a test runs.
  ring = await startRing('scrub.every_days = 1000')
  const [rows, pieceBytes] = [3, 20_000]
  long = Array.from({ length: LONG_FILES }, (_, index) =>
    newRingFile({ x: index % 4, rows, pieceBytes, lastBytes: 1 + index }),
  )
  small = Array.from({ length: SMALL_FILES }, (_, index) =>
    newRingFile({ x: index % 4, pieceBytes: 300 + index }),
  )
  await putFiles(ring, [...long, ...small])
})

after(() => ring?.[Symbol.asyncDispose]())

const scrub = (number: number) =>
  ring.at(number, (client) => client.request('scrub', {}, { as: ring.operator }))

/** Flips one bit of a file of the node, which is not running. */
function flip(path: string, position: number): void {
  const bytes = readFileSync(path)
  bytes[position % bytes.length]! ^= 1 << (position % 8)
  writeFileSync(path, bytes)
}

/**
 * Flips one bit of a small file's first piece in the catalog, wherever its bytes are: what SQLite
 * has moved leaves its bytes in places that are free.
 */
function flipInCatalog(folder: string, file: RingFile): void {
  const path = `${folder}/catalog.sqlite`
  const start = shareOf(file, 1).rows[0]![0].subarray(0, 100)
  const bytes = readFileSync(path)
  let at = bytes.indexOf(start)
  assert.ok(at >= 0, 'the piece is in the catalog as it is')
  for (; at >= 0; at = bytes.indexOf(start, at + 1)) bytes[at]! ^= 1
  writeFileSync(path, bytes)
}

async function whenThrough(number: number, damaged: number): Promise<void> {
  await until(`DFS${number} has read all and mended ${damaged}`, async () => {
    const { scrub, repair } = await ring.status(number)
    return !scrub.isRunning && scrub.mended === damaged && repair.missingParts === 0
  })
}

test('a bit flipped in each of 100 part files and 20 pieces in the catalog: all found, all mended', async () => {
  const { folder } = ring.cluster.nodes[0]!
  const healthy = partFiles(folder)
  assert.equal(healthy.size, 2 * LONG_FILES)
  // A clean stop folds the log into the database, so that the bytes on the disk are those read.
  await ring.cluster.nodes[0]!.kill('SIGTERM')
  for (const [index, path] of [...healthy.keys()].entries()) {
    flip(`${folder}/parts/${path}`, index * 601)
  }
  for (const file of small) flipInCatalog(folder, file)
  await ring.start(1)
  await scrub(1)
  await whenThrough(1, 120)
  const { scrub: counts, storedBytes, repair } = await ring.status(1)
  const pieces = 2 * (LONG_FILES * 3 + SMALL_FILES)
  assert.deepEqual(
    { ...counts, startedMs: 0, last: undefined },
    {
      ...{ isRunning: false, isHurried: false, startedMs: 0, last: undefined },
      ...{ pieces, bytes: storedBytes, totalBytes: storedBytes },
      ...{ damaged: 120, mended: 120, lost: 0 },
    },
  )
  assert.ok(counts.last!.finishedMs >= counts.startedMs!)
  assert.equal(repair.lostParts, 0)
  // Single pieces came, not whole parts.
  assert.ok(repair.copiedBytes < storedBytes / 2, `${repair.copiedBytes} of ${storedBytes}`)
  assert.deepEqual(partFiles(folder), healthy)
  for (const file of [...long, ...small]) assert.ok(await isWholeOn(ring, 1, file))
})

test('two copies that are damaged in different pieces mend each other', async () => {
  for (const number of [2, 3]) {
    const { folder } = ring.cluster.nodes[number - 1]!
    const mine = [...partFiles(folder).keys()]
    // Whichever part the two nodes share: the first row here, the second row there.
    for (const path of mine) flip(`${folder}/parts/${path}`, number === 2 ? 77 : 20_100)
  }
  await Promise.all([scrub(2), scrub(3)])
  await whenThrough(2, 2 * LONG_FILES)
  await whenThrough(3, 2 * LONG_FILES)
  for (const number of [2, 3]) {
    for (const file of long) assert.ok(await isWholeOn(ring, number, file))
  }
})

test('a part that is damaged on both of its nodes is told as lost, and comes back with one of them', async () => {
  const { folder } = ring.cluster.nodes[3]!
  const healthy = partFiles(folder)
  const path = [...healthy.keys()][0]!
  const twins = ring.cluster.nodes.filter(({ number }) => number !== 4)
  const twin = twins.find((node) => partFiles(node.folder).has(path))!
  for (const node of [ring.cluster.nodes[3]!, twin]) flip(`${node.folder}/parts/${path}`, 40)
  await scrub(4)
  await until('DFS4 says that the part is lost', async () => {
    const { scrub: counts, repair } = await ring.status(4)
    return !counts.isRunning && counts.lost === 1 && repair.lostParts === 1
  })
  await until('the repair has come to its end', async () => {
    const { repair } = await ring.status(4)
    return repair.missingParts === 0 && repair.finishedMs! > repair.startedMs!
  })
  // The operator finds the file on an old disk. What is lost is tried again after a restart.
  writeFileSync(`${twin.folder}/parts/${path}`, healthy.get(path)!)
  await ring.kill(4)
  await ring.start(4)
  await until('nothing is lost', async () => (await ring.status(4)).repair.lostParts === 0)
  assert.deepEqual(partFiles(folder), healthy)
})

test('a part file that is gone is found by a scrub, counted, and fetched', async () => {
  const { folder } = ring.cluster.nodes[1]!
  const healthy = partFiles(folder)
  const path = [...healthy.keys()].at(-1)!
  rmSync(`${folder}/parts/${path}`)
  await scrub(2)
  // All its pieces.
  await whenThrough(2, 3)
  assert.deepEqual(partFiles(folder), healthy)
})

test('a pass that a restart interrupts goes on where it was, in the middle of a part', async () => {
  const conf = 'scrub.every_days = 1000\nscrub.bytes_per_second = 2000000'
  await using slow = await startRing(conf)
  const [count, rows] = [2, 100]
  const files = Array.from({ length: count }, () => newRingFile({ rows, pieceBytes: 20_000 }))
  await putFiles(slow, files)
  const counts = async () => (await slow.status(1)).scrub
  await slow.at(1, (client) => client.request('scrub', {}, { as: slow.operator }))
  await until('a part and a half are read', async () => (await counts()).pieces > 1.5 * rows)
  await slow.cluster.nodes[0]!.kill('SIGTERM')
  await slow.start(1)
  const after = await counts()
  assert.ok(after.isRunning && after.pieces > 1.5 * rows, JSON.stringify(after))
  await until('the pass came to its end', async () => !(await counts()).isRunning)
  const { pieces, damaged, startedMs } = await counts()
  // Each piece once: none is read again, and none is left out.
  assert.deepEqual([pieces, damaged, startedMs], [2 * count * rows, 0, after.startedMs])
})
